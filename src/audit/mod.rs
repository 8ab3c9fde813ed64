//! Who did what, through which child, and how it ended: one pair of records for each admitted call.
//!
//! `begin` is written before a call is dispatched, `end` after it, also when its client goes away. Records
//! carry identities, names and keyed hashes, never arguments, results or tokens, and each member has a bound
//! (`bounded.rs`). What cannot be audited does not happen: a call waits until its first record has left the process, or
//! is on the disk, and is refused where there is no room (`queue.rs`) or nothing can be written.
//!
//! One thread writes (`writer.rs`), in one go for all who wait, and tries again when it could not; `output.rs` knows
//! files that are full, moved or torn.
//!
//! What a client answers within a call belongs to that call's pair. What is no call has one record: `notification`,
//! `answer` (to a question outside any call), `own_request` where mcpwrap itself asks the server, `replay` where a
//! child's successor is told what its predecessor was told; nobody waits for these. What happens around the calls is an
//! [`Event`], and `security` is what somebody known did that he must not do. `refused` is what nobody known did, added
//! up over a minute by reason and network.

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
