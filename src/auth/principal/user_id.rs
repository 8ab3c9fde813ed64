//! Who a user is: what isolation is about.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::hex;

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

// === impl UserId ===

impl UserId {
    pub(in crate::auth) fn new(issuer: &str, tenant: Option<&str>, subject: &str) -> Self {
        Self {
            issuer: issuer.into(),
            tenant: tenant.map(Into::into),
            subject: subject.into(),
            kind: Kind::Human,
        }
    }

    /// A service's identity. Where clients register themselves, one may take a person's name as its own:
    /// the two stay different users.
    pub(in crate::auth) fn of_machine(issuer: &str, tenant: Option<&str>, subject: &str) -> Self {
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

    pub(super) fn kind(&self) -> Kind {
        self.kind
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
