//! What a source yields for one user, or why it does not.

use std::time::SystemTime;

use secrecy::SecretString;

use super::template::RenderError;

/// A value that was fetched for one user.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The value.
    pub value: SecretString,
    /// When it ends, where the source says so; `None` is "not known", not "never".
    pub expires_at: Option<SystemTime>,
}

/// Why a source gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The user's token does not fill the template.
    #[error("render the source")]
    Render {
        /// Which claim, and why.
        #[from]
        cause: RenderError,
    },
    /// There is nothing for this user.
    #[error("there is nothing for this user")]
    Absent {
        /// What the source itself said, if anything.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The source failed.
    #[error("ask the source")]
    Failed {
        /// What it said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

// === impl Fetched ===

impl Fetched {
    /// A value whose end nobody knows.
    #[must_use]
    pub fn lasting(value: SecretString) -> Self {
        Self { value, expires_at: None }
    }
}

// === impl FetchError ===

impl FetchError {
    pub(super) const NOTHING: Self = Self::Absent { cause: None };

    pub(super) fn absent(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Absent { cause: Some(Box::new(cause)) }
    }

    pub(super) fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed { cause: Box::new(cause) }
    }
}
