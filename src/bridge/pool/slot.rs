//! One place for a child: who may use it, what it was told, and the child that sits there now.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::child::{Child, Subscribers};
use super::authorizing_tokens::AuthorizingTokens;
use super::slot_state::{Fate, NotStarted, Placement, SlotState, Start};
use super::unavailable::Unavailable;
use crate::auth::{Principal, UserId};
use crate::mcp::Era;
use crate::server::{ListKind, Profile};

/// Whose child (the crate's documentation, "Whose child"); the profile is the slot's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildKey {
    /// The user.
    pub user: UserId,
    /// A digest of what the child may do beyond being the user.
    pub authority: Arc<str>,
    /// The legacy session that has a child for itself.
    pub session: Option<Arc<str>>,
}

/// A place for a child.
#[derive(Debug)]
pub struct Slot {
    key: ChildKey,
    pub(super) principal: Arc<Principal>,
    pub(super) profile: Profile,
    pub(super) subscribers: Arc<Subscribers>,
    pub(super) tokens: AuthorizingTokens,
    state: watch::Sender<SlotState>,
    /// Counts the children that were lost with what they knew of their sessions. Beside the state, as every call
    /// looks at it.
    epoch: AtomicU64,
    users: AtomicUsize,
    /// Whether a client ever used it.
    served: AtomicBool,
    last_used: Mutex<Instant>,
}

/// A reason for the slot's child to live; a clone is another reason.
#[derive(Debug)]
pub struct Seat {
    slot: Arc<Slot>,
    epoch: u64,
}

// === impl Slot ===

impl Slot {
    pub(super) fn new(key: ChildKey, principal: Arc<Principal>, profile: Profile) -> Self {
        Self {
            key,
            principal,
            profile: profile.detached(),
            subscribers: Arc::default(),
            tokens: AuthorizingTokens::default(),
            state: watch::Sender::new(SlotState::default()),
            epoch: AtomicU64::new(0),
            users: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            last_used: Mutex::new(Instant::now()),
        }
    }

    /// Whose child it is, and with which authority.
    #[must_use]
    pub fn key(&self) -> &ChildKey {
        &self.key
    }

    /// Who had it made.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Notes that this caller's token authorises the slot's child.
    pub fn vouch(&self, principal: &Arc<Principal>) {
        self.tokens.add(principal);
    }

    /// The running child, if there is one.
    #[must_use]
    pub fn child(&self) -> Option<Child> {
        self.state.borrow().child().cloned()
    }

    /// The running child and those that drain beside it.
    #[must_use]
    pub fn children(&self) -> Vec<Child> {
        self.state.borrow().children().cloned().collect()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.state.borrow().is_settled()
    }

    pub(super) fn is_starting(&self) -> bool {
        self.state.borrow().is_starting()
    }

    /// The child, once it is clear whether there is one; nothing, where one has just ended.
    pub(super) async fn settled(&self) -> Result<Option<Child>, Unavailable> {
        let mut state = self.state.subscribe();
        // The sender is our own, so that this cannot fail.
        let Ok(state) = state.wait_for(SlotState::is_settled).await else { return Ok(None) };
        state.failure().map_or_else(|| Ok(state.child().cloned()), |why| Err(why.clone()))
    }

    /// Somebody needs a child.
    pub(super) fn start(&self) -> Start {
        let mut start = Start::Waits;
        self.state.send_if_modified(|state| {
            start = state.start(Instant::now());
            start == Start::Granted
        });
        start
    }

    /// The child that was being started has introduced itself.
    pub(super) fn ready(&self, child: Child) -> Placement {
        let mut placement = Placement::Drains;
        self.state.send_modify(|state| placement = state.ready(child));
        placement
    }

    /// The start came to nothing.
    pub(super) fn failed(&self, cause: NotStarted) {
        self.state.send_modify(|state| state.failed(cause, Instant::now()));
    }

    /// The successor takes the child's place; sessions go on with it if it introduces itself alike.
    pub(super) fn replace(&self, old: &Child, successor: &Child) -> Placement {
        let (was, is) = (old.hello(), successor.hello());
        let alike = is.era() == Era::Modern
            || (was.version == is.version && was.capabilities.as_str() == is.capabilities.as_str());
        let mut placement = Placement::Drains;
        self.state.send_modify(|state| {
            placement = state.replace(old.number(), successor.clone());
            // Before anybody can see the successor, so that no session goes on with one that does not know it.
            if placement == Placement::Serves && !alike {
                self.lose_sessions();
            }
        });
        if placement == Placement::Serves && alike {
            let offered = |kind: &ListKind| is.offers(kind.capability());
            let lists = ListKind::ALL.into_iter().filter(offered);
            lists.for_each(|kind| self.subscribers.list_changed(kind));
        }
        placement
    }

