//! Who did what, through which child, and how it ended: one pair of records for each admitted call.
//!
//! `begin` is written before a call is dispatched, `end` after it, also when its client goes away. Records
//! carry identities, names and keyed hashes, never arguments, results or tokens. When the queue is full, the
//! call is refused: what cannot be audited does not happen.
//!
//! What a client answers within a call belongs to that call's pair. What is no call has one record: `notification`,
//! `answer` (to a question outside any call), `own_request` where mcpwrap itself asks the server, `replay` where a
//! child's successor is told what its predecessor was told. Two more kinds stand beside them: `security` for what somebody known did that he must not do, and
//! `refused` for what nobody known did, added up over a minute by reason and network.

mod bounded;
mod line;
mod log;
mod output;
mod queue;
mod record;
mod refusals;
mod writer;

pub use log::{Log, Open, OpenError, OpenSession};
pub use output::Durability;
pub use queue::NotRecorded;
pub use record::{Begin, CredentialFate, Decision, Ending, Event, Incident, Note, Who};
pub use refusals::Refusals;
pub use writer::State;
