//! One place for a child: who may use it, what it was told, and the child that sits there now.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::audience::Subscribers;
use super::child::Child;
use super::warrants::Warrants;
use crate::auth::{Principal, UserId};
use crate::server::Profile;

/// A child that lived at least this long did not crash at once.
const STABLE_AFTER: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Whose child (DESIGN.md section 5); the profile is the slot's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildKey {
    /// The user.
    pub user: UserId,
    /// A digest of what the child may do beyond being the user.
    pub authority: Arc<str>,
    /// The legacy session that has a child for itself.
    pub session: Option<Arc<str>>,
}

/// Why there is no child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// One sentence for the client.
    pub message: String,
    /// What has to happen before there is one.
    pub retry: Retry,
}

/// What has to happen before a child can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may pass by itself, after this time where it is known.
    Time(Option<Duration>),
    /// Somebody has to do what the message says.
    People,
}

/// A place for a child.
#[derive(Debug)]
pub struct Slot {
    key: ChildKey,
    pub(super) principal: Arc<Principal>,
    pub(super) profile: Profile,
    pub(super) audience: Arc<Subscribers>,
    pub(super) current: watch::Sender<Current>,
    pub(super) warrants: Warrants,
    /// Counts the children that were lost with what they knew of their sessions.
    epoch: AtomicU64,
    users: AtomicUsize,
    /// Whether a client ever used it.
    served: AtomicBool,
    /// Whether it was taken out of the pool; a child that is still starting is closed when it is there.
    retired: AtomicBool,
    record: Mutex<Record>,
}

/// What sits in the slot.
#[derive(Clone, Debug)]
pub(super) enum Current {
    Empty,
    Starting,
    Ready(Child),
    /// The child has ended, and what follows from that is being settled.
    Ending,
    Failed {
        why: Unavailable,
        until: Instant,
    },
}

#[derive(Debug)]
struct Record {
    failures: u32,
    last_used: Instant,
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
            profile,
            audience: Arc::default(),
            current: watch::Sender::new(Current::Empty),
            warrants: Warrants::default(),
            epoch: AtomicU64::new(0),
            users: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            record: Mutex::new(Record { failures: 0, last_used: Instant::now() }),
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
        self.warrants.add(principal);
    }

    /// The running child, if there is one.
    #[must_use]
    pub fn child(&self) -> Option<Child> {
        match &*self.current.borrow() {
            Current::Ready(child) if !child.is_closed() => Some(child.clone()),
            _ => None,
        }
    }

    /// Takes the right to start a child, unless there is one or somebody else has it.
    pub(super) fn begin(&self) -> Result<(), Current> {
        let mut refused = None;
        self.current.send_if_modified(|current| {
            let free = match current {
                Current::Empty => true,
                Current::Ready(child) => child.is_closed(),
                Current::Failed { until, .. } => Instant::now() >= *until,
                Current::Starting | Current::Ending => false,
            };
            if free {
                *current = Current::Starting;
            } else {
                refused = Some(current.clone());
            }
            free
        });
        refused.map_or(Ok(()), Err)
    }

    /// Notes that a child ended although nobody wanted it to, and returns how long the next one has to wait.
    pub(super) fn crashed(&self, lived: Duration) -> (u32, Duration) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.failures = if lived >= STABLE_AFTER { 1 } else { record.failures + 1 };
        let wait = match record.failures {
            0 | 1 => Duration::ZERO,
            many => Duration::from_secs(1 << (many - 2).min(5)).min(LONGEST_BACKOFF),
        };
        (record.failures, wait)
    }

    /// Ends what the sessions of this slot rely on.
    pub(super) fn lose_sessions(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.audience.gone();
    }

    /// Takes the slot out of use; returns the child that has to be closed now.
    pub(super) fn retire(&self) -> Option<Child> {
        self.retired.store(true, Ordering::Release);
        self.child()
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Whether the slot was only ever warmed up, and for nobody.
    pub(super) fn is_spare(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0 && !self.served.load(Ordering::Acquire)
    }

    /// For how long nobody has used the slot.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        (self.users.load(Ordering::Acquire) == 0).then(|| {
            let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.last_used.elapsed()
        })
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
        &self.slot.audience
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
        self.slot.record.lock().unwrap_or_else(PoisonError::into_inner).last_used = Instant::now();
        self.slot.users.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        let principal = Arc::new(Principal::local());
        let user = principal.user().clone();
        let key = ChildKey { user, authority: "a".into(), session: None };
        Slot::new(key, principal, Profile::plain())
    }

    #[tokio::test]
    async fn crash_loops_back_off_and_a_stable_run_forgives() {
        let slot = slot();
        let quick = Duration::from_millis(5);
        let waits: Vec<u64> = (0..9).map(|_| slot.crashed(quick).1.as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(slot.crashed(STABLE_AFTER), (1, Duration::ZERO));
    }

    #[tokio::test]
    async fn a_child_is_started_by_one_only() {
        let slot = slot();
        assert!(slot.begin().is_ok());
        assert!(matches!(slot.begin(), Err(Current::Starting)));
    }
}
