//! RFC 7662: what an issuer answers about a token, to those who authenticate.
//!
//! It says whether the token is active and of whom; whether it is meant for us is judged elsewhere.

use std::sync::Arc;

use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::verdict::Verdict;
use crate::auth::claims::json;
use crate::auth::denied::Reason;
use crate::auth::error::Error;
use crate::auth::issuer_identifier::IssuerIdentifier;
use crate::auth::keys::issuer_keys::IssuerKeys;
use crate::outbound;

/// No answer about one token is larger; answers are kept for a minute.
const MAX_ANSWER: usize = 64 * 1024;

/// The introspection endpoint of one issuer.
#[derive(Debug)]
pub(super) struct Introspect {
    pub(super) http: outbound::Client,
    pub(super) issuer: IssuerIdentifier,
    /// Knows the endpoint where it was not configured.
    pub(super) keys: Arc<IssuerKeys>,
    pub(super) endpoint: Option<Url>,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
}

// === impl Introspect ===

impl Introspect {
    pub(super) async fn ask(&self, token: &str) -> Result<Verdict, Error> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => self.keys.introspection().await.ok_or_else(|| Error::Incomplete {
                url: self.issuer.url().to_owned(),
                member: "introspection_endpoint",
            })?,
        };
        let url = outbound::shown(&endpoint);
        let form = Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        // RFC 6749 §2.3.1 encodes both halves before they are joined.
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let request = self
            .http
            .post(endpoint)
            .basic_auth(encode(&self.client_id), Some(encode(self.client_secret.expose_secret())))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form);
        let reply = self.http.send(request).await?;
        if reply.status != StatusCode::OK {
            let status = reply.status.as_u16();
            return Err(Error::Status { url, status });
        }
        if reply.body.len() > MAX_ANSWER {
            let limit = MAX_ANSWER;
            return Err(outbound::Error::TooLarge { url, limit }.into());
        }
        self.judge(&reply.body).ok_or(Error::Incomplete { url, member: "active" })
    }

    /// `None` if the answer is no answer.
    fn judge(&self, body: &[u8]) -> Option<Verdict> {
        let mut claims = match json::object(body) {
            Ok(claims) => claims,
            Err(Reason::Duplicate) => return Some(Verdict::Refused(Reason::Duplicate)),
            Err(_) => return None,
        };
        if !claims.remove("active")?.as_bool()? {
            return Some(Verdict::Refused(Reason::Inactive));
        }
        let text = |name: &str| claims.get(name).map(|value| value.as_str().unwrap_or_default());
        if text("iss").is_some_and(|iss| !self.issuer.is_of(iss, &claims)) {
            return Some(Verdict::Refused(Reason::Issuer));
        }
        match text("token_type").map(str::to_ascii_lowercase).as_deref() {
            None | Some("bearer" | "access_token") => {}
            Some("dpop") => return Some(Verdict::Refused(Reason::Bound)),
            Some(_) => return Some(Verdict::Refused(Reason::Type)),
        }
        if claims.contains_key("cnf") {
            return Some(Verdict::Refused(Reason::Bound));
        }
        Some(Verdict::Active(claims))
    }
}
