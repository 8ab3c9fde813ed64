//! Between clients and children: conversations, the one loop per child, the pool of children.
//!
//! A [`Conversation`] is all that a client's side sees of a call. A [`Child`] is the handle of a running
//! server; the loop behind it owns its streams and everything that waits for them. The bridge knows nothing
//! of HTTP, and reads envelopes, not payloads.

mod asks;
mod audience;
mod child;
mod conversation;
mod desk;
mod habits;
mod input_required;
mod launch;
mod mailbox;
mod noise;
mod pool;
mod run;
mod slot;
mod start;
mod trace;

pub use asks::{is_covered, refusal};
pub use audience::{Audience, Member, Notice, Remaining, Role};
pub use child::Child;
pub use conversation::{Ask, AskKey, Canceller, Conversation, Event, Outcome};
pub use launch::{LaunchError, Launcher};
pub use mailbox::{Keep, Mailbox};
pub use pool::{Pool, Settings};
pub use slot::{ChildKey, Seat, Slot, Unavailable};
pub use trace::Trace;
