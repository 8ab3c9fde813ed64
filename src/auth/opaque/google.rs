//! Google's own check of its opaque access tokens.
//!
//! Such a token names the client that asked for it and no audience, so that only listed clients count: weaker
//! than a token that is meant for this server. The token goes in a body, never in a URL.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::verdict::Verdict;
use crate::auth::claims::Claims;
use crate::auth::claims::json;
use crate::auth::denied::Reason;
use crate::auth::error::Error;
use crate::auth::settings::Client;
use crate::outbound;

const TOKEN_CHECK: &str = "https://oauth2.googleapis.com/tokeninfo";
const PROFILE: &str = "https://openidconnect.googleapis.com/v1/userinfo";

/// Whether the Workspace domain is asked for as well; only the profile tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workspace {
    Needed,
    Unneeded,
}

/// Google's endpoints and the clients that count.
#[derive(Debug)]
pub(super) struct Google {
    http: outbound::Client,
    check: Url,
    profile: Url,
    clients: Vec<String>,
    workspace: Workspace,
}

// === impl Google ===

impl Google {
    pub(super) fn new(
        http: outbound::Client,
        api_url: Option<&str>,
        clients: &[Client],
        workspace: Workspace,
    ) -> Result<Self, url::ParseError> {
        let at = |path: &str, public: &str| match api_url {
            Some(base) => Url::parse(&format!("{}{path}", base.trim_end_matches('/'))),
            None => Url::parse(public),
        };
        Ok(Self {
            http,
            check: at("/tokeninfo", TOKEN_CHECK)?,
            profile: at("/v1/userinfo", PROFILE)?,
            clients: clients.iter().map(|client| client.id.clone()).collect(),
            workspace,
        })
    }

    pub(super) async fn ask(&self, token: &str) -> Result<Verdict, Error> {
        let form = Serializer::new(String::new()).append_pair("access_token", token).finish();
        let request = self
            .http
            .post(self.check.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let mut claims = match self.read(&self.check, request).await? {
            Ok(claims) => claims,
            Err(reason) => return Ok(Verdict::Refused(reason)),
        };
        let listed = |name: &str| match claims.get(name) {
            Some(Value::String(id)) => self.clients.contains(id),
            _ => false,
        };
        if !listed("aud") || (claims.contains_key("azp") && !listed("azp")) {
            return Ok(Verdict::Refused(Reason::Client));
        }
        // Numbers come as strings here, and a token without an end is none of Google's.
        match claims.get("exp").and_then(seconds) {
            Some(exp) => claims.insert("exp".into(), exp.into()),
            None => return Ok(Verdict::Refused(Reason::Time)),
        };
        claims.remove("hd");
        if self.workspace == Workspace::Needed {
            let request = self.http.get(self.profile.clone()).bearer_auth(token);
            match self.read(&self.profile, request).await? {
                Ok(profile) if profile.get("sub") == claims.get("sub") => {
                    if let Some(domain) = profile.get("hd") {
                        claims.insert("hd".into(), domain.clone());
                    }
                }
                Ok(_) => return Ok(Verdict::Refused(Reason::Subject)),
                Err(reason) => return Ok(Verdict::Refused(reason)),
            }
        }
        Ok(Verdict::Active(claims))
    }

    async fn read(
        &self,
        place: &Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Result<Claims, Reason>, Error> {
        let reply = self.http.send(request).await?;
        let url = outbound::shown(place);
        match reply.status {
            StatusCode::OK => match json::object(&reply.body) {
                Ok(claims) => Ok(Ok(claims)),
                Err(_) => Err(Error::Incomplete { url, member: "sub" }),
            },
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => Ok(Err(Reason::Inactive)),
            // The token lacks the scope to read the profile; then there is no domain either.
            StatusCode::FORBIDDEN => Ok(Err(Reason::NotAllowed)),
            status => Err(Error::Status { url, status: status.as_u16() }),
        }
    }
}

fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}
