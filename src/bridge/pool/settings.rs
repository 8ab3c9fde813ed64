//! What the pool needs to know of the configuration.

use std::time::Duration;

use super::super::trace::Trace;
use crate::mcp::Raw;
use crate::server::EraChoice;

/// What the pool needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the children speak, where the operator knows it.
    pub era: EraChoice,
    /// From the start of the process to the end of the handshake.
    pub start_timeout: Duration,
    /// How long a child lives that nobody needs.
    pub idle: Duration,
    /// How long calls may go on when a child is told to close.
    pub grace: Duration,
    /// Calls that one child may work on at a time.
    pub most_in_flight: usize,
    /// The configured answer to `roots/list`, if any.
    pub roots: Option<Raw>,
    /// What is shown of the traffic.
    pub trace: Trace,
    /// Children of all users together.
    pub most_children: usize,
    /// Children of one user.
    pub most_children_per_user: usize,
}
