//! Why there is no child, as its client may know it.

use std::time::Duration;

/// Why there is no child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// One sentence for the client.
    pub message: String,
    /// When another try is worth it.
    pub retry: Retry,
}

/// When another try is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may pass by itself, after this time where it is known.
    Time(Option<Duration>),
    /// Somebody has to do what the message says.
    People,
    /// The client's session is over: it may begin another.
    NewSession,
}

// === impl Unavailable ===

impl Unavailable {
    /// Something that may pass by itself, nobody knows when.
    pub(super) fn for_now(message: &str) -> Self {
        Self { message: message.to_owned(), retry: Retry::Time(None) }
    }
}
