//! Calls of legacy servers that wait for a modern client's answers: the conversation stays here while the
//! client has only a sealed name for it (checklist 5.8, 5.11, 5.17, 5.19).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::auth::UserId;
use crate::gate::Call;
use crate::hex;

/// Calls of one user that may wait at a time.
const MOST_PER_USER: usize = 64;
/// Calls of all users that may wait at a time.
const MOST: usize = 4096;

/// The calls that wait.
#[derive(Debug, Default)]
pub(super) struct SuspendedCalls {
    all: Mutex<HashMap<String, Waiting>>,
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    user: UserId,
    round: u32,
    until: Instant,
    pub(super) call: Call,
}

/// There is no room for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl SuspendedCalls {
    /// Keeps a call under a fresh name.
    pub(super) fn put(
        &self,
        user: &UserId,
        round: u32,
        lifetime: Duration,
        call: Call,
    ) -> Result<String, Crowded> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| Crowded)?;
        let name = hex::encode(&bytes);
        let mut all = self.lock();
        let own = all.values().filter(|waiting| waiting.user == *user).count();
        if own >= MOST_PER_USER || all.len() >= MOST {
            return Err(Crowded);
        }
        let until = Instant::now() + lifetime;
        all.insert(name.clone(), Waiting { user: user.clone(), round, until, call });
        Ok(name)
    }

    /// Takes a call out; a state serves once (checklist 5.11).
    pub(super) fn take(&self, name: &str, user: &UserId, round: u32) -> Option<Waiting> {
        let mut all = self.lock();
        let waiting = all.get(name)?;
        if waiting.user != *user || waiting.round != round || waiting.until < Instant::now() {
            return None;
        }
        all.remove(name)
    }

    /// Puts a call back that was taken out for answers that cannot be used (checklist 5.12).
    pub(super) fn put_back(&self, name: String, waiting: Waiting) {
        self.lock().insert(name, waiting);
    }

    /// Cancels what has waited for too long.
    pub(super) fn expire(&self) {
        let now = Instant::now();
        self.lock().retain(|_, waiting| waiting.until >= now);
    }

    pub(super) fn close_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
