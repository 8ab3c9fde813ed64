//! What the pool needs to know of the configuration.

use std::sync::Arc;
use std::time::Duration;

use super::super::trace::Trace;
use crate::limits::Accounts;
use crate::mcp::Raw;
use crate::server::EraChoice;

/// What the pool needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the children speak, where the operator knows it.
    pub era: EraChoice,
    /// From the start of the process to the end of the handshake.
    pub start_timeout: Duration,
    /// How long a start may wait for its turn and its place, and a caller for a server that crashed to be started again.
    pub start_wait: Duration,
    /// Starts at a time.
    pub most_starts: usize,
    /// How long a question waits for it to be clear whose it is, and a call for those it could be confused with.
    pub hold_limit: Duration,
    /// How long a child lives that nobody needs.
    pub idle: Duration,
    /// How long calls may go on when a child is told to close.
    pub grace: Duration,
    /// Calls that one child may work on at a time.
    pub most_in_flight: usize,
    /// Who is charged for what children say and have not read.
    pub accounts: Arc<Accounts>,
    /// The configured answer to `roots/list`, if any.
    pub roots: Option<Raw>,
    /// What is shown of the traffic.
    pub trace: Trace,
    /// Children of all users together.
    pub most_children: usize,
    /// Children of one user.
    pub most_children_per_user: usize,
}
