//! Between clients and children: conversations, the one loop per child, the pool of children.
//!
//! A [`Conversation`] is all that a client's side sees of a call. A [`Child`] is the handle of a running
//! server; the loop behind it owns its streams and everything that waits for them. The bridge knows nothing
//! of HTTP, and reads envelopes, not payloads.
//!
//! Two wings over a small vocabulary: `child` is one running server, `pool` is all of them. The pool uses the
//! children; a child knows nothing of the pool.

mod catalogue;
mod child;
mod client_capabilities;
mod event;
mod mailbox;
mod pool;
pub mod record;
mod trace;

pub use catalogue::{ANNOTATION, Annotated, Catalogue, Changed, without_broken_annotations};
pub use child::{
    Canceller, Child, Conversation, Freshness, MOST_URIS, Member, Remaining, Role, Subscribers,
    Subscribing,
};
pub use client_capabilities::{is_covered, refusal};
pub use event::{Ask, AskKey, Event, Notice, Outcome, Undeclared};
pub use mailbox::{Keep, Mailbox};
pub use pool::{
    ChildKey, Confinement, Isolated, Launcher, Pool, Retry, Seat, Settings, Unavailable,
};
pub use trace::Trace;
