//! A verified caller: the identity that everything downstream is keyed by, and the life of the token behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use token_life::{End, Fingerprint, Life};
use user_id::{Kind, UserId};

use super::clock::Clock;
use crate::audit::Who;

pub(super) mod token_life;
pub(super) mod user_id;

/// A verified caller: who, through which client, and what the token allows.
#[derive(Clone)]
pub struct Principal {
    user: UserId,
    pub(super) issuer_name: Arc<str>,
    pub(super) client: Option<Arc<str>>,
    pub(super) actors: Vec<Arc<str>>,
    pub(super) scopes: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) email: Option<Arc<str>>,
    pub(super) claims: BTreeMap<String, serde_json::Value>,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) life: Life,
}

// === impl Principal ===

impl Principal {
    /// The one developer of `mcpwrap dev`.
    #[must_use]
    pub fn local() -> Self {
        let user = UserId::new("mcpwrap:local", None, "local");
        Self::new(user, "local".into(), Clock::system())
    }

    pub(super) fn new(user: UserId, issuer_name: Arc<str>, clock: Clock) -> Self {
        Self {
            user,
            issuer_name,
            client: None,
            actors: Vec::new(),
            scopes: BTreeSet::new(),
            groups: BTreeSet::new(),
            email: None,
            claims: BTreeMap::new(),
            expires_at: None,
            fingerprint: None,
            life: Life { clock, until: None, standing: None },
        }
    }

    /// A verified caller for the tests of other modules; the claim `email` counts as verified.
    #[cfg(test)]
    pub(crate) fn for_tests(
        issuer: &str,
        tenant: Option<&str>,
        subject: &str,
        claims: &[(&str, serde_json::Value)],
    ) -> Self {
        let mut principal =
            Self::new(UserId::new(issuer, tenant, subject), "idp".into(), Clock::system());
        for (name, value) in claims {
            principal.claims.insert((*name).to_owned(), value.clone());
        }
        let email = principal.claims.get("email").and_then(|mail| mail.as_str());
        principal.email = email.map(Into::into);
        principal
    }

    /// The same caller as a service that acts for itself.
    #[cfg(test)]
    pub(crate) fn into_machine(mut self) -> Self {
        let user = &self.user;
        self.user = UserId::of_machine(user.issuer(), user.tenant(), user.subject());
        self
    }

    /// Whose processes, files and caches these are.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The issuer's short name (`--oidc NAME=URL`).
    #[must_use]
    pub fn issuer_name(&self) -> &str {
        &self.issuer_name
    }

    /// A person or a service.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.user.kind()
    }

    /// The OAuth client that holds the token.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// Who acts for the user, outermost first (RFC 8693 `act`).
    #[must_use]
    pub fn actors(&self) -> &[Arc<str>] {
        &self.actors
    }

    /// The scopes that the token grants.
    #[must_use]
    pub fn scopes(&self) -> &BTreeSet<String> {
        &self.scopes
    }

    /// The groups that the token names.
    #[must_use]
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// The e-mail address, only when the issuer says that it verified it.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// One verified claim.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&serde_json::Value> {
        self.claims.get(name)
    }

    /// When the token ends; `None` for the local developer and where the issuer does not say.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Which token this is; `None` for the local developer.
    #[must_use]
    pub fn token_fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Whether the token may still authorise anything.
    #[must_use]
    pub fn is_living(&self) -> bool {
        self.life.lasts()
    }

    /// Resolves when the token expires or the issuer withdraws it; never for the local developer.
    ///
    /// While anybody waits here, the verifier keeps asking the issuer about a token that it can ask about.
    pub async fn ended(&self) -> End {
        self.life.ended().await
    }
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        let user = principal.user();
        Self {
            user: user.digest(),
            issuer: user.issuer().to_owned(),
            tenant: user.tenant().map(str::to_owned),
            subject: user.subject().to_owned(),
            kind: match user.kind() {
                Kind::Human => "person",
                Kind::Machine => "service",
            },
            client: principal.client().map(str::to_owned),
            actors: principal.actors().iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("user", &self.user)
            .field("issuer", &self.issuer_name)
            .field("kind", &self.user.kind())
            .field("token", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
