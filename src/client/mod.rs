//! How a remote client speaks, in either era.
//!
//! [`Front`] decides which era a request belongs to. `modern/` and `legacy/` turn it into an operation for the
//! [`gate`](crate::gate), and what comes back into the era's words; neither knows the other. This module knows nothing
//! of status codes, axum or processes, and cannot reach a child but through the gate; `http/` writes the typed
//! [`Reply`] that comes out.

mod beat;
mod context;
mod front;
mod headers;
mod legacy;
mod modern;
mod reply;
mod settings;

pub use context::{Arrival, Context};
pub use front::Front;
pub use headers::SESSION_ID;
pub use reply::{Content, Frame, Frames, Refusal, Reply, Status};
pub use settings::{ChildScope, LegacySse, Settings};
