//! What is under way in one child, in calls and in bytes: no user's clients can make mcpwrap as large as they like.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Parameters of all calls under way; a single call may be larger, as far as a body may be.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Calls under way, and how much they hold.
#[derive(Debug)]
pub(super) struct Load {
    calls: AtomicUsize,
    bytes: AtomicUsize,
    most_calls: usize,
}

/// There is no room for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

// === impl Load ===

impl Load {
    pub(super) fn new(most_calls: usize) -> Self {
        Self { calls: AtomicUsize::new(0), bytes: AtomicUsize::new(0), most_calls }
    }

    /// Adds a call of this many bytes.
    pub(super) fn add(&self, bytes: usize) -> Result<(), Busy> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = held == 0 || held.saturating_add(bytes) <= MOST_BYTES;
        if calls < self.most_calls && fits {
            return Ok(());
        }
        self.remove(bytes);
        Err(Busy)
    }

    /// Adds one of the bridge's own requests, which are few and small.
    pub(super) fn add_own(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes away what was added.
    pub(super) fn remove(&self, bytes: usize) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_bytes_are_bounded() {
        let load = Load::new(3);
        load.add(2 * MOST_BYTES).unwrap();
        assert_eq!(load.add(1), Err(Busy), "beside a huge one there is room for none");
        load.remove(2 * MOST_BYTES);
        load.add(MOST_BYTES - 1).unwrap();
        load.add(1).unwrap();
        assert_eq!(load.add(1), Err(Busy));
        load.remove(1);
        load.add(0).unwrap();
        load.add_own();
        assert_eq!(load.add(0), Err(Busy));
    }
}
