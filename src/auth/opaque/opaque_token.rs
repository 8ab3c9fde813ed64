//! Asks an issuer about a token that only the issuer can read.
//!
//! However many such tokens come, only so many checks run at once, each with a deadline, and one network has a share of
//! them. The answer is claims like those of a signed token; it does not judge them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use url::Url;

use super::github::{GitHub, Organisations};
use super::google::{Google, Workspace};
use super::introspection::Introspect;
use super::network_shares::{Asker, NetworkShares};
use super::verdict::Verdict;
use crate::auth::clock::Clock;
use crate::auth::error::Error;
use crate::auth::issuer_identifier::IssuerIdentifier;
use crate::auth::keys::issuer_keys::IssuerKeys;
use crate::auth::settings::preset::Preset;
use crate::auth::settings::{Issuer, Settings};
use crate::outbound;

/// So many checks of new tokens run at once, and as many of known ones; the others wait within their deadline.
const MAX_CHECKS: usize = 32;

/// How one issuer's opaque tokens are checked, and within which bounds.
#[derive(Debug)]
pub(in crate::auth) struct OpaqueTokens {
    check: Check,
    new: Semaphore,
    /// Strangers cannot take the places of those who are here already.
    known: Semaphore,
    networks: NetworkShares,
    clock: Clock,
    deadline: Duration,
}

/// Who is asked about a token.
#[derive(Debug)]
enum Check {
    /// RFC 7662.
    Introspection(Introspect),
    /// Google's own check.
    Google(Google),
    /// GitHub's own check.
    GitHub(GitHub),
}

// === impl OpaqueTokens ===

impl OpaqueTokens {
    /// The check that the settings ask for; `None` where nobody is asked. `keys` are those of an issuer that signs its
    /// tokens.
    pub(in crate::auth) fn of(
        issuer: &Issuer,
        settings: &Settings,
        http: &outbound::Client,
        keys: Option<&Arc<IssuerKeys>>,
        clock: &Clock,
    ) -> Result<Option<Self>, url::ParseError> {
        let api_url = issuer.api_url.as_deref();
        let check = match issuer.idp {
            Preset::Google => {
                let workspace = match settings.allow.domains.is_empty() {
                    true => Workspace::Unneeded,
                    false => Workspace::Needed,
                };
                Check::Google(Google::new(http.clone(), api_url, &issuer.clients, workspace)?)
            }
            Preset::GitHub => {
                let organisations = match settings.allow.groups.is_empty() {
                    true => Organisations::Unneeded,
                    false => Organisations::Needed,
                };
                Check::GitHub(GitHub::new(http.clone(), api_url, &issuer.clients, organisations)?)
            }
            _ => {
                let (Some(introspection), Some(keys)) = (settings.introspection_of(issuer), keys)
                else {
                    return Ok(None);
                };
                Check::Introspection(Introspect {
                    http: http.clone(),
                    issuer: IssuerIdentifier::of(&issuer.url, issuer.idp),
                    keys: keys.clone(),
                    endpoint: introspection.endpoint.as_deref().map(Url::parse).transpose()?,
                    client_id: introspection.client_id.clone(),
                    client_secret: introspection.client_secret.clone(),
                })
            }
        };
        Ok(Some(Self {
            check,
            new: Semaphore::new(MAX_CHECKS),
            known: Semaphore::new(MAX_CHECKS),
            networks: NetworkShares::new(),
            clock: clock.clone(),
            deadline: settings.limits.fetch_deadline,
        }))
    }

    /// Whether this is the one for an opaque token that looks like this.
    pub(in crate::auth) fn knows(&self, token: &str) -> bool {
        match &self.check {
            Check::Introspection(_) => true,
            Check::Google(_) => token.starts_with("ya29."),
            Check::GitHub(_) => token.starts_with("gho_") || token.starts_with("ghu_"),
        }
    }

    /// Whether its tokens are bound to a client instead of an audience.
    pub(in crate::auth) fn binds_to_client(&self) -> bool {
        !matches!(self.check, Check::Introspection(_))
    }

    /// A token was refused that was asked about on this account.
    pub(in crate::auth) async fn refused(&self, asker: Asker) {
        if let Asker::Network(network) = asker {
            self.networks.refused(network, self.clock.steady()).await;
        }
    }

    pub(in crate::auth) async fn ask(&self, token: &str, asker: Asker) -> Result<Verdict, Error> {
        let deadline = self.deadline;
        let asking = async {
            let (places, _share) = match asker {
                Asker::Network(from) => {
                    (&self.new, Some(self.networks.enter(from, &self.clock).await?))
                }
                Asker::Known => (&self.known, None),
            };
            let _place = places.acquire().await.map_err(|_| Error::Busy)?;
            match &self.check {
                Check::Introspection(introspect) => introspect.ask(token).await,
                Check::Google(google) => google.ask(token).await,
                Check::GitHub(github) => github.ask(token).await,
            }
        };
        tokio::time::timeout(deadline, Box::pin(asking))
            .await
            .unwrap_or(Err(Error::Deadline { deadline }))
    }
}
