//! A running child: the handle, the actor that owns its streams, and what the actor knows.
//!
//! Nothing here knows of slots or of how a process is started.

mod actor;
mod attribution;
mod conversation;
mod dispatch;
mod habits;
mod handle;
mod in_flight;
mod input_required;
mod notifications;
mod oversized;
mod room;
mod state;
mod stray_output;
mod subscribers;
#[cfg(test)]
pub(super) mod testing;

pub(super) use actor::{Actor, End, Setup};
pub use conversation::{Canceller, Conversation};
pub use handle::{Child, Freshness};
pub use in_flight::Share;
pub use subscribers::{MOST_URIS, Member, Opened, Remaining, Role, Subscribers, Subscribing};
