//! HTTP: the listener, the checks before anything is read, and replies as status codes, headers and events.
//!
//! It knows how to write what `client/` returns, and nothing of sessions, calls or children.

mod body;
mod guard;
mod serve;
mod sse;
mod status;

pub use guard::{Allowed, NotAnOrigin};
pub use serve::{Endpoint, Error, Metadata, serve};
pub use status::Challenge;
