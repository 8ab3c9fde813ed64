//! How many processes there may be: a permit is held from before a process is started until nothing of it is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, timeout};

use super::child::Child;
use super::pool::{STOP_SLACK, Shared};
use super::slot::{Retry, Slot, Unavailable};
use crate::auth::UserId;

/// What a client that found no room is told to wait.
const FULL_PAUSE: Duration = Duration::from_secs(10);
/// How soon a start that waits for a place looks again whether there is one.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The caps, and who uses them.
#[derive(Debug)]
pub(super) struct Capacity {
    most: usize,
    most_per_user: usize,
    held: Mutex<Held>,
    freed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_user: HashMap<UserId, usize>,
    /// Those of them that are about to come back.
    ending: HashMap<UserId, usize>,
}

/// The right to one process.
#[derive(Debug)]
pub(super) struct Permit {
    capacity: Arc<Capacity>,
    user: UserId,
    is_ending: AtomicBool,
}

/// Why there is no permit.
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
        Arc::new(Self { most, most_per_user, held: Mutex::default(), freed: Arc::default() })
    }

    /// A permit for one more process of this user.
    pub(super) fn take(self: &Arc<Self>, user: &UserId) -> Result<Permit, Full> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.by_user.get(user).is_some_and(|own| *own >= self.most_per_user) {
            return Err(Full::User);
        }
        if held.all >= self.most {
            return Err(Full::All);
        }
        Ok(self.note(&mut held, user))
    }

    /// A permit for the successor of a process that is about to end, which the caps do not hold up.
    pub(super) fn succeed(self: &Arc<Self>, user: &UserId) -> Permit {
        self.note(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner), user)
    }

    fn note(self: &Arc<Self>, held: &mut Held, user: &UserId) -> Permit {
        held.all += 1;
        *held.by_user.entry(user.clone()).or_default() += 1;
        Permit { capacity: Arc::clone(self), user: user.clone(), is_ending: AtomicBool::new(false) }
    }

    /// Whether a permit is about to come back that would help this user.
    fn is_freeing(&self, full: Full, user: &UserId) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match full {
            Full::User => held.ending.contains_key(user),
            Full::All => !held.ending.is_empty(),
        }
    }

    /// Resolves at the next return of a permit after this call.
    pub(super) fn freed(&self) -> OwnedNotified {
        Arc::clone(&self.freed).notified_owned()
    }
}

// === impl Permit ===

impl Permit {
    /// Notes that the process is ending, so that whoever needs a place waits for this one.
    pub(super) fn ending(&self) {
        let mut held = self.capacity.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_ending.swap(true, Ordering::Relaxed) {
            *held.ending.entry(self.user.clone()).or_default() += 1;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.capacity.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= 1;
        take_one(&mut held.by_user, &self.user);
        if *self.is_ending.get_mut() {
            take_one(&mut held.ending, &self.user);
        }
        drop(held);
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

// === impl Shared ===

impl Shared {
    /// A permit for a process in this slot. Where there is none, one that is about to come back is waited for, or an
    /// idle child makes room: of the same user, or of anybody.
    pub(super) async fn permit(&self, wanting: &Slot) -> Result<Permit, Unavailable> {
        let user = wanting.principal.user();
        let give_up = Instant::now() + self.settings.grace + STOP_SLACK;
        loop {
            let freed = self.capacity.freed();
            let full = match self.capacity.take(user) {
                Ok(permit) => return Ok(permit),
                Err(full) => full,
            };
            if !self.capacity.is_freeing(full, user) {
                match self.retire_idlest(user, full) {
                    Some(child) => child.close(),
                    None => return Err(too_many(full)),
                }
            }
            if Instant::now() >= give_up {
                return Err(too_many(full));
            }
            // Another start may have been faster, so that this is looked at again.
            let _ = timeout(LOOK_AGAIN, freed).await;
        }
    }

    /// Takes the slot out of use whose child nobody has used for longest.
    fn retire_idlest(&self, user: &UserId, full: Full) -> Option<Child> {
        let mut groups = self.lock();
        let slots = groups.values().flatten().filter(|slot| match full {
            Full::User => slot.principal.user() == user,
            Full::All => true,
        });
        let idle =
            slots.filter_map(|slot| slot.child().and_then(|_| Some((slot.idle_for()?, slot))));
        let (_, victim) = idle.max_by_key(|(unused, _)| *unused)?;
        let victim = Arc::clone(victim);
        groups.retain(|_, group| {
            group.retain(|slot| !Arc::ptr_eq(slot, &victim));
            !group.is_empty()
        });
        victim.retire()
    }
}

fn too_many(full: Full) -> Unavailable {
    let message = match full {
        Full::User => "you have too many server processes; close another client first",
        Full::All => "too many server processes are running; try again later",
    };
    Unavailable { message: message.to_owned(), retry: Retry::Time(Some(FULL_PAUSE)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;

    fn user(name: &str) -> UserId {
        Principal::for_tests("https://idp.example", None, name, &[]).user().clone()
    }

    #[test]
    fn the_caps_hold_and_permits_come_back() {
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
