//! A caller's seat at his child.

use std::sync::Arc;

use bytestring::ByteString;

use super::access::Access;
use super::bridge::{self, AskKey, ChildKey, Member, Role};
use crate::limits::Account;
use crate::server::Hello;

/// A reason for a child to live; a clone is another reason.
#[derive(Clone, Debug)]
pub struct Seat {
    pub(super) inner: bridge::Seat,
    hello: Hello,
}

impl Seat {
    pub(super) fn new(inner: bridge::Seat, hello: Hello) -> Self {
        Self { inner, hello }
    }

    /// What the server said about itself when the seat was taken.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether the child that this seat was taken for is lost, with all it knew.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.inner.is_lost()
    }

    /// Notes that this caller's token authorises his child, which ends with the last one that is withdrawn.
    pub fn vouch(&self, access: &Access) {
        if access.opens(self.key()) {
            self.inner.slot().vouch(access.principal());
        }
    }

    /// Listens to what the child says beside its calls; what is not heard yet is charged to this account.
    #[must_use]
    pub fn join(&self, role: Role, account: &Arc<Account>) -> Member {
        self.inner.subscribers().join(role, account)
    }

    pub(super) fn running(&self) -> Option<bridge::Child> {
        self.inner.slot().child()
    }

    /// The child of this number, while it has not ended.
    pub(super) fn child(&self, number: u64) -> Option<bridge::Child> {
        self.inner.slot().children().into_iter().find(|child| child.number() == number)
    }

    pub(super) fn key(&self) -> &ChildKey {
        self.inner.slot().key()
    }

    pub(super) fn subscribers(&self) -> &Arc<bridge::Subscribers> {
        self.inner.subscribers()
    }
}

/// A question of a child that belongs to no call.
#[derive(Clone, Debug)]
pub struct OutsideAsk {
    /// The child that asked, by its number.
    pub child: u64,
    /// Which question.
    pub key: AskKey,
    /// Its method.
    pub method: ByteString,
}
