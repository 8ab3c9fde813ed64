//! How a process ended, and the states on the way there.

use std::fmt;

use super::ExecFailure;

/// How a process ended. Nothing of its tree is left once this is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It ended with this exit code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It never ran.
    ExecFailed {
        /// Why not.
        reason: ExecFailure,
    },
    /// Its supervisor was killed; the tree was killed after it, and how the command ended is unknown.
    SupervisorLost,
}

/// What is known of a process. A short one may have ended before anybody saw it run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Known since it runs.
    pub(super) pid: Option<u32>,
    /// Known since it has ended.
    pub(super) exit: Option<Exit>,
}

// === impl Exit ===

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::ExecFailed { reason } => write!(f, "never ran: {reason}"),
            Self::SupervisorLost => f.write_str("supervisor lost"),
        }
    }
}
