//! How many bytes one user may have mcpwrap hold for him, and all users together.
//!
//! An [`Account`] is a user's, of the total that all share; a [`Share`] is a part of it that comes back when it is
//! dropped. Nothing waits here: what does not fit is refused with a [`Short`], and whoever stores what can be done
//! without is told ([`Accounts::pressed`]). What is charged, and where:
//!
//! | what | where | how much | when there is no room |
//! |---|---|---|---|
//! | a request's body, while it arrives and as long as any part of it is kept | `http/body.rs` | its bytes, from [`LARGE`] on | 429, 503 |
//! | a call in a child, with a small body and a small result | `bridge/child/in_flight.rs` | [`CALL`] | refused at the door: 429, 503 |
//! | a line that a child is writing, and what a child has not read | `bridge/child/room.rs` | its bytes, from [`LARGE`] on | the child waits, then its call gets an error |
//! | what a client has not been told yet | `bridge/mailbox.rs` | its bytes, in grains of [`LARGE`] | progress, log and news are dropped; an end never |
//! | a result on its way to its reader, or stored | `client/reply.rs` | its bytes, from [`LARGE`] on | it was charged before, as a line |
//! | stored events, and their stream | `client/legacy/stream.rs` | their bytes and a little | the oldest go |
//! | what a server asks, until it is answered | `bridge/charged.rs` | its bytes | the server gets an error |
//! | what a modern server wants back with the answers | `bridge/child/conversation.rs` | its bytes | it was charged before, as a line |
//! | a subscription to a resource | `bridge/child/subscribers.rs`, `client/legacy/modern_subscription.rs`, `client/modern/listen.rs` | its URI as often as it is kept, and a little | refused |
//! | a legacy session | `client/legacy/session.rs` | what it keeps of the client, and a little | 429, 503 |
//!
//! Parked calls are calls in a child. What is smaller and passes at once, such as the buffers of a connection, is
//! bounded by how many connections there may be.
//!
//! One item of any size that `--max-line` or `--max-body` allow fits as long as everything else that is held stays
//! below a quarter: a lone user's large result passes whatever the budget. And whoever holds little is not refused for
//! what others hold.

mod account;
mod accounts;
mod share;

pub use account::{Account, Short};
pub use accounts::{Accounts, Pressed};
pub use share::{Share, hold};

/// What is smaller is not worth a charge of its own.
pub const LARGE: usize = 16 * 1024;
/// A call: its place, a small body and a small result.
pub const CALL: usize = 2 * LARGE;
