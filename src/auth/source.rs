//! One issuer with all that is needed to judge its tokens: its name, its keys, and whom to ask.
//!
//! It checks signatures and builds the checks that the settings ask for; what claims must say is judged
//! elsewhere.

use std::sync::Arc;

use crate::outbound;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

use super::clock::Clock;
use super::denied::{Denied, Reason};
use super::error::Error;
use super::github::{GitHub, Organisations};
use super::google::{Google, Workspace};
use super::identity::Reading;
use super::introspection::Introspect;
use super::issuer::{self, Identifier};
use super::issuer_keys::{Current, IssuerKeys};
use super::jwt::Jwt;
use super::keyset::Signed;
use super::oracle::{Bounded, Oracle};
use super::preset::Preset;
use super::settings::{AskWhen, Issuer, Settings};

/// One issuer with all that is needed to judge its tokens.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) identifier: Identifier,
    pub(super) reading: Reading,
    /// None where tokens are not signed.
    pub(super) keys: Option<Arc<IssuerKeys>>,
    pub(super) oracle: Option<Bounded>,
    pub(super) when: AskWhen,
}

// === impl Source ===

impl Source {
    pub(super) fn new(
        issuer: &Issuer,
        settings: &Settings,
        http: &outbound::Client,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> Result<Self, Problem> {
        let identifier = Identifier::of(&issuer.url, issuer.idp);
        let reading = Reading {
            issuer_name: issuer.name.as_str().into(),
            idp: issuer.idp,
            rules: settings.rules(issuer),
            clients: issuer.clients.clone(),
            clock: clock.clone(),
        };
        let api_url = issuer.api_url.as_deref();
        let unusable = |_| issuer.problem("has an address that cannot be used");
        let keys = || {
            Arc::new(IssuerKeys::new(
                reading.issuer_name.clone(),
                identifier.clone(),
                settings.algorithms.clone(),
                settings.limits.clone(),
                http.clone(),
                clock.clone(),
                shutdown.clone(),
            ))
        };
        let (keys, oracle) = match issuer.idp {
            Preset::Google => {
                let workspace = match settings.allow.domains.is_empty() {
                    true => Workspace::Unneeded,
                    false => Workspace::Needed,
                };
                let google = Google::new(http.clone(), api_url, &issuer.clients, workspace);
                (None, Some(Oracle::Google(google.map_err(unusable)?)))
            }
            Preset::GitHub => {
                let organisations = match settings.allow.groups.is_empty() {
                    true => Organisations::Unneeded,
                    false => Organisations::Needed,
                };
                let github = GitHub::new(http.clone(), api_url, &issuer.clients, organisations);
                (None, Some(Oracle::GitHub(github.map_err(unusable)?)))
            }
            _ => {
                let keys = keys();
                let oracle = match settings.introspection_of(issuer) {
                    None => None,
                    Some(introspection) => Some(Oracle::Introspection(Introspect {
                        http: http.clone(),
                        issuer: identifier.clone(),
                        keys: keys.clone(),
                        endpoint: introspection
                            .endpoint
                            .as_deref()
                            .map(url::Url::parse)
                            .transpose()
                            .map_err(unusable)?,
                        client_id: introspection.client_id.clone(),
                        client_secret: introspection.client_secret.clone(),
                    })),
                };
                (Some(keys), oracle)
            }
        };
        Ok(Self {
            identifier,
            reading,
            keys,
            oracle: oracle.map(|oracle| Bounded::new(oracle, settings.limits.fetch_deadline)),
            when: settings
                .introspection_of(issuer)
                .map_or(AskWhen::Opaque, |introspection| introspection.when),
        })
    }

    /// Checks the signature with this issuer's keys alone; answers which keys these were.
    pub(super) async fn check_signature(&self, jwt: &Jwt<'_>, iss: &str) -> Result<u64, Denied> {
        let no_keys = Denied::Unavailable { reason: Reason::NoKeys };
        let keys = self.keys.as_ref().ok_or(no_keys.clone())?;
        let signed = Signed {
            message: jwt.message,
            signature: jwt.signature,
            algorithm: jwt.algorithm,
            key_id: jwt.key_id.as_deref(),
            issuer: iss,
            tenant: issuer::tenant_of(&jwt.claims),
        };
        let check = |current: &Current| current.keys.verify(&signed).map(|()| current.generation);
        let current = keys.ready().await.ok_or(no_keys.clone())?;
        match check(&current) {
            Err(Reason::UnknownKey) => {
                let current = keys.again().await.ok_or(no_keys)?;
                check(&current).map_err(Denied::invalid)
            }
            outcome => outcome.map_err(Denied::invalid),
        }
    }

    pub(super) fn complain(&self, error: &Error) {
        tracing::warn!(
            issuer = %self.reading.issuer_name,
            error = error as &dyn std::error::Error,
            "a token could not be checked at its issuer"
        );
    }
}
