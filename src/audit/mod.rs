//! Who did what, through which child, and how it ended: one pair of records for each admitted call.
//!
//! `begin` is written before a call is dispatched, `end` after it, also when its client goes away. Records
//! carry identities, names and keyed hashes, never arguments, results or tokens. When the queue is full, the
//! call is refused: what cannot be audited does not happen.

mod record;
mod sink;

pub use record::{Begin, Ending, Who};
pub use sink::{Full, Log, Open, OpenError};
