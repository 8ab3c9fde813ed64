//! The states of a slot: which child sits in it, which ones drain beside that one, and when the next may start.
//!
//! Pure: time is passed in, nothing is waited for, and what a transition asks of others is its return value. Only
//! [`Slot`](super::slot::Slot) applies transitions.
//!
//! ```text
//! start           Empty, or Failed or Resting long enough → Starting
//! ready           Starting → Ready
//! failed          Starting → Failed
//! replace         Ready, Empty, Failed or Resting → Ready with the successor
//! drain, retire   Ready → Empty
//! vacate          Starting → Empty
//! ending, ended   Ready → Ending → Empty, or Resting where it keeps crashing
//! ```
//!
//! A child that leaves Ready in another way than by its end drains until that comes, whatever sits in its place.

use std::time::Duration;

use tokio::time::Instant;

use super::super::child::Child;
use super::unavailable::{Retry, Unavailable};

/// A child that lived at least this long, or has answered a call, did not crash at once.
const STABLE_AFTER: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A start that fails is not tried again sooner than this.
const START_BACKOFF: Duration = Duration::from_secs(1);

/// What a slot holds.
#[derive(Debug, Default)]
pub(super) struct SlotState {
    current: Current,
    /// Those that were told to close and work on what they had been given.
    draining: Vec<Child>,
    /// Whether it was taken out of the pool; no child serves in it any more.
    retired: bool,
    /// Unwanted ends in a row.
    crashes: u32,
}

/// What sits in the slot.
#[derive(Debug, Default)]
enum Current {
    #[default]
    Empty,
    Starting,
    Ready(Child),
    /// This child has ended, and what follows from that is being settled.
    Ending {
        number: u64,
    },
    Failed {
        why: Unavailable,
        until: Instant,
    },
    /// It crashed again and again, and is started again after a while.
    Resting {
        why: Unavailable,
        until: Instant,
    },
}

/// Whether a child is to be started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// By whoever got this answer, and by nobody else.
    Granted,
    /// There is one, or somebody sees to it.
    Waits,
    /// Not now, but then, for whoever can wait for it.
    Later { at: Instant, why: Unavailable },
    /// Not now.
    Refused(Unavailable),
}

/// What a child that has introduced itself is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// New calls go to it.
    Serves,
    /// Nobody wants it any more: it has to be closed.
    Drains,
}

/// Why a start came to nothing, in words for the client.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// There was no right to a process. The next may try at once.
    Denied(Unavailable),
    /// There is no process until somebody has done something.
    NeedsPeople(String),
    /// There was no process. Nothing ran, so nothing crashed.
    NoProcess(String),
    /// The process ran and did not introduce itself.
    NoHandshake(String),
}

/// How a child came to its end.
#[derive(Debug)]
pub(super) enum Fate {
    /// It was told to close.
    Closed,
    /// Nobody may use it any more.
    Withdrawn,
    /// Nobody wanted it to.
    Crashed {
        /// What is known of the end of its process.
        how: String,
        lived: Duration,
        worth: Worth,
    },
}

/// What a child did for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// It answered a call at least.
    Served,
    /// Nothing.
    Nothing,
}

// === impl SlotState ===

impl SlotState {
    /// The child that new calls go to.
    pub(super) fn child(&self) -> Option<&Child> {
        match &self.current {
            Current::Ready(child) => Some(child),
            _ => None,
        }
    }

    /// Every child that has not ended.
    pub(super) fn children(&self) -> impl Iterator<Item = &Child> {
        self.child().into_iter().chain(&self.draining)
    }

