//! How much of the disk a home may use: looked after while a child runs, and before one starts where it was too much.
//!
//! The disk is asked often, which costs next to nothing; the homes are measured when it has become fuller by a part of
//! what one may hold, and from time to time. A child whose home holds too much is stopped, because the disk is everybody's.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytesize::ByteSize;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::process::home::{self, Home};

/// How often the disk is asked.
const ROUND: Duration = Duration::from_millis(200);
/// After this the homes are measured even if the disk has not become fuller: others may have freed what one took.
const MEASURED_AFTER: Duration = Duration::from_secs(10);
/// The homes are measured when this part of what one may hold is gone from the disk.
const PART: u64 = 16;

/// The limit, and which homes have been beyond it; a clone is the same.
#[derive(Clone, Debug)]
pub struct HomeLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state_dir: PathBuf,
    most: u64,
    due: watch::Sender<()>,
    /// One home at a time: measuring is for the disk what a child's own work is.
    turn: Semaphore,
    exceeded: Mutex<HashMap<PathBuf, Exceeded>>,
}

/// How far it is with a home that held too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exceeded {
    /// Its child is being stopped, and what nobody may rely on is removed then.
    Clearing,
    /// That is done.
    Cleared,
}

/// A home holds too much.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the user's home holds more than the {} of --home-size", ByteSize(*most))]
pub struct Full {
    /// How many bytes it may hold.
    most: u64,
}

/// The home of a running child.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    home: Home,
    limit: HomeLimit,
}

// === impl HomeLimit ===

impl HomeLimit {
    /// So many bytes for each home below `state_dir`.
    #[must_use]
    pub fn new(state_dir: PathBuf, most: u64) -> Self {
        let (turn, exceeded) = (Semaphore::new(1), Mutex::default());
        Self(Arc::new(Inner { state_dir, most, due: watch::Sender::default(), turn, exceeded }))
    }

    /// Looks at the disk, for ever.
    pub async fn watch(self) {
        let Inner { state_dir, most, due, .. } = &*self.0;
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut free, mut measured) = (0, Instant::now());
        loop {
            rounds.tick().await;
            if due.receiver_count() == 0 {
                continue;
            }
            let now = home::free_space(state_dir).unwrap_or_default();
            if free > now.saturating_add(most / PART) || measured.elapsed() >= MEASURED_AFTER {
                (free, measured) = (now, Instant::now());
                due.send_replace(());
            }
            free = free.max(now);
        }
    }

    pub(super) fn most(&self) -> u64 {
        self.0.most
    }

    /// Watches a home, unless it held too much and still does. Blocks.
    pub(super) fn admit(&self, home: &Home) -> Result<Watched, Full> {
        let found = self.exceeded().get(&home.home).copied();
        let refused = match found {
            None => false,
            Some(Exceeded::Clearing) => true,
            Some(Exceeded::Cleared) => home.exceeds(self.0.most),
        };
        if refused {
            return Err(Full { most: self.0.most });
        }
        self.exceeded().remove(&home.home);
        Ok(Watched { home: home.clone(), limit: self.clone() })
    }

    fn exceeded(&self) -> MutexGuard<'_, HashMap<PathBuf, Exceeded>> {
        self.0.exceeded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watched ===

impl Watched {
    /// Resolves when the home holds too much, and says so.
    pub(super) async fn is_full(&self) -> String {
        let Inner { most, due, turn, .. } = &*self.limit.0;
        let mut due = due.subscribe();
        loop {
            let turn = turn.acquire().await;
            let (home, most) = (self.home.clone(), *most);
            let measured = tokio::task::spawn_blocking(move || home.exceeds(most)).await;
            drop(turn);
            if measured.unwrap_or_default() {
                self.limit.exceeded().insert(self.home.home.clone(), Exceeded::Clearing);
                return Full { most }.to_string();
            }
            if due.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Gives back what nobody may rely on, after the end of the child.
    pub(super) async fn clear(self) {
        let Self { home, limit } = self;
        let path = home.home.clone();
        let cleared = tokio::task::spawn_blocking(move || home.clear_scratch()).await;
        if let Ok(Err(error)) = cleared {
            tracing::warn!(%error, home = %path.display(), "cannot clear a home that holds too much");
        }
        limit.exceeded().insert(path, Exceeded::Cleared);
    }
}

/// Resolves when the home of a child holds too much, and says so.
pub(super) async fn is_full(watched: Option<&Watched>) -> String {
    match watched {
        Some(watched) => watched.is_full().await,
        None => std::future::pending().await,
    }
}
