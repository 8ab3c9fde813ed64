//! Between clients and children: conversations, the one loop per child, the pool of children.
//!
//! A [`Conversation`] is all that a client's side sees of a call. A [`Child`] is the handle of a running
//! server; the loop behind it owns its streams and everything that waits for them. The bridge knows nothing
//! of HTTP, and reads envelopes, not payloads.

mod asks;
mod audience;
mod capacity;
mod catalogue;
mod child;
mod conversation;
mod desk;
mod habits;
mod launch;
mod launch_error;
mod leases;
mod load;
mod mailbox;
mod noise;
mod notices;
mod pool;
mod rounds;
mod run;
mod slot;
mod start;
mod trace;
mod warrants;

pub use asks::{is_covered, refusal};
pub use audience::{MOST_URIS, Member, Notice, Remaining, Role, Subscribers, Subscribing};
pub use catalogue::{ANNOTATION, Annotated, Catalogue, Changed, without_broken_annotations};
pub use child::Child;
pub use conversation::{Ask, AskKey, Canceller, Conversation, Event, Outcome, Undeclared};
pub use launch::{Launcher, Place, Stranger};
pub use launch_error::LaunchError;
pub use mailbox::{Keep, Mailbox};
pub use pool::{Pool, Settings};
pub use slot::{ChildKey, Retry, Seat, Slot, Unavailable};
pub use trace::Trace;
