//! One place for a child: who may use it, what it was told, and the child that sits there now.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::child::{Child, Subscribers};
use super::authorizing_tokens::AuthorizingTokens;
use super::slot_state::{Fate, NotStarted, Placement, SlotState, Start};
use super::unavailable::Unavailable;
use crate::auth::{Principal, UserId};
use crate::server::Profile;

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
    /// Those who want the slot to stay.
    seats: AtomicUsize,
    /// Those of them who also want its child to stay.
    working: AtomicUsize,
    /// Whether a client ever used it.
    served: AtomicBool,
    last_used: Mutex<Instant>,
}

/// A reason for the slot to stay, and for its child where that is needed; a clone is another one.
#[derive(Debug)]
pub struct Seat {
    slot: Arc<Slot>,
    keeps: Keeps,
}

/// What a seat keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// The slot alone: its child may go, and the next call starts another.
    Slot,
    /// Its child as well.
    Child,
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
            seats: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
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
    pub(super) fn ready(&self, child: &Child) -> Placement {
        let mut placement = Placement::Drains;
        self.state.send_modify(|state| {
            placement = state.ready(child.clone());
            self.tell_of(placement, child);
        });
        placement
    }

    /// The start came to nothing.
    pub(super) fn failed(&self, cause: NotStarted) {
        self.state.send_modify(|state| state.failed(cause, Instant::now()));
    }

    /// Nobody waits for the child any more that was to be started.
    pub(super) fn vacate(&self) {
        self.state.send_modify(SlotState::vacate);
    }

    /// The successor takes the child's place.
    pub(super) fn replace(&self, old: &Child, successor: &Child) -> Placement {
        let mut placement = Placement::Drains;
        self.state.send_modify(|state| {
            placement = state.replace(old.number(), successor.clone());
            self.tell_of(placement, successor);
        });
        placement
    }

    /// Lets those know of a child who know of one before it. Called before anybody can see it, so that nobody hears of
    /// it who came for it.
    fn tell_of(&self, placement: Placement, child: &Child) {
        if placement == Placement::Serves {
            self.subscribers.restarted(child.hello());
        }
    }

    /// Takes the child out where nobody needs it now; returns it to be closed.
    pub(super) fn rest(&self) -> Option<Child> {
        let mut child = None;
        self.state.send_if_modified(|state| {
            // Whoever needs it says so before he looks for it, so that he finds another one being started.
            let needed = self.working.load(Ordering::Acquire) > 0
                || state.child().is_some_and(Child::is_asking);
            child = if needed { None } else { state.drain() };
            child.is_some()
        });
        child
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
        match fate {
            Fate::Closed => {}
            // Sessions wait for their next call; a subscription has none, so it asks for a child itself.
            Fate::Crashed { .. } => self.subscribers.lost(),
            Fate::Withdrawn => self.subscribers.gone(),
        }
        let mut crashes = 0;
        self.state.send_modify(|state| crashes = state.ended(child.number(), fate, Instant::now()));
        crashes
    }

    /// Whether it was taken out of use; whoever has a seat in it still gets no child any more.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.state.borrow().is_retired()
    }

    /// Resolves when there is a child.
    pub async fn occupied(&self) {
        // The sender is our own, so that this cannot fail.
        let _ = self.state.subscribe().wait_for(|state| state.child().is_some()).await;
    }

    /// Resolves when there is a child, or it is clear why there is none.
    pub async fn decided(&self) {
        let decided = |state: &SlotState| state.child().is_some() || state.failure().is_some();
        let _ = self.state.subscribe().wait_for(decided).await;
    }

    /// Whether anybody uses its child, or waits for it; a session without calls does not.
    pub(super) fn is_wanted(&self) -> bool {
        self.working.load(Ordering::Acquire) > 0
    }

    /// Whether the slot was only ever warmed up, and for nobody.
    pub(super) fn is_spare(&self) -> bool {
        self.is_free() && !self.served.load(Ordering::Acquire)
    }

    /// Whether nobody has a seat in it.
    pub(super) fn is_free(&self) -> bool {
        self.seats.load(Ordering::Acquire) == 0
    }

    /// For how long nobody has needed its child.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        (self.working.load(Ordering::Acquire) == 0)
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
        Self::of(slot, Keeps::Child)
    }

    fn of(slot: &Arc<Slot>, keeps: Keeps) -> Self {
        slot.seats.fetch_add(1, Ordering::AcqRel);
        if keeps == Keeps::Child {
            // While nobody can take the child out: see `Slot::rest`.
            let _state = slot.state.borrow();
            slot.working.fetch_add(1, Ordering::AcqRel);
        }
        Self { slot: Arc::clone(slot), keeps }
    }

    /// A seat that keeps the slot, whatever becomes of its child.
    #[must_use]
    pub fn resting(&self) -> Self {
        Self::of(&self.slot, Keeps::Slot)
    }

    /// A seat for as long as the child has something to do.
    #[must_use]
    pub fn working(&self) -> Self {
        Self::of(&self.slot, Keeps::Child)
    }

    /// Whether it keeps the slot alone.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.keeps == Keeps::Slot
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
}

