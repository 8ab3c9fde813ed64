//! A caller's seat at his child.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytestring::ByteString;

use super::access::Access;
use super::bridge::{self, AskKey, ChildKey, Member, Role};
use crate::limits::Account;
use crate::server::Hello;

/// A reason for a child to live, or, as a session's, for its place to stay; a clone is another reason.
#[derive(Clone, Debug)]
pub struct Seat {
    pub(super) inner: bridge::Seat,
    hello: Hello,
    /// The number of the child that was last found to keep what its predecessors promised.
    suitable: Arc<AtomicU64>,
}

impl Seat {
    pub(super) fn new(inner: bridge::Seat, hello: Hello) -> Self {
        Self { inner, hello, suitable: Arc::default() }
    }

    /// The seat of a session, which outlives its children: it keeps none, and wants of each what the first one said.
    #[must_use]
    pub fn of_session(self) -> Self {
        Self { inner: self.inner.resting(), ..self }
    }

    /// What the server said about itself when the seat was taken.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether the session that sits here is over: it gets no child any more, or one that does not keep what the client
    /// was promised.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.inner.is_resting()
            && (self.inner.slot().is_retired()
                || self.running().is_some_and(|child| !self.suits(&child)))
    }

    /// Whether a child keeps what this seat was promised. Whoever does not rest here asks what he has before him.
    pub(super) fn suits(&self, child: &bridge::Child) -> bool {
        if !self.inner.is_resting() || self.suitable.load(Ordering::Relaxed) == child.number() {
            return true;
        }
        let suits = self.hello.is_kept_by(child.hello());
        if suits {
            self.suitable.store(child.number(), Ordering::Relaxed);
        }
        suits
    }

    /// Whether there is a child here.
    #[must_use]
    pub fn is_occupied(&self) -> bool {
        self.running().is_some()
    }

    /// Resolves when there is a child here; nobody has one started for it.
    pub async fn occupied(&self) {
        self.inner.slot().occupied().await;
    }

    /// Resolves when there is a child here, or it is clear why there is none.
    pub async fn decided(&self) {
        self.inner.slot().decided().await;
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
