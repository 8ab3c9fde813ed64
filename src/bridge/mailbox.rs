//! What happens to a call or a session, queued for whoever tells its client.
//!
//! A slow reader slows only itself: the loop that owns the child never waits for a mailbox. What may be lost
//! (progress, log) is dropped first; what may not is bounded by the protocol: one end and a few asks a call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limits::{Account, LARGE, Share};

/// How many droppable items wait before the newest is dropped.
const MOST_WAITING: usize = 256;
/// How many items of any kind wait; a reader that far behind is given up.
const MOST_OF_ALL: usize = 4096;

/// How many bytes of droppable items wait before the newest is dropped.
const MOST_BYTES_WAITING: usize = 4 * 1024 * 1024;
/// How many bytes of any kind but ends wait.
const MOST_BYTES_OF_ALL: usize = 64 * 1024 * 1024;

/// A bounded queue with one reader; pushing never waits.
#[derive(Debug)]
pub struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    bytes: usize,
    /// What its reader's user is charged for it, in grains of [`LARGE`]; nobody is for what nobody reads.
    share: Option<Share>,
}

/// What can be in a mailbox.
pub trait Weigh {
    /// About how many bytes it holds.
    fn weight(&self) -> usize;
}

/// What may happen to an item when its reader is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Dropped when many wait.
    IfRoom,
    /// Kept, unless the reader is so far behind that it is given up.
    Always,
    /// Kept in any case: nothing comes after it.
    End,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for its reader.
    Kept,
    /// There was no room for it.
    Dropped,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self::with(None)
    }
}

impl<T> Mailbox<T> {
    /// A mailbox whose reader has this account.
    pub fn charged_to(account: &Arc<Account>) -> Self {
        Self::with(Some(Share::of(account)))
    }

    fn with(share: Option<Share>) -> Self {
        let queue = Queue { items: VecDeque::new(), bytes: 0, share };
        Self { queue: Mutex::new(queue), arrived: Notify::new() }
    }
}

impl<T: Weigh> Mailbox<T> {
    /// Adds an item, or drops it when the reader is too far behind.
    pub fn push(&self, item: T, keep: Keep) -> Pushed {
        let mut queue = self.lock();
        let (most, most_bytes) = match keep {
            Keep::IfRoom => (MOST_WAITING, MOST_BYTES_WAITING),
            Keep::Always => (MOST_OF_ALL, MOST_BYTES_OF_ALL),
            Keep::End => (usize::MAX, usize::MAX),
        };
        // A single item may be larger, as far as a line may be.
        let fits = queue.items.is_empty() || (queue.items.len() < most && queue.bytes < most_bytes);
        if !(fits && queue.charge(item.weight(), keep)) {
            return Pushed::Dropped;
        }
        queue.items.push_back(item);
        drop(queue);
        self.arrived.notify_one();
        Pushed::Kept
    }

    /// The next item that is there already.
    pub fn take(&self) -> Option<T> {
        let mut queue = self.lock();
        let item = queue.items.pop_front()?;
        queue.discharge(item.weight());
        Some(item)
    }

    /// The next item; only one reader may wait.
    pub async fn next(&self) -> T {
        loop {
            if let Some(item) = self.take() {
                return item;
            }
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // Nothing that can panic runs under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Queue<T> {
    /// Whether this much more may wait; what ends a call was charged as a line before it came here, and goes in anyway.
    fn charge(&mut self, weight: usize, keep: Keep) -> bool {
        let bytes = self.bytes + weight;
        if let Some(share) = &mut self.share {
            match keep {
                Keep::End => share.set(in_grains(bytes)),
                Keep::IfRoom | Keep::Always => {
                    let more = in_grains(bytes) - in_grains(self.bytes);
                    if more > 0 && share.try_add(more).is_err() {
                        return false;
                    }
                }
            }
        }
        self.bytes = bytes;
        true
    }

    fn discharge(&mut self, weight: usize) {
        self.bytes -= weight;
        if let Some(share) = &mut self.share {
            share.set(in_grains(self.bytes));
        }
    }
}

/// The first grain is covered by what a call is charged anyhow.
fn in_grains(bytes: usize) -> usize {
    bytes - bytes % LARGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;
    use crate::limits::Accounts;

    impl Weigh for i32 {
        fn weight(&self) -> usize {
            usize::try_from(*self).unwrap_or_default()
        }
    }

    #[test]
    fn bytes_count_too() {
        let mailbox = Mailbox::default();
        for _ in 0..10 {
            mailbox.push(3_000_000, Keep::IfRoom);
        }
        mailbox.push(0, Keep::End);
        let seen = std::iter::from_fn(|| mailbox.take()).collect::<Vec<_>>();
        assert_eq!(seen, [3_000_000, 3_000_000, 0]);
        mailbox.push(1, Keep::IfRoom);
        assert_eq!(mailbox.take(), Some(1));
    }

    /// A reader that is that far behind is given up: all that it is still told is the end.
    #[test]
    fn what_must_not_be_lost_is_bounded_all_the_same() {
        let (many, large) = (Mailbox::default(), Mailbox::default());
        for _ in 0..MOST_OF_ALL + 10 {
            many.push(0, Keep::Always);
        }
        let third = i32::try_from(MOST_BYTES_OF_ALL / 3 + 1).unwrap();
        for _ in 0..10 {
            large.push(third, Keep::Always);
        }
        for (mailbox, kept) in [(&many, MOST_OF_ALL), (&large, 3)] {
            mailbox.push(-1, Keep::End);
            let seen = std::iter::from_fn(|| mailbox.take()).collect::<Vec<_>>();
            assert_eq!((seen.len(), seen.last()), (kept + 1, Some(&-1)));
        }
    }

    #[tokio::test]
    async fn progress_is_dropped_before_the_end_is() {
        let mailbox = Mailbox::default();
        for number in (0..10_000).map(|_| 1) {
            mailbox.push(number, Keep::IfRoom);
        }
        mailbox.push(-1, Keep::Always);
        let mut seen = Vec::new();
        while let Some(item) = mailbox.take() {
            seen.push(item);
        }
        assert_eq!(seen.len(), MOST_WAITING + 1);
        assert_eq!(seen.last(), Some(&-1));
    }

    #[test]
    fn what_waits_is_charged_and_only_an_end_goes_beyond() {
        let account = Accounts::of_many(usize::MAX, 1_000_000).of(Principal::local().user());
        let mailbox = Mailbox::charged_to(&account);
        mailbox.push(10, Keep::Always);
        assert_eq!(account.held(), 0, "the first grain is the call's own");
        for keep in [Keep::Always, Keep::IfRoom, Keep::Always] {
            mailbox.push(600_000, keep);
        }
        mailbox.push(2_000_000, Keep::End);
        assert!(account.held() > 2_600_000 - LARGE);
        let seen = std::iter::from_fn(|| mailbox.take()).collect::<Vec<_>>();
        assert_eq!(seen, [10, 600_000, 2_000_000]);
        assert_eq!(account.held(), 0);
        mailbox.push(600_000, Keep::IfRoom);
        drop(mailbox);
        assert_eq!(account.held(), 0);
    }
}
