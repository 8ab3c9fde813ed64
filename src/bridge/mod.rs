//! Between clients and children: conversations, the one loop per child, the pool of children.
//!
//! A [`Conversation`] is a call seen from its client. A [`Child`] is the handle of a running server; the loop behind it
//! owns its streams and everything that waits for them. The bridge knows nothing of HTTP; of payloads it reads the tools'
//! schemas, questions and capabilities.
//!
//! Two wings over a small vocabulary: `child` is one running server, `pool` is all of them. The pool uses the
//! children; a child knows nothing of the pool.

mod catalogue;
mod charged;
mod child;
mod client_capabilities;
mod event;
mod mailbox;
mod pool;
pub mod recording;
mod trace;

pub use catalogue::{ANNOTATION, Annotated, Catalogue, Changed, without_broken_annotations};
pub use child::{
    Canceller, Child, Conversation, Freshness, MOST_URIS, Member, Opened, Remaining, Role, Share,
    Subscribers, Subscribing,
};
pub use client_capabilities::{is_covered, stand_in_answer};
pub use event::{Ask, AskKey, Event, Notice, Outcome, Undeclared};
pub use mailbox::{Keep, Mailbox};
pub use pool::{
    ChildKey, Confinement, HomeLimit, HomeScope, Homes, Isolated, Launcher, Pool, Retry, Seat,
    Settings, Unavailable,
};
pub use trace::Trace;
