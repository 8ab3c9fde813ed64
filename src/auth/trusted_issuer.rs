//! One configured issuer with all that is needed to judge its tokens: its name, its keys, and whom to ask.
//!
//! It checks signatures; what claims must say is judged elsewhere.

use std::sync::Arc;

use super::claims::mapping::ClaimMapping;
use super::clock::Clock;
use super::denied::{Denied, Reason};
use super::error::Error;
use super::issuer_identifier::{self, IssuerIdentifier};
use super::jwt::Jwt;
use super::keys::issuer_keys::{Current, IssuerKeys, Look};
use super::keys::key_set::Signed;
use super::opaque::opaque_token::OpaqueTokens;
use super::settings::{AskWhen, Issuer, Settings};
use crate::outbound;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

/// One issuer with all that is needed to judge its tokens.
#[derive(Debug)]
pub(super) struct TrustedIssuer {
    pub(super) identifier: IssuerIdentifier,
    pub(super) mapping: ClaimMapping,
    /// None where tokens are not signed.
    pub(super) keys: Option<Arc<IssuerKeys>>,
    /// None where nobody is asked.
    pub(super) opaque: Option<OpaqueTokens>,
    pub(super) when: AskWhen,
}

// === impl TrustedIssuer ===

impl TrustedIssuer {
    pub(super) fn new(
        issuer: &Issuer,
        settings: &Settings,
        http: &outbound::Client,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> Result<Self, Problem> {
        let identifier = IssuerIdentifier::of(&issuer.url, issuer.idp);
        let mapping = ClaimMapping {
            issuer_name: issuer.name.as_str().into(),
            idp: issuer.idp,
            rules: settings.rules(issuer),
            clients: issuer.clients.clone(),
            clock: clock.clone(),
        };
        let keys = (!issuer.idp.is_weaker()).then(|| {
            Arc::new(IssuerKeys::new(
                mapping.issuer_name.clone(),
                identifier.clone(),
                settings.algorithms.clone(),
                settings.limits.clone(),
                http.clone(),
                clock.clone(),
                shutdown.clone(),
            ))
        });
        let opaque = OpaqueTokens::of(issuer, settings, http, keys.as_ref(), clock)
            .map_err(|_| issuer.problem("has an address that cannot be used"))?;
        let introspection = settings.introspection_of(issuer);
        let when = introspection.map_or(AskWhen::Opaque, |introspection| introspection.when);
        Ok(Self { identifier, mapping, keys, opaque, when })
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
            tenant: issuer_identifier::tenant_of(&jwt.claims),
        };
        let check = |current: &Current| current.keys.verify(&signed).map(|()| current.generation);
        let current = keys.ready().await.ok_or(no_keys)?;
        match check(&current) {
            Err(Reason::UnknownKey) => {
                // A good token whose key is new must not be taken for a bad one while nobody can look it up.
                let Look::Answered(current) = keys.again().await else {
                    return Err(Denied::Unavailable { reason: Reason::KeyNotLookedUp });
                };
                check(&current).map_err(Denied::invalid)
            }
            outcome => outcome.map_err(Denied::invalid),
        }
    }

    pub(super) fn complain(&self, error: &Error) {
        tracing::warn!(
            issuer = %self.mapping.issuer_name,
            error = error as &dyn std::error::Error,
            "a token could not be checked at its issuer"
        );
    }
}
