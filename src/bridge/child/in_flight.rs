//! What is under way in one child, in calls and in bytes: no user's clients can make mcpwrap as large as they like.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::{Account, CALL};

/// Parameters of all calls under way; a single call may be larger, as far as a body may be.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Calls under way, and how much they hold.
#[derive(Debug)]
pub(super) struct InFlight {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    most_calls: usize,
    /// Whose calls they are.
    account: Arc<Account>,
}

/// There is no room for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// One of what may be in flight; dropping it gives it back.
#[derive(Debug)]
pub struct Share(Arc<InFlight>);

// === impl InFlight ===

impl InFlight {
    pub(super) fn new(most_calls: usize, account: Arc<Account>) -> Self {
        Self { calls: AtomicUsize::new(0), bytes: AtomicUsize::new(0), most_calls, account }
    }

    /// Whose calls they are.
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Adds a call of this many bytes.
    pub(super) fn add(&self, bytes: usize) -> Result<(), Busy> {
        // Whether there is room was asked at the door.
        self.account.add(CALL);
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = bytes == 0 || held == 0 || held.saturating_add(bytes) <= MOST_BYTES;
        if calls < self.most_calls && fits {
            return Ok(());
        }
        self.remove(bytes);
        Err(Busy)
    }

    /// Adds one of the bridge's own requests, which are few and small.
    pub(super) fn add_own(&self) {
        self.account.add(CALL);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// One more, for as long as it is kept.
    pub(super) fn share(this: &Arc<Self>) -> Option<Share> {
        this.add(0).ok().map(|()| Share(Arc::clone(this)))
    }

    /// Takes away what was added.
    pub(super) fn remove(&self, bytes: usize) {
        self.account.remove(CALL);
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    /// What was under way when the child ended is not taken away one by one.
    fn drop(&mut self) {
        self.account.remove(CALL * *self.calls.get_mut());
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(most_calls: usize) -> InFlight {
        InFlight::new(most_calls, Account::unlimited())
    }

    #[test]
    fn calls_and_bytes_are_bounded() {
        let in_flight = of(3);
        in_flight.add(2 * MOST_BYTES).unwrap();
        assert_eq!(in_flight.add(1), Err(Busy), "beside a huge one there is room for none");
        in_flight.remove(2 * MOST_BYTES);
        in_flight.add(MOST_BYTES - 1).unwrap();
        in_flight.add(1).unwrap();
        assert_eq!(in_flight.add(1), Err(Busy));
        in_flight.remove(1);
        in_flight.add(0).unwrap();
        in_flight.add_own();
        assert_eq!(in_flight.add(0), Err(Busy));
    }

    #[test]
    fn a_share_comes_back() {
        let in_flight = Arc::new(of(1));
        let share = InFlight::share(&in_flight).unwrap();
        assert!(InFlight::share(&in_flight).is_none());
        assert_eq!(in_flight.account().held(), CALL, "who got none is charged nothing");
        drop(share);
        assert_eq!(in_flight.account().held(), 0);
        assert!(InFlight::share(&in_flight).is_some());
    }
}
