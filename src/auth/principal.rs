//! The identity that everything downstream is keyed by, and the life of the token behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::clock::Clock;
use crate::audit::Who;
use crate::hex;

/// How long [`Principal::ended`] sleeps at most before it looks at the wall clock again: a suspended machine
/// wakes up later than any timer thinks.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// One user of one tenant of one issuer: what isolation is about.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId {
    issuer: Arc<str>,
    tenant: Option<Arc<str>>,
    subject: Arc<str>,
    kind: Kind,
}

/// What the token says the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A person, perhaps through an agent.
    Human,
    /// A service that acts for itself.
    Machine,
}

/// Which token it was, without being it: the first half of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

/// How a token's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time is over.
    Expired,
    /// The issuer says that it is no longer active.
    Revoked,
}

/// Whether the issuer still stands by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Active,
    Revoked,
}

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

/// What [`Principal::ended`] watches.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) clock: Clock,
    /// The expiry with the leeway that was granted.
    pub(super) until: Option<SystemTime>,
    pub(super) standing: Option<Arc<watch::Sender<Standing>>>,
}

// === impl UserId ===

impl UserId {
    pub(super) fn new(issuer: &str, tenant: Option<&str>, subject: &str) -> Self {
        Self {
            issuer: issuer.into(),
            tenant: tenant.map(Into::into),
            subject: subject.into(),
            kind: Kind::Human,
        }
    }

    /// A service's identity. Where clients register themselves, one may take a person's name as its own:
    /// the two stay different users.
    pub(super) fn of_machine(issuer: &str, tenant: Option<&str>, subject: &str) -> Self {
        Self { kind: Kind::Machine, ..Self::new(issuer, tenant, subject) }
    }

    /// The issuer's identifier, exactly as the token names it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The tenant, where a tenant claim is configured.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The subject within issuer and tenant.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// A name for the tenant that is safe in any path, where there is one: 32 hex digits.
    #[must_use]
    pub fn tenant_digest(&self) -> Option<String> {
        let tenant = self.tenant.as_deref()?;
        let mut hash = Sha256::new();
        for part in [self.issuer.as_ref(), tenant] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Some(hex::encode(&hash.finalize()[..16]))
    }

    /// A name that is safe in any path, variable or log line: 32 hex digits over all three parts.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        if self.kind == Kind::Machine {
            hash.update([2]);
        }
        for part in
            [Some(self.issuer.as_ref()), self.tenant.as_deref(), Some(self.subject.as_ref())]
        {
            match part {
                // The length before each part keeps ("a", "bc") and ("ab", "c") apart.
                Some(text) => {
                    hash.update([1]);
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text.as_bytes());
                }
                None => hash.update([0]),
            }
        }
        hex::encode(&hash.finalize()[..16])
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", self.digest())
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    pub(super) fn of(sha256: &[u8; 32]) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&sha256[..16]);
        Self(half)
    }

    /// The same as bytes, for a key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", hex::encode(&self.0[..4]))
    }
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
        self.user.kind
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
        let revoked =
            |standing: &Arc<watch::Sender<Standing>>| *standing.borrow() == Standing::Revoked;
        self.life.left() != Some(Duration::ZERO)
            && !self.life.standing.as_ref().is_some_and(revoked)
    }

    /// Resolves when the token expires or the issuer withdraws it; never for the local developer.
    ///
    /// While anybody waits here, the verifier keeps asking the issuer about a token that it can ask about.
    pub async fn ended(&self) -> End {
        tokio::select! {
            () = self.life.revoked() => End::Revoked,
            () = self.life.over() => End::Expired,
        }
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
            kind: match user.kind {
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
            .field("kind", &self.user.kind)
            .field("token", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

// === impl Life ===

impl Life {
    fn left(&self) -> Option<Duration> {
        let until = self.until?;
        Some(until.duration_since(self.clock.now()).unwrap_or(Duration::ZERO))
    }

    async fn over(&self) {
        loop {
            match self.left() {
                None => std::future::pending().await,
                Some(Duration::ZERO) => return,
                Some(left) => tokio::time::sleep(left.min(LOOK_AGAIN)).await,
            }
        }
    }

    async fn revoked(&self) {
        let Some(standing) = &self.standing else {
            return std::future::pending().await;
        };
        // The sender is ours, so that waiting cannot fail.
        let _ = standing.subscribe().wait_for(|standing| *standing == Standing::Revoked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_keeps_the_parts_apart() {
        let ids = [
            UserId::new("a", None, "bc"),
            UserId::new("ab", None, "c"),
            UserId::new("a", Some("b"), "c"),
            UserId::new("a", Some(""), "bc"),
            UserId::of_machine("a", None, "bc"),
        ];
        for (i, one) in ids.iter().enumerate() {
            for other in &ids[i + 1..] {
                assert_ne!(one.digest(), other.digest());
            }
        }
        assert_eq!(ids[0].digest().len(), 32);
    }
}
