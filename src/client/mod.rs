//! How remote clients speak: turns HTTP requests of either era into conversations, and events into replies.
//!
//! [`Front`] is the entrance. It knows the two eras and nothing of status codes, axum or processes; `http/`
//! writes the typed [`Reply`] that comes out.

mod call;
mod front;
mod legacy;
mod modern;
mod reply;

pub use front::{Arrival, ChildScope, Front, LegacySse, Parts, Settings};
pub use legacy::SESSION_ID;
pub use reply::{Content, Frame, Frames, Refusal, Reply, Status};
