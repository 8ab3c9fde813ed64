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
