//! How many processes there may be: a user's share comes first, then a place among all, which lasts from before a process
//! is started until nothing of it is left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

use crate::auth::UserId;

/// The caps, and who uses them.
#[derive(Debug)]
pub(super) struct Capacity {
    most: usize,
    most_per_user: usize,
    counts: Mutex<Counts>,
    freed: Arc<Notify>,
    /// Held by the one start that looks for a place, so that no two make room for the same.
    pub(super) looking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Counts {
    all: OfPhases,
    /// When a process last began, was ready, ended or was gone.
    changed: Instant,
    by_user: HashMap<UserId, OfUser>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfUser {
    shares: usize,
    places: OfPhases,
}

/// How many there are in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OfPhases {
    pub(super) starting: usize,
    pub(super) running: usize,
    /// About to come back.
    pub(super) ending: usize,
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Ending,
}

/// A part of what one user may have.
#[derive(Debug)]
pub(super) struct Share {
    capacity: Arc<Capacity>,
    user: UserId,
}

/// The right to one process.
#[derive(Debug)]
pub(super) struct Reservation {
    /// Comes back after the place.
    share: Share,
    phase: Mutex<Phase>,
}

/// Whose processes are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The user has as many processes as one user may have.
    User,
    /// All users together have as many as there may be.
    All,
}

// === impl Capacity ===

impl Capacity {
    pub(super) fn new(most: usize, most_per_user: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_user,
            counts: Mutex::new(Counts {
                all: OfPhases::default(),
                changed: Instant::now(),
                by_user: HashMap::new(),
            }),
            freed: Arc::default(),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// A share for one more process of this user, if he may have one.
    pub(super) fn share(self: &Arc<Self>, user: &UserId) -> Option<Share> {
        let mut counts = self.lock();
        let own = counts.by_user.get(user).map_or(0, |own| own.shares);
        (own < self.most_per_user).then(|| self.note(&mut counts, user))
    }

    /// A reservation for the successor of a process that is about to end, which the caps do not hold up.
    pub(super) fn succeed(self: &Arc<Self>, user: &UserId) -> Reservation {
        let mut counts = self.lock();
        let share = self.note(&mut counts, user);
        share.reserve(&mut counts)
    }

    /// The processes of all users, or of one.
    pub(super) fn count(&self, full: Full, user: &UserId) -> OfPhases {
        let counts = self.lock();
        match full {
            Full::User => counts.by_user.get(user).map_or_else(OfPhases::default, |own| own.places),
            Full::All => counts.all,
        }
    }

    /// When a process last began, was ready, ended or was gone.
    pub(super) fn changed(&self) -> Instant {
        self.lock().changed
    }

    /// Resolves at the next return of a share after this call.
    pub(super) fn freed(&self) -> OwnedNotified {
        Arc::clone(&self.freed).notified_owned()
    }

    fn note(self: &Arc<Self>, counts: &mut Counts, user: &UserId) -> Share {
        counts.by_user.entry(user.clone()).or_default().shares += 1;
        Share { capacity: Arc::clone(self), user: user.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Share ===

impl Share {
    /// A place among all; the share itself, where there is none.
    pub(super) fn enter(self) -> Result<Reservation, Self> {
        let capacity = Arc::clone(&self.capacity);
        let mut counts = capacity.lock();
        if counts.all.sum() >= capacity.most {
            return Err(self);
        }
        Ok(self.reserve(&mut counts))
    }

    pub(super) fn user(&self) -> &UserId {
        &self.user
    }

    pub(super) fn capacity(&self) -> &Arc<Capacity> {
        &self.capacity
    }

    fn reserve(self, counts: &mut Counts) -> Reservation {
        counts.change(&self.user, None, Some(Phase::Starting));
        Reservation { share: self, phase: Mutex::new(Phase::Starting) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.capacity.lock();
        if let Some(own) = counts.by_user.get_mut(&self.user) {
            own.shares -= 1;
            if own.shares == 0 {
                counts.by_user.remove(&self.user);
            }
        }
        drop(counts);
        self.capacity.freed.notify_waiters();
    }
}

// === impl Reservation ===

impl Reservation {
    /// Notes that another process is started in the same place, of whose last one nothing is left.
    pub(super) fn starting(&self) {
        self.enter(Phase::Starting);
    }

    /// Notes that the process is ready for work.
    pub(super) fn running(&self) {
        self.enter(Phase::Running);
    }

    /// Notes that the process is ending, so that whoever needs a place waits for this one.
    pub(super) fn ending(&self) {
        self.enter(Phase::Ending);
    }

    fn enter(&self, next: Phase) {
        let mut counts = self.share.capacity.lock();
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != Phase::Ending || next == Phase::Starting {
            counts.change(&self.share.user, Some(*phase), Some(next));
            *phase = next;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let phase = *self.phase.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.share.capacity.lock().change(&self.share.user, Some(phase), None);
    }
}

// === impl Counts ===

impl Counts {
    fn change(&mut self, user: &UserId, from: Option<Phase>, to: Option<Phase>) {
        self.changed = Instant::now();
        self.all.change(from, to);
        if let Some(own) = self.by_user.get_mut(user) {
            own.places.change(from, to);
        }
    }
}

// === impl OfPhases ===

impl OfPhases {
    fn sum(self) -> usize {
        self.starting + self.running + self.ending
    }

    fn change(&mut self, from: Option<Phase>, to: Option<Phase>) {
        if let Some(phase) = from {
            *self.of(phase) -= 1;
        }
        if let Some(phase) = to {
            *self.of(phase) += 1;
        }
    }

    fn of(&mut self, phase: Phase) -> &mut usize {
        match phase {
            Phase::Starting => &mut self.starting,
            Phase::Running => &mut self.running,
            Phase::Ending => &mut self.ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;

    fn user(name: &str) -> UserId {
        Principal::for_tests("https://idp.example", None, name, &[]).user().clone()
    }

    #[test]
    fn the_caps_hold_and_reservations_come_back() {
        let capacity = Capacity::new(3, 2);
        let take = |name| capacity.share(&user(name)).unwrap().enter();
        let first = take("alice").unwrap();
        let _second = take("alice").unwrap();
        assert!(capacity.share(&user("alice")).is_none());
        let _bob = take("bob").unwrap();
        assert!(take("carol").is_err());
        let successor = capacity.succeed(&user("alice"));
        drop(first);
        assert!(take("carol").is_err(), "a successor counts");
        successor.running();
        successor.ending();
        successor.ending();
        successor.running();
        let phases = |starting, running, ending| OfPhases { starting, running, ending };
        let count = |full, name| capacity.count(full, &user(name));
        assert_eq!(count(Full::All, "carol"), phases(2, 0, 1));
        assert_eq!(count(Full::User, "alice"), phases(1, 0, 1));
        assert_eq!(count(Full::User, "carol"), phases(0, 0, 0));
        // Greeted once more, with a process of its own.
        successor.starting();
        successor.running();
        assert_eq!(
            count(Full::All, "carol"),
            phases(2, 1, 0),
            "whoever needs a place may have this one"
        );
        successor.ending();
        drop(successor);
        assert_eq!(count(Full::All, "carol"), phases(2, 0, 0));
        assert!(take("carol").is_ok());
    }
}
