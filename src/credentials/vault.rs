//! Reads secrets from HashiCorp Vault or OpenBao: key-value engines, both versions.
//!
//! It owns the login and the life of its token. Whose secret a path is, and whether the user may have it,
//! was decided before a path comes here.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::fetched::Fetched;
use crate::outbound::{self, Client};

mod answer;
mod settings;
#[cfg(test)]
mod tests;
mod token;

use answer::{Engine, parse};
use token::{Renewable, Token};

pub use settings::{Login, SettingsError, VaultSettings};

/// A login, a look-up and a read each get one of outbound's deadlines; together they get this.
const DEADLINE: Duration = Duration::from_secs(15);
/// Between two attempts to renew a token, and between two logins that a refusal provokes.
const PAUSE: Duration = Duration::from_secs(10);

/// A connection to one vault; a clone shares its token.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    http: Client,
    settings: VaultSettings,
    token: Mutex<Option<Token>>,
}

/// Why the vault gives no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or too large a one.
    #[error("ask the vault")]
    Outbound {
        /// What the client said.
        #[source]
        cause: outbound::Error,
    },
    /// No answer to all requests together.
    #[error("the vault did not answer within {} s", DEADLINE.as_secs())]
    Slow,
    /// No secret at the path.
    #[error("the vault has nothing at {path}")]
    Absent {
        /// Mount and path.
        path: String,
    },
    /// The secret lacks the field, or the field is no text.
    #[error("the secret at {path} has no text in the field {field}")]
    Field {
        /// Mount and path.
        path: String,
        /// The field.
        field: String,
    },
    /// The token may not read the path.
    #[error("the vault refuses {path} to this token")]
    Forbidden {
        /// Mount and path.
        path: String,
    },
    /// The login failed.
    #[error("log in to the vault: status {status}")]
    Login {
        /// The vault's answer.
        status: StatusCode,
    },
    /// The vault is sealed, redirects, limits us or fails.
    #[error("the vault answered {path} with status {status}")]
    Status {
        /// Mount and path.
        path: String,
        /// The vault's answer.
        status: StatusCode,
    },
    /// The body is not what the interface promises; it may hold secrets and is not repeated.
    #[error("the vault's answer for {path} cannot be understood")]
    Malformed {
        /// Mount and path.
        path: String,
    },
    /// The token's file cannot be read.
    #[error("read the vault's credentials")]
    Settings {
        /// What is wrong with them.
        #[source]
        cause: SettingsError,
    },
}

// === impl Vault ===

impl Vault {
    /// A vault that nobody has talked to yet, over this client unless it has an authority of its own.
    ///
    /// # Errors
    /// [`Error::Outbound`] when the certificates or the client cannot be set up.
    pub fn new(settings: VaultSettings, http: &Client) -> Result<Self, Error> {
        let outbound = |cause| Error::Outbound { cause };
        let http = match &settings.authorities {
            Some(own) => Client::new(own.clone()).map_err(outbound)?,
            None => http.clone(),
        };
        http.prepare(&settings.address).map_err(outbound)?;
        Ok(Self::with_client(settings, http))
    }

    pub(super) fn with_client(settings: VaultSettings, http: Client) -> Self {
        Self { inner: Arc::new(Inner { http, settings, token: Mutex::new(None) }) }
    }

