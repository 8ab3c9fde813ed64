//! Why a start came to nothing, for the operator and for whoever waited for it.

use super::last_word::LastWord;
use super::launch_error::LaunchError;
use super::slot_state::NotStarted;
use crate::process::Exit;
use crate::server::Failed;

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("{failed}; {exit}")]
    Handshake { failed: Failed, exit: Ended, last: LastWord },
}

/// How the process ended, as far as it is known.
#[derive(Debug)]
pub(super) struct Ended(pub(super) Option<Exit>);

// === impl StartError ===

impl StartError {
    /// What the server said last, for the operator.
    pub(super) fn last_words(&self) -> Option<&str> {
        match self {
            Self::Launch(_) => None,
            Self::Handshake { last, .. } => last.for_operator(),
        }
    }

    /// Whether the server exited when it was greeted.
    pub(super) fn is_exit(&self) -> bool {
        matches!(self, Self::Handshake { failed: Failed::Exited, .. })
    }

    /// The credential that was refused because it is shared, if that is why.
    pub(super) fn shared_credential(&self) -> Option<&str> {
        match self {
            Self::Launch(LaunchError::Credentials { cause }) => cause.shared(),
            Self::Launch(_) | Self::Handshake { .. } => None,
        }
    }
}

// === impl Ended ===

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(exit) => write!(f, "the process {exit}"),
            None => f.write_str("the process was stopped"),
        }
    }
}

// === impl NotStarted ===

impl From<StartError> for NotStarted {
    fn from(error: StartError) -> Self {
        match &error {
            // Who is helped need not wait for a breaker.
            StartError::Launch(launch) if launch.needs_people() => {
                Self::NeedsPeople(launch.for_user())
            }
            StartError::Launch(launch) => Self::NoProcess(launch.for_user()),
            StartError::Handshake { last, .. } => Self::NoHandshake(match last.for_user() {
                Some(words) => format!("{error}; its last words: {words}"),
                None => error.to_string(),
            }),
        }
    }
}
