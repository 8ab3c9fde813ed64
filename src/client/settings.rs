//! Bounds and habits of the client side.

use std::time::Duration;

/// The largest capabilities and the largest name of a client, in bytes: sessions and children keep them.
pub(super) const LARGEST_INTRODUCTION: usize = 64 * 1024;

/// Bounds and habits of the client side.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The endpoint's own path, which HTTP+SSE clients are told.
    pub path: String,
    /// A stream that is quiet for this long gets a comment; a call that takes longer becomes a stream.
    pub keep_alive: Duration,
    /// A session without requests or open streams ends after this.
    pub session_idle: Duration,
    /// Sessions that one user may have.
    pub most_sessions: usize,
    /// How long a call waits for the answers that its server asked for.
    pub suspended_for: Duration,
    /// Which legacy sessions have a child for themselves.
    pub scope: ChildScope,
    /// Whether clients of 2024-11-05 are served.
    pub legacy_sse: LegacySse,
}

/// Who shares a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildScope {
    /// All clients of a user with the same authority.
    User,
    /// Nobody: each legacy session has its own.
    Session,
}

/// Whether the HTTP+SSE transport of 2024-11-05 is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacySse {
    /// It is.
    Served,
    /// It is not.
    Off,
}
