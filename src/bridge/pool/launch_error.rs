//! Why a child's process could not be started, and what its user may know of that.

use super::home_limit::Full;
use crate::credentials::{self, files};
use crate::process::{self, home, uids};

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The operating system, or the command.
    #[error("start the process")]
    Process {
        /// What exactly.
        #[source]
        cause: process::Error,
    },
    /// The user's credentials.
    #[error("fetch the user's credentials")]
    Credentials {
        /// Which, and why.
        #[source]
        cause: credentials::Error,
    },
    /// The user's token does not fill a template.
    #[error("render --env {name}")]
    Template {
        /// The variable.
        name: String,
        /// Which claim, and why.
        #[source]
        cause: credentials::RenderError,
    },
    /// The user's directories.
    #[error("prepare the user's home")]
    Home {
        /// What exactly.
        #[source]
        cause: home::Error,
    },
    /// The user's home holds too much.
    #[error(transparent)]
    HomeFull(#[from] Full),
    /// The user's id.
    #[error("give the user an id of his own")]
    Uid {
        /// What exactly.
        #[source]
        cause: uids::Error,
    },
    /// The process is about to end.
    #[error("prepare the user's place before mcpwrap ends")]
    Interrupted,
    /// A credential could not be delivered as a file.
    #[error("write the user's credential to a file")]
    File {
        /// What exactly.
        #[source]
        cause: files::Error,
    },
}

// === impl LaunchError ===

impl LaunchError {
    /// Whether another try is in vain until somebody has done something.
    #[must_use]
    pub fn needs_people(&self) -> bool {
        match self {
            Self::Credentials { cause } => cause.needs_people(),
            Self::Template { .. } | Self::HomeFull(_) => true,
            Self::Process { .. }
            | Self::Home { .. }
            | Self::Uid { .. }
            | Self::File { .. }
            | Self::Interrupted => false,
        }
    }

    /// What the client may know.
    #[must_use]
    pub fn for_user(&self) -> String {
        match self {
            Self::Process { cause: process::Error::Exec { source, .. } } => source.to_string(),
            Self::Process { .. }
            | Self::Home { .. }
            | Self::Uid { .. }
            | Self::File { .. }
            | Self::Interrupted => {
                "the process could not be prepared; tell your operator".to_owned()
            }
            Self::HomeFull(full) => {
                format!("{full}; ask your operator to make room or to raise it")
            }
            Self::Credentials { cause } => cause.for_user(),
            Self::Template { name, cause } => {
                format!("{name} cannot be set for you: {cause}; ask your operator")
            }
        }
    }
}