    /// Whether it is clear that there is a child, or that there is none.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.current, Current::Starting | Current::Ending { .. })
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.current, Current::Starting)
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Why there is no child, where a start is to blame.
    pub(super) fn failure(&self) -> Option<&Unavailable> {
        match &self.current {
            Current::Failed { why, .. } => Some(why),
            _ => None,
        }
    }

    /// Somebody needs a child.
    pub(super) fn start(&mut self, now: Instant) -> Start {
        match &self.current {
            Current::Starting | Current::Ready(_) | Current::Ending { .. } => Start::Waits,
            Current::Failed { why, until } if now < *until => Start::Refused(why.clone()),
            Current::Resting { why, until } if now < *until => {
                Start::Later { at: *until, why: why.clone() }
            }
            Current::Empty | Current::Failed { .. } | Current::Resting { .. } if self.retired => {
                Start::Refused(Unavailable::for_now("the session has ended"))
            }
            Current::Empty | Current::Failed { .. } | Current::Resting { .. } => {
                self.current = Current::Starting;
                Start::Granted
            }
        }
    }

    /// The child that was being started has introduced itself.
    pub(super) fn ready(&mut self, child: Child) -> Placement {
        if self.is_starting() {
            self.current = Current::Empty;
            return self.place(child);
        }
        self.draining.push(child);
        Placement::Drains
    }

    /// The start came to nothing.
    pub(super) fn failed(&mut self, cause: NotStarted, now: Instant) {
        if !self.is_starting() {
            return;
        }
        let (why, retry, wait) = match cause {
            NotStarted::Denied(why) => {
                self.current = Current::Failed { why, until: now };
                return;
            }
            NotStarted::NeedsPeople(why) => (why, Retry::People, START_BACKOFF),
            NotStarted::NoProcess(why) => (why, Retry::Time(Some(START_BACKOFF)), START_BACKOFF),
            NotStarted::NoHandshake(why) => {
                let wait = self.crashed(Duration::ZERO, Worth::Nothing).max(START_BACKOFF);
                (why, Retry::Time(Some(wait)), wait)
            }
        };
        let message = format!("the server could not be started: {why}");
        self.current = Current::Failed { why: Unavailable { message, retry }, until: now + wait };
    }

    /// Nobody waits for the child any more that was to be started.
    pub(super) fn vacate(&mut self) {
        if self.is_starting() {
            self.current = Current::Empty;
        }
    }

    /// A successor has introduced itself: the child of this number drains, and the successor takes its place. Where
    /// another one is being started meanwhile, that one is to be had instead.
    pub(super) fn replace(&mut self, old: u64, successor: Child) -> Placement {
        match &self.current {
            Current::Ready(own) if own.number() == old => {
                self.drain();
                self.place(successor)
            }
            Current::Empty | Current::Failed { .. } | Current::Resting { .. } => {
                self.place(successor)
            }
            Current::Ready(_) | Current::Starting | Current::Ending { .. } => {
                self.draining.push(successor);
                Placement::Drains
            }
        }
    }

    /// New calls no longer go to the child; returns it to be closed.
    pub(super) fn drain(&mut self) -> Option<Child> {
        let child = self.child()?.clone();
        self.current = Current::Empty;
        self.draining.push(child.clone());
        Some(child)
    }

    /// Nobody will look for this slot any more; returns the child that has to be closed.
    pub(super) fn retire(&mut self) -> Option<Child> {
        self.retired = true;
        self.drain()
    }

    /// The child of this number is no more. Nobody uses it or starts another before it is settled what that means.
    pub(super) fn ending(&mut self, number: u64) {
        if matches!(&self.current, Current::Ready(own) if own.number() == number) {
            self.current = Current::Ending { number };
        }
    }

    /// It is settled what the end of that child means; returns how many crashes there were in a row.
    pub(super) fn ended(&mut self, number: u64, fate: &Fate, now: Instant) -> u32 {
        let wait = match fate {
            Fate::Crashed { lived, worth, .. } => self.crashed(*lived, *worth),
            Fate::Closed | Fate::Withdrawn => Duration::ZERO,
        };
        self.draining.retain(|child| child.number() != number);
        if matches!(self.current, Current::Ending { number: own } if own == number) {
            self.current = match fate {
                Fate::Crashed { how, .. } if !wait.is_zero() => {
                    Current::Resting { why: self.keeps_crashing(how, wait), until: now + wait }
                }
                _ => Current::Empty,
            };
        }
        self.crashes
    }

    fn place(&mut self, child: Child) -> Placement {
        if self.retired {
            self.draining.push(child);
            return Placement::Drains;
        }
        self.current = Current::Ready(child);
        Placement::Serves
    }

    /// Counts an unwanted end; returns how long the next child has to wait.
    fn crashed(&mut self, lived: Duration, worth: Worth) -> Duration {
        let stable = lived >= STABLE_AFTER || worth == Worth::Served;
        self.crashes = if stable { 1 } else { self.crashes + 1 };
        match self.crashes {
            0 | 1 => Duration::ZERO,
            many => Duration::from_secs(1 << (many - 2).min(5)).min(LONGEST_BACKOFF),
        }
    }

    fn keeps_crashing(&self, how: &str, wait: Duration) -> Unavailable {
        let message = format!(
            "the server keeps crashing ({} times in a row; last time {how}); it is started again in {} s",
            self.crashes,
            wait.as_secs()
        );
        Unavailable { message, retry: Retry::Time(Some(wait)) }
    }
}

#[cfg(test)]
mod tests;
