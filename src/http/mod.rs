//! HTTP: the listener, the checks before anything is read, and replies as status codes, headers and events.
//!
//! It knows how to write what `client/` returns, and nothing of sessions, calls or children.

mod activity;
mod body;
mod connections;
mod crowd;
mod guard;
mod peer;
mod serve;
mod sse;
mod status;

pub use connections::Limits;
pub use guard::{Allowed, NotAnOrigin};
pub use peer::{Network, NotANetwork, Proxies};
pub use serve::{Endpoint, Metadata, serve};
pub use status::Challenge;