    /// Reads one field; the path is `MOUNT/PATH`, percent-encoded, without `.` or `..`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn read(&self, path: &str, field: &str) -> Result<Fetched, Error> {
        tokio::time::timeout(DEADLINE, self.inner.read(path, field))
            .await
            .unwrap_or(Err(Error::Slow))
    }

    /// Keeps the token alive, for ever, and tells of each try; to be spawned once.
    pub async fn upkeep(self, told: impl Fn(Kept)) {
        loop {
            let renew_at = {
                let token = self.inner.token.lock().await;
                token.as_ref().and_then(|token| token.renew_at)
            };
            let at = renew_at.unwrap_or_else(|| Instant::now() + PAUSE);
            tokio::time::sleep_until(at.max(Instant::now() + token::SHORTEST)).await;
            if renew_at.is_none() {
                continue;
            }
            let renewed = tokio::time::timeout(DEADLINE, self.inner.renew()).await;
            if matches!(renewed, Ok(Ok(()))) {
                told(Kept::Renewed);
            } else {
                told(Kept::Failed);
                tracing::warn!("the vault's token could not be renewed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

/// What became of the vault's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It lives longer now.
    Renewed,
    /// It does not, and is tried again.
    Failed,
}

// === impl Inner ===

impl Inner {
    async fn read(&self, path: &str, field: &str) -> Result<Fetched, Error> {
        let token = self.token().await?;
        match self.read_with(&token, path, field).await {
            Err(Error::Forbidden { .. }) => {
                // A revoked token and a missing policy look the same; a new login tells them apart.
                let fresh = self.replace(&token).await?;
                self.read_with(&fresh, path, field).await
            }
            other => other,
        }
    }

    async fn read_with(
        &self,
        token: &SecretString,
        path: &str,
        field: &str,
    ) -> Result<Fetched, Error> {
        match self.mount(token, path).await? {
            Some((mount, engine)) => self.secret(token, path, mount, engine, field).await,
            None => {
                // The look-up is not granted by every policy: the mount is then the first segment.
                let mount = path.find('/').map_or(path.len(), |at| at + 1);
                let second = self.secret(token, path, mount, Engine::V2, field).await;
                match second {
                    Err(Error::Absent { .. } | Error::Forbidden { .. }) => {
                        let first = self.secret(token, path, mount, Engine::V1, field).await;
                        match (first, second) {
                            (Err(Error::Absent { .. }), Err(refused @ Error::Forbidden { .. })) => {
                                Err(refused)
                            }
                            (first, _) => first,
                        }
                    }
                    other => other,
                }
            }
        }
    }

    /// Where the mount ends within the path, and which version it is; `None` when we may not know.
    async fn mount(
        &self,
        token: &SecretString,
        path: &str,
    ) -> Result<Option<(usize, Engine)>, Error> {
        let malformed = || Error::Malformed { path: path.to_owned() };
        let request = format!("sys/internal/ui/mounts/{path}");
        let answer = self.get(token, &request).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Ok(None),
            status => {
                return Err(Error::Status { path: path.to_owned(), status });
            }
        }
        let answer = parse(&answer.body).ok_or_else(malformed)?;
        let mount = answer["data"]["path"].as_str().ok_or_else(malformed)?;
        let engine = match answer["data"]["options"]["version"].as_str() {
            Some("2") => Engine::V2,
            Some("1") | None => Engine::V1,
            Some(_) => return Err(malformed()),
        };
        // An answer about another mount would lead us to another path.
        if mount.len() < 2 || !mount.ends_with('/') || !path.starts_with(mount) {
            return Err(malformed());
        }
        Ok(Some((mount.len(), engine)))
    }

    async fn secret(
        &self,
        token: &SecretString,
        path: &str,
        mount: usize,
        engine: Engine,
        field: &str,
    ) -> Result<Fetched, Error> {
        let (mount, rest) = path.split_at(mount);
        let request = match engine {
            Engine::V1 => format!("{mount}{rest}"),
            Engine::V2 => format!("{mount}data/{rest}"),
        };
        let path = || path.to_owned();
        let answer = self.get(token, &request).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(Error::Absent { path: path() }),
            StatusCode::FORBIDDEN => return Err(Error::Forbidden { path: path() }),
            status => {
                return Err(Error::Status { path: path(), status });
            }
        }
        let mut answer = parse(&answer.body).ok_or_else(|| Error::Malformed { path: path() })?;
        engine
            .field(&mut answer, field)
            .ok_or_else(|| Error::Field { path: path(), field: field.to_owned() })
    }

    /// The token in use, or a new one.
    async fn token(&self) -> Result<SecretString, Error> {
        let mut token = self.token.lock().await;
        // One that nobody renewed in time is no reason to bother the vault with.
        if let Some(token) = token.as_ref().filter(|token| token.lives()) {
            return Ok(token.value.clone());
        }
        let fresh = self.log_in().await?;
        Ok(token.insert(fresh).value.clone())
    }

    /// A token in place of one that was refused; at most one login in [`PAUSE`].
    async fn replace(&self, refused: &SecretString) -> Result<SecretString, Error> {
        let mut token = self.token.lock().await;
        if let Some(current) = &*token {
            let renewed = current.value.expose_secret() != refused.expose_secret();
            if current.lives() && (renewed || current.since.elapsed() < PAUSE) {
                return Ok(current.value.clone());
            }
        }
        let fresh = self.log_in().await?;
        Ok(token.insert(fresh).value.clone())
    }

    async fn log_in(&self) -> Result<Token, Error> {
        match &self.settings.login {
            Login::AppRole { role_id, secret_id } => {
                let read = |given: &settings::ValueOrFile| {
                    given.read().map_err(|cause| Error::Settings { cause })
                };
                let body = serde_json::json!({
                    "role_id": read(role_id)?.expose_secret(),
                    "secret_id": read(secret_id)?.expose_secret(),
                });
                let request = self.http.post(self.url("auth/approle/login")?).json(&body);
                let answer = self.send(request).await?;
                if answer.status != StatusCode::OK {
                    return Err(Error::Login { status: answer.status });
                }
                Token::from_auth(&answer.body)
                    .ok_or_else(|| Error::Malformed { path: "auth/approle/login".to_owned() })
            }
            Login::Token(given) => {
                let value = given.read().map_err(|cause| Error::Settings { cause })?;
                let answer = self.get(&value, "auth/token/lookup-self").await?;
                match answer.status {
                    StatusCode::OK => {
                        let told = parse(&answer.body).unwrap_or_default();
                        let data = &told["data"];
                        Ok(Token::new(
                            value,
                            data["ttl"].as_u64().unwrap_or(0),
                            Renewable::from(&data["renewable"]),
                        ))
                    }
                    // Without the right to look at itself a token may still read.
                    StatusCode::FORBIDDEN => Ok(Token::new(value, 0, Renewable::No)),
                    status => Err(Error::Login { status }),
                }
            }
        }
    }

    async fn renew(&self) -> Result<(), Error> {
        let current = self.token.lock().await.clone();
        let renewed = match &current {
            Some(token) if token.renewable == Renewable::Yes => {
                let url = self.url("auth/token/renew-self")?;
                let request = self
                    .http
                    .post(url)
                    .header("x-vault-token", token.value.expose_secret())
                    .json(&serde_json::json!({}));
                let answer = self.send(request).await?;
                Token::from_auth(&answer.body).filter(|_| answer.status == StatusCode::OK)
            }
            _ => None,
        };
        let fresh = match renewed {
            Some(token) => token,
            // Not renewable, or at the end of its longest life.
            None => self.log_in().await?,
        };
        *self.token.lock().await = Some(fresh);
        Ok(())
    }

    async fn get(&self, token: &SecretString, path: &str) -> Result<outbound::Reply, Error> {
        let request = self.http.get(self.url(path)?).header("x-vault-token", token.expose_secret());
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<outbound::Reply, Error> {
        let mut request = request.header("x-vault-request", "true");
        if let Some(namespace) = &self.settings.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        self.http.send(request).await.map_err(|cause| Error::Outbound { cause })
    }

    /// The URL of a request, unless parsing it changes the path: then it would name another secret.
    fn url(&self, path: &str) -> Result<Url, Error> {
        let malformed = || Error::Malformed { path: path.to_owned() };
        let mut url = self.settings.address.clone();
        let wanted = format!("{}/v1/{path}", url.path().trim_end_matches('/'));
        url.set_path(&wanted);
        if url.path() != wanted || url.query().is_some() || url.fragment().is_some() {
            return Err(malformed());
        }
        Ok(url)
    }
}
