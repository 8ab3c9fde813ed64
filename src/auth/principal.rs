//! The identity that everything downstream is keyed by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// One user of one tenant of one issuer: what isolation is about.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId {
    issuer: Arc<str>,
    tenant: Option<Arc<str>>,
    subject: Arc<str>,
}

/// What the token says the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person, perhaps through an agent.
    Human,
    /// A service that acts for itself.
    Machine,
}

/// A verified caller: who, through which client, and what the token allows.
#[derive(Clone, Debug)]
pub struct Principal {
    user: UserId,
    pub(super) issuer_name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) client: Option<Arc<str>>,
    pub(super) actors: Vec<Arc<str>>,
    pub(super) scopes: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) email: Option<Arc<str>>,
    pub(super) claims: BTreeMap<String, serde_json::Value>,
    pub(super) expires_at: Option<SystemTime>,
}

// === impl UserId ===

impl UserId {
    pub(super) fn new(issuer: &str, tenant: Option<&str>, subject: &str) -> Self {
        Self { issuer: issuer.into(), tenant: tenant.map(Into::into), subject: subject.into() }
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

    /// A name that is safe in any path, variable or log line: 32 hex digits over all three parts.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
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
        hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", self.digest())
    }
}

// === impl Principal ===

impl Principal {
    /// The one developer of `mcpwrap dev`.
    #[must_use]
    pub fn local() -> Self {
        Self::new(UserId::new("mcpwrap:local", None, "local"), "local".into())
    }

    pub(super) fn new(user: UserId, issuer_name: Arc<str>) -> Self {
        Self {
            user,
            issuer_name,
            kind: Kind::Human,
            client: None,
            actors: Vec::new(),
            scopes: BTreeSet::new(),
            groups: BTreeSet::new(),
            email: None,
            claims: BTreeMap::new(),
            expires_at: None,
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
        let mut principal = Self::new(UserId::new(issuer, tenant, subject), "idp".into());
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
        self.kind
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

    /// When the token ends; `None` for the local developer.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
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
        ];
        for (i, one) in ids.iter().enumerate() {
            for other in &ids[i + 1..] {
                assert_ne!(one.digest(), other.digest());
            }
        }
        assert_eq!(ids[0].digest().len(), 32);
    }
}
