//! Where a user's credentials come from, and what a child gets of them.
//!
//! Owns sources, templates and the refusal of anything shared. It knows neither children nor MCP, and
//! never falls back: a source that fails is an answer to its user.

use std::sync::Arc;
use std::time::SystemTime;

use secrecy::SecretString;

mod fetched;
pub mod files;
mod secret_like;
mod shared_watch;
mod source;
mod sources;
mod spec;
mod template;
mod variable;
mod vault;

pub use fetched::{FetchError, Fetched};
pub use secret_like::is_secret_like;
pub use shared_watch::{LiveValue, MAX_VALUES, SharedWatch, WatchError};
pub use source::{Backends, Facts, NotPerUser, Scheme, Source, SourceError, Users};
pub use sources::{FETCH_DEADLINE, Sources};
pub use spec::{CredentialSpec, Delivery, check_per_user};
pub use template::{ParseError, Placeholder, RenderError, Template};
pub use variable::is_variable;
pub use vault::{Error as VaultError, Kept, Login, SettingsError, Vault, VaultSettings};

/// Everything that one user's child is given.
#[derive(Clone, Debug, Default)]
pub struct CredentialSet {
    credentials: Vec<Credential>,
}

/// One value, fetched for one user.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The variable's name.
    pub name: String,
    /// How the child gets it.
    pub delivery: Delivery,
    /// The value.
    pub value: SecretString,
    /// When it ends, where the source says so.
    pub expires_at: Option<SystemTime>,
    /// The source as the operator wrote it.
    pub source: String,
    /// Names the value in logs, for this process alone.
    pub fingerprint: String,
    /// The set is what a child holds: while it lives, the value counts as this user's.
    _live: Arc<LiveValue>,
}

/// Why a user does not get his credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's token does not fill the template.
    #[error("render the source of {name}")]
    Render {
        /// The credential's name.
        name: String,
        /// Which claim, and why.
        #[source]
        cause: RenderError,
    },
    /// The source has nothing for this user.
    #[error("the source {label} has no {name} for this user")]
    Absent {
        /// The credential's name.
        name: String,
        /// The source as the operator wrote it.
        label: String,
        /// Where the source itself is at fault, what it said.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The source failed.
    #[error("fetch {name} from {label}")]
    Source {
        /// The credential's name.
        name: String,
        /// The source as the operator wrote it.
        label: String,
        /// What the source said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// All sources together took too long.
    #[error("fetch the credentials within {} s", FETCH_DEADLINE.as_secs())]
    Slow,
    /// Another user has the same value.
    #[error("the value of {name} is shared with another user")]
    Shared {
        /// The credential's name.
        name: String,
    },
    /// The value could not be remembered, and so may not be used.
    #[error("remember whose value {name} is")]
    Watch {
        /// The credential's name.
        name: String,
        /// Why not.
        #[source]
        cause: WatchError,
    },
    /// A source needs a backend that was not set up.
    #[error("{name} needs {backend}, which is not set up")]
    Backend {
        /// The credential's name.
        name: String,
        /// The backend.
        backend: &'static str,
    },
    /// Another call of this user waited for the same fetch and shares its failure.
    #[error(transparent)]
    Again(Arc<Error>),
}

// === impl CredentialSet ===

impl CredentialSet {
    /// The credentials in the order of the options.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.credentials.iter()
    }

    /// One credential by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Credential> {
        self.iter().find(|credential| credential.name == name)
    }

    /// When the first of them ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.iter().filter_map(|one| one.expires_at).min()
    }
}

// === impl Error ===

impl Error {
    /// What the user is told: what he can do, and nothing about the inside.
    #[must_use]
    pub fn for_user(&self) -> String {
        match self {
            Self::Render { name, cause } => {
                format!("{name} cannot be looked up for you: {cause}; ask your operator")
            }
            Self::Absent { name, .. } => {
                format!("no credential {name} is stored for you; ask your operator to store one")
            }
            Self::Source { name, .. } => format!(
                "your credential {name} could not be fetched; try again, and tell your operator if it persists"
            ),
            Self::Slow => "your credentials could not be fetched in time; try again, and tell your operator if it persists".to_owned(),
            Self::Shared { name } => format!(
                "the credential {name} stored for you is in use by somebody else; ask your operator for one of your own"
            ),
            Self::Watch { name, .. } => {
                format!("your credential {name} cannot be used right now; try again later")
            }
            Self::Backend { name, .. } => {
                format!("the credential {name} is not set up; tell your operator")
            }
            Self::Again(error) => error.for_user(),
        }
    }

    /// Whether another try is in vain until somebody has done something.
    #[must_use]
    pub fn needs_people(&self) -> bool {
        match self {
            Self::Render { .. }
            | Self::Absent { .. }
            | Self::Shared { .. }
            | Self::Backend { .. } => true,
            Self::Source { .. } | Self::Slow | Self::Watch { .. } => false,
            Self::Again(error) => error.needs_people(),
        }
    }

    /// The name of the credential, and its source as the operator wrote it, as far as the error is about one.
    #[must_use]
    pub fn about(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::Absent { name, label, .. } | Self::Source { name, label, .. } => {
                (Some(name), Some(label))
            }
            Self::Render { name, .. }
            | Self::Shared { name }
            | Self::Watch { name, .. }
            | Self::Backend { name, .. } => (Some(name), None),
            Self::Slow => (None, None),
            Self::Again(error) => error.about(),
        }
    }

    /// The name of the credential whose value another user has too: to be audited.
    #[must_use]
    pub fn shared(&self) -> Option<&str> {
        match self {
            Self::Shared { name } => Some(name),
            Self::Again(error) => error.shared(),
            _ => None,
        }
    }
}
