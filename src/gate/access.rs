//! A caller who is let in: policy's `connect`, and whose children his are.

use std::sync::Arc;

use super::bridge::ChildKey;
use crate::auth::Principal;
use crate::policy::Connect;

/// One caller who may have a child, for the length of one request.
///
/// What his child may do beyond being him is rendered and hashed here once, and compared ever after.
#[derive(Clone, Debug)]
pub struct Access {
    pub(super) connect: Connect,
    pub(super) key: ChildKey,
}

impl Access {
    /// Who he is.
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        self.connect.principal()
    }

    /// A digest of what his child may do beyond being him (the crate's documentation, "Whose child").
    #[must_use]
    pub fn authority(&self) -> &Arc<str> {
        &self.key.authority
    }

    /// Whether he may use a child with this key: it belongs to the same user and has the same authority. Which session
    /// a child is for is the client side's to know.
    pub(super) fn opens(&self, key: &ChildKey) -> bool {
        self.key.user == key.user && self.key.authority == key.authority
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn access(subject: &str, authority: &str) -> Access {
        let principal = Arc::new(Principal::for_tests("https://idp.example", None, subject, &[]));
        let connect = Policy::WholeServer.connect(&principal).unwrap();
        let user = principal.user().clone();
        Access { connect, key: ChildKey { user, authority: authority.into(), session: None } }
    }

    #[test]
    fn only_the_same_user_with_the_same_authority_gets_to_a_child() {
        let alice = access("alice", "a");
        let own_session = ChildKey { session: Some("s".into()), ..alice.key.clone() };
        assert!(alice.opens(&alice.key) && alice.opens(&own_session));
        assert!(!alice.opens(&access("bob", "a").key));
        assert!(!alice.opens(&access("alice", "b").key));
    }
}
