//! How many processes there may be: a reservation lasts from before a process is started until nothing of it is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::auth::UserId;

/// The caps, and who uses them.
#[derive(Debug)]
pub(super) struct Capacity {
    most: usize,
    most_per_user: usize,
    counts: Mutex<Counts>,
    freed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_user: HashMap<UserId, usize>,
    /// Those of them that are about to come back.
    ending: HashMap<UserId, usize>,
}

/// The right to one process.
#[derive(Debug)]
pub(super) struct Reservation {
    capacity: Arc<Capacity>,
    user: UserId,
    is_ending: AtomicBool,
}

/// Why there is no reservation.
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
        Arc::new(Self { most, most_per_user, counts: Mutex::default(), freed: Arc::default() })
    }

    /// A reservation for one more process of this user.
    pub(super) fn take(self: &Arc<Self>, user: &UserId) -> Result<Reservation, Full> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.by_user.get(user).is_some_and(|own| *own >= self.most_per_user) {
            return Err(Full::User);
        }
        if counts.all >= self.most {
            return Err(Full::All);
        }
        Ok(self.note(&mut counts, user))
    }

    /// A reservation for the successor of a process that is about to end, which the caps do not hold up.
    pub(super) fn succeed(self: &Arc<Self>, user: &UserId) -> Reservation {
        self.note(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner), user)
    }

    fn note(self: &Arc<Self>, counts: &mut Counts, user: &UserId) -> Reservation {
        counts.all += 1;
        *counts.by_user.entry(user.clone()).or_default() += 1;
        Reservation {
            capacity: Arc::clone(self),
            user: user.clone(),
            is_ending: AtomicBool::new(false),
        }
    }

    /// Whether a reservation is about to come back that would help this user.
    pub(super) fn is_freeing(&self, full: Full, user: &UserId) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match full {
            Full::User => counts.ending.contains_key(user),
            Full::All => !counts.ending.is_empty(),
        }
    }

    /// Resolves at the next return of a reservation after this call.
    pub(super) fn freed(&self) -> OwnedNotified {
        Arc::clone(&self.freed).notified_owned()
    }
}

// === impl Reservation ===

impl Reservation {
    /// Notes that the process is ending, so that whoever needs a place waits for this one.
    pub(super) fn ending(&self) {
        let mut counts = self.capacity.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_ending.swap(true, Ordering::Relaxed) {
            *counts.ending.entry(self.user.clone()).or_default() += 1;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut counts = self.capacity.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        take_one(&mut counts.by_user, &self.user);
        if *self.is_ending.get_mut() {
            take_one(&mut counts.ending, &self.user);
        }
        drop(counts);
        self.capacity.freed.notify_waiters();
    }
}

fn take_one(counts: &mut HashMap<UserId, usize>, user: &UserId) {
    if let Some(count) = counts.get_mut(user) {
        *count -= 1;
        if *count == 0 {
            counts.remove(user);
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
        let first = capacity.take(&user("alice")).unwrap();
        let _second = capacity.take(&user("alice")).unwrap();
        assert_eq!(capacity.take(&user("alice")).unwrap_err(), Full::User);
        let _bob = capacity.take(&user("bob")).unwrap();
        assert_eq!(capacity.take(&user("carol")).unwrap_err(), Full::All);
        let successor = capacity.succeed(&user("alice"));
        drop(first);
        assert_eq!(capacity.take(&user("carol")).unwrap_err(), Full::All, "a successor counts");
        successor.ending();
        successor.ending();
        assert!(capacity.is_freeing(Full::All, &user("carol")));
        assert!(!capacity.is_freeing(Full::User, &user("carol")));
        drop(successor);
        assert!(!capacity.is_freeing(Full::All, &user("carol")));
        assert!(capacity.take(&user("carol")).is_ok());
    }
}