impl Clone for Seat {
    fn clone(&self) -> Self {
        Self::of(&self.slot, self.keeps)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.keeps == Keeps::Child {
            *self.slot.last_used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            self.slot.working.fetch_sub(1, Ordering::AcqRel);
        }
        self.slot.seats.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::child::Role;
    use super::super::super::child::testing::{child, hello};
    use super::super::super::event::Notice;
    use super::super::slot_state::Worth;
    use super::*;
    use crate::limits::Account;
    use crate::mcp::{Era, Raw};

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
        assert_eq!(slot.ready(&child(1, hello(Era::Legacy))), Placement::Serves);
        assert_eq!(waiting.await.unwrap().unwrap().map(|child| child.number()), Some(1));
    }

    #[tokio::test]
    async fn a_child_rests_unless_somebody_works_with_it() {
        let slot = slot();
        let session = Seat::take(&slot).resting();
        assert_eq!(slot.start(), Start::Granted);
        slot.ready(&child(1, hello(Era::Legacy)));
        let call = session.working();
        assert!(slot.rest().is_none() && slot.idle_for().is_none());
        drop(call);
        assert_eq!(slot.rest().map(|child| child.number()), Some(1));
        assert!(slot.child().is_none() && !slot.is_free() && !slot.is_retired());
        assert_eq!(slot.start(), Start::Granted, "the session has the next one");
    }

    #[tokio::test]
    async fn a_crash_ends_subscriptions_and_a_withdrawal_all() {
        let slot = slot();
        let session = slot
            .subscribers
            .join(Role::Session { capabilities: Raw::empty_object() }, &Account::unlimited());
        let listen =
            slot.subscribers.join(Role::Listen { lists: Vec::new() }, &Account::unlimited());
        let (how, lived, worth) = ("ended".to_owned(), Duration::ZERO, Worth::Nothing);
        let crash = Fate::Crashed { how, lived, worth };
        slot.ended(&child(1, hello(Era::Legacy)), &crash);
        assert!(session.mailbox().take().is_none());
        assert!(matches!(listen.mailbox().take(), Some(Notice::Gone)));
        slot.ended(&child(2, hello(Era::Legacy)), &Fate::Withdrawn);
        assert!(matches!(session.mailbox().take(), Some(Notice::Gone)));
    }

    #[tokio::test]
    async fn whoever_knew_a_child_hears_of_the_next() {
        let slot = slot();
        let session = slot
            .subscribers
            .join(Role::Session { capabilities: Raw::empty_object() }, &Account::unlimited());
        assert_eq!(slot.start(), Start::Granted);
        let first = child(1, hello(Era::Legacy));
        slot.ready(&first);
        assert!(matches!(session.mailbox().take(), Some(Notice::Restarted)));
        assert_eq!(slot.replace(&first, &child(2, hello(Era::Legacy))), Placement::Serves);
        assert!(matches!(session.mailbox().take(), Some(Notice::Restarted)));
        assert_eq!(slot.children().len(), 2, "the old one drains beside it");
    }
}
