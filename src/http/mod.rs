//! HTTP: the listener, the checks before anything is read, and replies as status codes, headers and events.
//!
//! It knows how to write what `client/` returns, and nothing of sessions, calls or children.

mod body;
mod connection;
mod content;
mod endpoint;
mod guard;
mod idle;
mod listener;
mod peer;
mod per_network_limit;
mod rejection;
mod route;
mod sse;
mod status;

pub use connection::Limits;
pub use endpoint::Endpoint;
pub use guard::{Allowed, NotAnOrigin};
pub use listener::Listener;
pub use peer::{Network, NotANetwork, Proxies};
pub use route::{Metadata, Routes};
pub use status::Challenge;
