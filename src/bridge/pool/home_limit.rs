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

use crate::process::Tree;
use crate::process::home::{self, Home};

/// How often the disk is asked.
const ROUND: Duration = Duration::from_millis(200);
/// After this the homes are measured even if the disk has not become fuller: others may have freed what one took.
const MEASURED_AFTER: Duration = Duration::from_secs(10);
/// The homes are measured when this part of what one may hold is gone from the disk.
const PART: u64 = 16;
/// What a user's homes may hold together, in homes.
const MANY: u64 = 4;

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
    /// Those that a child uses, or that held too much.
    homes: Mutex<HashMap<PathBuf, Used>>,
}

/// A home that is used, or held too much.
#[derive(Debug, Default)]
struct Used {
    children: usize,
    held: Held,
}

/// How far it is with what a home holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    /// As far as is known, no more than it may.
    #[default]
    Within,
    /// Too much: its children are being stopped, and what nobody may rely on is removed when the last has ended.
    TooMuch,
    /// That is done.
    Cleared,
}

/// There is no room for a child.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Full {
    /// A home holds too much.
    #[error("the user's home holds more than the {} of --home-size", ByteSize(*most))]
    Home {
        /// How many bytes it may hold.
        most: u64,
    },
    /// The homes of a user's authorities do.
    #[error("the user's homes together hold more than {MANY} times the {} of --home-size", ByteSize(*most))]
    User {
        /// How many bytes one may hold.
        most: u64,
    },
    /// Nobody may start when nothing is left for those who are there.
    #[error("the disk with the homes is full but for less than {}", ByteSize(*floor))]
    Disk {
        /// How many bytes must be left.
        floor: u64,
    },
}

/// The home of a running child, one for each of its children.
#[derive(Debug)]
pub(super) struct Watched {
    home: Home,
    limit: HomeLimit,
}

// === impl HomeLimit ===

impl HomeLimit {
    /// So many bytes for each home below `state_dir`.
    #[must_use]
    pub fn new(state_dir: PathBuf, most: u64) -> Self {
        let (turn, homes) = (Semaphore::new(1), Mutex::default());
        Self(Arc::new(Inner { state_dir, most, due: watch::Sender::default(), turn, homes }))
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

    /// Refuses one more child where the disk is full, or the homes that its user has hold too much together. Blocks.
    pub(super) fn room(&self, homes: &[Home]) -> Result<(), Full> {
        let Inner { state_dir, most, .. } = &*self.0;
        let floor = most / PART;
        if home::free_space(state_dir).is_some_and(|free| free < floor) {
            return Err(Full::Disk { floor });
        }
        // Each is bounded: only many can be too much.
        let exceed = || Home::exceed(homes, most.saturating_mul(MANY));
        if homes.len() as u64 <= MANY || !exceed() {
            return Ok(());
        }
        for home in homes {
            // While it is cleared, nobody starts in it.
            if let Some(_watched) = self.enter_unused(home) {
                clear(home);
                self.note(home, Held::Cleared);
            }
        }
        if exceed() { Err(Full::User { most: *most }) } else { Ok(()) }
    }

    /// Watches a home, unless it held too much and still does. Blocks.
    pub(super) fn admit(&self, home: &Home) -> Result<Watched, Full> {
        let full = Full::Home { most: self.0.most };
        let (watched, children, held) = self.enter(home);
        match held {
            Held::Within => return Ok(watched),
            // Not while somebody relies on what is there.
            Held::TooMuch | Held::Cleared if children > 1 => return Err(full),
            Held::TooMuch => clear(home),
            Held::Cleared => {}
        }
        if home.exceeds(self.0.most) {
            self.note(home, Held::Cleared);
            return Err(full);
        }
        self.note(home, Held::Within);
        Ok(watched)
    }

    /// One more child of a home; how many there are then, and how far it is with it.
    fn enter(&self, home: &Home) -> (Watched, usize, Held) {
        let mut homes = self.homes();
        let used = homes.entry(home.home.clone()).or_default();
        used.children += 1;
        (Watched { home: home.clone(), limit: self.clone() }, used.children, used.held)
    }

    /// As a child of a home that has none, to clear it.
    fn enter_unused(&self, home: &Home) -> Option<Watched> {
        let mut homes = self.homes();
        let used = homes.entry(home.home.clone()).or_default();
        if used.children > 0 {
            return None;
        }
        (used.children, used.held) = (1, Held::TooMuch);
        Some(Watched { home: home.clone(), limit: self.clone() })
    }

    /// As a child of a home that has none and has to be cleared.
    fn enter_left(&self, home: &Home) -> Option<Watched> {
        let mut homes = self.homes();
        let used = homes.get_mut(&home.home)?;
        if used.children > 0 || used.held != Held::TooMuch {
            return None;
        }
        used.children = 1;
        Some(Watched { home: home.clone(), limit: self.clone() })
    }

    fn note(&self, home: &Home, held: Held) {
        if let Some(used) = self.homes().get_mut(&home.home) {
            used.held = held;
        }
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<PathBuf, Used>> {
        self.0.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watched ===

impl Watched {
    /// Resolves when the home holds too much, with the nameless files of its child's processes, and says so.
    pub(super) async fn is_full(&self, tree: Tree) -> String {
        let Inner { most, due, turn, .. } = &*self.limit.0;
        let mut due = due.subscribe();
        loop {
            let turn = turn.acquire().await;
            let (home, most) = (self.home.clone(), *most);
            let measure = move || match tree.nameless(&home.home) {
                Some(nameless) if nameless <= most => home.exceeds(most - nameless),
                _ => true,
            };
            let measured = tokio::task::spawn_blocking(measure).await;
            drop(turn);
            if measured.unwrap_or_default() {
                self.limit.note(&self.home, Held::TooMuch);
                return Full::Home { most }.to_string();
            }
            if due.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// After the end of the child: gives back what nobody may rely on, if the home held too much and has no other.
    pub(super) async fn leave(self) {
        let (limit, home) = (self.limit.clone(), self.home.clone());
        drop(self);
        let Some(last) = limit.enter_left(&home) else {
            return;
        };
        let cleared = tokio::task::spawn_blocking(move || {
            clear(&last.home);
            last.limit.note(&last.home, Held::Cleared);
        });
        // What a panic has left is cleared at the next start.
        let _ = cleared.await;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut homes = self.limit.homes();
        if let Some(used) = homes.get_mut(&self.home.home) {
            used.children = used.children.saturating_sub(1);
            if used.children == 0 && used.held == Held::Within {
                homes.remove(&self.home.home);
            }
        }
    }
}

fn clear(home: &Home) {
    if let Err(error) = home.clear_scratch() {
        let home = home.home.display();
        tracing::warn!(%error, %home, "cannot clear a home that holds too much");
    }
}

/// Resolves when the home of a child holds too much, and says so.
pub(super) async fn is_full(watched: Option<&Watched>, tree: Tree) -> String {
    match watched {
        Some(watched) => watched.is_full(tree).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
