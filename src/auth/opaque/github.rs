//! GitHub's own check of its opaque tokens, for those who know the client's secret.
//!
//! The check binds a token to a client and to no audience: weaker than a token that is meant for this server.
//! The user is the numeric id, as a login can be given to somebody else.

use std::time::UNIX_EPOCH;

use http::StatusCode;
use http::header::ACCEPT;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::verdict::Verdict;
use crate::auth::claims::Claims;
use crate::auth::denied::Reason;
use crate::auth::error::Error;
use crate::auth::settings::Client;
use crate::outbound;

const API: &str = "https://api.github.com";

/// Whether the user's organisations are asked for as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Organisations {
    Needed,
    Unneeded,
}

/// GitHub's API and the clients that count.
#[derive(Debug)]
pub(super) struct GitHub {
    http: outbound::Client,
    base: Url,
    clients: Vec<Client>,
    organisations: Organisations,
}

#[derive(Deserialize)]
struct Answer {
    user: Option<User>,
    scopes: Option<Vec<String>>,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Organisation {
    login: String,
}

// === impl GitHub ===

impl GitHub {
    pub(super) fn new(
        http: outbound::Client,
        api_url: Option<&str>,
        clients: &[Client],
        organisations: Organisations,
    ) -> Result<Self, url::ParseError> {
        Ok(Self {
            http,
            base: Url::parse(api_url.unwrap_or(API))?,
            clients: clients.to_vec(),
            organisations,
        })
    }

    pub(super) async fn ask(&self, token: &str) -> Result<Verdict, Error> {
        for client in &self.clients {
            let place = self.at(&["applications", &client.id, "token"])?;
            let secret = client.secret.as_ref().map(ExposeSecret::expose_secret);
            let request = self
                .http
                .post(place.clone())
                .basic_auth(&client.id, secret)
                .header(ACCEPT, "application/vnd.github+json")
                .json(&json!({ "access_token": token }));
            let reply = self.http.send(request).await?;
            let url = outbound::shown(&place);
            match reply.status {
                StatusCode::OK => {
                    let answer = serde_json::from_slice(&reply.body)
                        .map_err(|cause| Error::Unreadable { url, cause })?;
                    return self.claims(token, client, answer).await;
                }
                // Not this client's token, or nobody's.
                StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {}
                status => {
                    let status = status.as_u16();
                    return Err(Error::Status { url, status });
                }
            }
        }
        Ok(Verdict::Refused(Reason::Inactive))
    }

    async fn claims(&self, token: &str, client: &Client, answer: Answer) -> Result<Verdict, Error> {
        let Some(user) = answer.user else {
            return Ok(Verdict::Refused(Reason::Subject));
        };
        let mut claims = Claims::from([
            ("sub".into(), user.id.to_string().into()),
            ("login".into(), user.login.into()),
            ("client_id".into(), client.id.clone().into()),
            ("scope".into(), answer.scopes.unwrap_or_default().into()),
        ]);
        if let Some(end) = answer.expires_at {
            let Ok(end) = humantime::parse_rfc3339_weak(&end) else {
                return Ok(Verdict::Refused(Reason::Time));
            };
            let since = end.duration_since(UNIX_EPOCH).unwrap_or_default();
            claims.insert("exp".into(), since.as_secs().into());
        }
        if self.organisations == Organisations::Needed {
            claims.insert("groups".into(), self.organisations(token).await?.into());
        }
        Ok(Verdict::Active(claims))
    }

    async fn organisations(&self, token: &str) -> Result<Vec<String>, Error> {
        let mut place = self.at(&["user", "orgs"])?;
        place.set_query(Some("per_page=100"));
        let url = outbound::shown(&place);
        let request =
            self.http.get(place).bearer_auth(token).header(ACCEPT, "application/vnd.github+json");
        let reply = self.http.send(request).await?;
        match reply.status {
            StatusCode::OK => {
                let found: Vec<Organisation> = serde_json::from_slice(&reply.body)
                    .map_err(|cause| Error::Unreadable { url, cause })?;
                Ok(found.into_iter().map(|one| one.login).collect())
            }
            // Without the scope to read them the token names no groups.
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Ok(Vec::new()),
            status => Err(Error::Status { url, status: status.as_u16() }),
        }
    }

    fn at(&self, path: &[&str]) -> Result<Url, Error> {
        let mut place = self.base.clone();
        place
            .path_segments_mut()
            .map_err(|()| Error::Incomplete { url: self.base.to_string(), member: "path" })?
            .pop_if_empty()
            .extend(path);
        Ok(place)
    }
}
