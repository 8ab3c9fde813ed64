//! The account of one user, and the total that all share: two counters that only ever know sums.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Whoever holds no more than this is not refused for what others hold.
const FLOOR: usize = 1024 * 1024;

/// What one user holds, in bytes.
#[derive(Debug)]
pub struct Account {
    held: Counter,
    total: Arc<Total>,
}

/// What all users hold together.
#[derive(Debug)]
pub(super) struct Total {
    held: Counter,
    pressed: Notify,
}

#[derive(Debug)]
struct Counter {
    bytes: AtomicUsize,
    most: usize,
    /// Whether something was refused since somebody looked.
    refused: AtomicBool,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Short {
    /// In what one user may have.
    #[error(
        "what you have under way holds all the memory that one user may have (--memory-per-user): read or end \
         something first"
    )]
    User,
    /// In what all users may have.
    #[error(
        "what all users have under way holds all the memory there is for it (--memory): try again later"
    )]
    Total,
}

// === impl Account ===

impl Account {
    /// An account of this many bytes, of the total.
    pub(super) fn new(most: usize, total: Arc<Total>) -> Self {
        Self { held: Counter::new(most), total }
    }

    /// An account of which nothing is ever refused, for tests.
    #[cfg(test)]
    pub(crate) fn unlimited() -> Arc<Self> {
        Arc::new(Self::new(usize::MAX, Arc::new(Total::new(usize::MAX))))
    }

    /// Whether anything new may begin, of which `own` bytes are held already.
    ///
    /// # Errors
    /// Says whose memory is used up.
    pub fn admits(&self, own: usize) -> Result<(), Short> {
        let held = self.held.now().saturating_sub(own);
        if held >= self.held.most {
            return Err(self.refuse(Short::User));
        }
        match held > FLOOR && self.total.held.now().saturating_sub(own) >= self.total.held.most {
            true => Err(self.refuse(Short::Total)),
            false => Ok(()),
        }
    }

    /// How much is held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.now()
    }

    /// Whether what is held leaves room for one item of any size.
    #[must_use]
    pub fn is_at_ease(&self) -> bool {
        self.held.is_below_a_quarter(0) && self.total.held.now() <= self.total.held.most / 4 * 3
    }

    /// Whether something was refused, to this account or for want of any room at all, since this was asked last.
    pub(super) fn was_refused(&self) -> bool {
        self.held.refused.swap(false, Ordering::Relaxed)
    }

    /// Adds to an item that has `own` bytes already, where it fits.
    pub(super) fn try_add(&self, bytes: usize, own: usize) -> Result<(), Short> {
        let before = self.held.try_add(bytes, own).ok_or_else(|| self.refuse(Short::User))?;
        if before.saturating_add(bytes) <= FLOOR {
            self.total.held.add(bytes);
        } else if self.total.held.try_add(bytes, own).is_none() {
            self.held.remove(bytes);
            return Err(self.refuse(Short::Total));
        }
        Ok(())
    }

    /// Adds what is there already.
    pub fn add(&self, bytes: usize) {
        self.held.add(bytes);
        self.total.held.add(bytes);
    }

    /// Takes away what was added.
    pub fn remove(&self, bytes: usize) {
        self.held.remove(bytes);
        self.total.held.remove(bytes);
    }

    fn refuse(&self, short: Short) -> Short {
        let counter = match short {
            Short::User => &self.held,
            Short::Total => &self.total.held,
        };
        counter.refused.store(true, Ordering::Relaxed);
        self.total.pressed.notify_one();
        short
    }
}

// === impl Total ===

impl Total {
    pub(super) fn new(most: usize) -> Self {
        Self { held: Counter::new(most), pressed: Notify::new() }
    }

    pub(super) fn was_refused(&self) -> bool {
        self.held.refused.swap(false, Ordering::Relaxed)
    }

    pub(super) async fn pressed(&self) {
        self.pressed.notified().await;
    }
}

// === impl Counter ===

impl Counter {
    fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most, refused: AtomicBool::new(false) }
    }

    fn now(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn is_below_a_quarter(&self, own: usize) -> bool {
        self.now().saturating_sub(own) <= self.most / 4
    }

    /// How much there was before; nothing, where it does not fit.
    fn try_add(&self, bytes: usize, own: usize) -> Option<usize> {
        let add = |held: usize| {
            let after = held.saturating_add(bytes);
            let alone = held.saturating_sub(own) <= self.most / 4;
            (after <= self.most || alone).then_some(after)
        };
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
