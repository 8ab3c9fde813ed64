//! How long each step of a process's life may take.

use std::time::Duration;

/// The deadlines of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the request to start until the command runs.
    pub start: Duration,
    /// From closed stdin until the tree is asked to terminate.
    pub close: Duration,
    /// From that request until the tree is killed.
    pub term: Duration,
    /// From the kill until the supervisor itself is killed and mcpwrap sweeps up.
    pub kill: Duration,
}

// === impl Deadlines ===

impl Deadlines {
    /// Long enough for a loaded machine, short enough for a caller to wait.
    pub const START: Duration = Duration::from_secs(10);
    /// A server that reads its stdin ends well within this.
    pub const CLOSE: Duration = Duration::from_secs(3);
    /// Time to save what a server keeps.
    pub const TERM: Duration = Duration::from_secs(3);
    /// A killed tree is gone in milliseconds unless the system itself is stuck.
    pub const KILL: Duration = Duration::from_secs(5);
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { start: Self::START, close: Self::CLOSE, term: Self::TERM, kill: Self::KILL }
    }
}