    /// Takes the slot out of use; returns the child that has to be closed now.
    pub(super) fn retire(&self) -> Option<Child> {
        let mut child = None;
        self.state.send_modify(|state| child = state.retire());
        child
    }

    /// The child is no more. Nobody uses it or starts another before it is settled what that means.
    pub(super) fn ending(&self, child: &Child) {
        self.state.send_modify(|state| state.ending(child.number()));
    }

    /// It is settled what the child's end means; returns how many crashes there were in a row.
    pub(super) fn ended(&self, child: &Child, fate: &Fate) -> u32 {
        // Before anybody starts another one, so that no session goes on with a child that does not know it.
        if fate.loses_sessions() {
            self.lose_sessions();
        }
        let mut crashes = 0;
        self.state.send_modify(|state| crashes = state.ended(child.number(), fate, Instant::now()));
        crashes
    }

    /// Ends what the sessions of this slot rely on.
    fn lose_sessions(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.subscribers.gone();
    }

    /// Whether the slot was only ever warmed up, and for nobody.
    pub(super) fn is_spare(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0 && !self.served.load(Ordering::Acquire)
    }

    /// For how long nobody has used the slot.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        (self.users.load(Ordering::Acquire) == 0)
            .then(|| self.last_used.lock().unwrap_or_else(PoisonError::into_inner).elapsed())
    }
}

// === impl Seat ===

impl Seat {
    pub(super) fn take(slot: &Arc<Slot>) -> Self {
        slot.served.store(true, Ordering::Release);
        Self::warm(slot)
    }

    /// A seat that nobody asked for.
    pub(super) fn warm(slot: &Arc<Slot>) -> Self {
        slot.users.fetch_add(1, Ordering::AcqRel);
        Self { slot: Arc::clone(slot), epoch: slot.epoch.load(Ordering::Acquire) }
    }

    /// The slot.
    #[must_use]
    pub fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Those who listen to the slot's child.
    #[must_use]
    pub fn subscribers(&self) -> &Arc<Subscribers> {
        &self.slot.subscribers
    }

    /// Whether the child that this seat was taken for is lost, with all it knew.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.slot.epoch.load(Ordering::Acquire) != self.epoch
    }
}

impl Clone for Seat {
    fn clone(&self) -> Self {
        self.slot.users.fetch_add(1, Ordering::AcqRel);
        Self { slot: Arc::clone(&self.slot), epoch: self.epoch }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.slot.last_used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.slot.users.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::child::testing::{child, hello};
    use super::*;

    fn slot() -> Arc<Slot> {
        let principal = Arc::new(Principal::local());
        let user = principal.user().clone();
        let key = ChildKey { user, authority: "a".into(), session: None };
        Arc::new(Slot::new(key, principal, Profile::plain()))
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_child_that_another_one_starts() {
        let slot = slot();
        assert_eq!(slot.start(), Start::Granted);
        assert_eq!(slot.start(), Start::Waits);
        let waiting = tokio::spawn({
            let slot = Arc::clone(&slot);
            async move { slot.settled().await }
        });
        assert_eq!(slot.ready(child(1, hello(Era::Legacy))), Placement::Serves);
        assert_eq!(waiting.await.unwrap().unwrap().map(|child| child.number()), Some(1));
    }

    #[tokio::test]
    async fn seats_are_lost_with_a_legacy_child_that_crashed() {
        for (era, lost) in [(Era::Legacy, true), (Era::Modern, false)] {
            let (slot, child) = (slot(), child(1, hello(era)));
            let seat = Seat::take(&slot);
            assert_eq!(slot.start(), Start::Granted);
            slot.ready(child.clone());
            slot.ending(&child);
            assert!(slot.child().is_none() && !seat.is_lost());
            let how = "ended".to_owned();
            slot.ended(&child, &Fate::Crashed { how, lived: Duration::ZERO, era });
            assert_eq!(seat.is_lost(), lost, "{era:?}");
            assert!(!Seat::take(&slot).is_lost());
        }
    }

    #[tokio::test]
    async fn seats_go_on_with_a_successor_that_introduces_itself_alike() {
        let slot = slot();
        let seat = Seat::take(&slot);
        let legacy = |number| child(number, hello(Era::Legacy));
        let (first, second) = (legacy(1), legacy(2));
        assert_eq!(slot.start(), Start::Granted);
        slot.ready(first.clone());
        assert_eq!(slot.replace(&first, &second), Placement::Serves);
        assert!(!seat.is_lost());
        assert_eq!(slot.children().len(), 2, "the old one drains beside it");

        let mut other = hello(Era::Legacy);
        other.version = crate::mcp::ProtocolVersion::V2025_06_18;
        assert_eq!(slot.replace(&second, &child(3, other)), Placement::Serves);
        assert!(seat.is_lost());
    }
}
