//! The wire, pure: envelopes, framing, revisions, error codes, the fields of `_meta`.
//!
//! It reads envelopes, not payloads: what a method carries stays JSON text ([`Raw`]) that shares the bytes it
//! arrived in. It knows nothing of HTTP, processes or users.

pub mod codes;
mod envelope;
mod error;
mod id;
mod lines;
pub mod meta;
mod object;
mod params;
mod raw;
mod revision;

pub use envelope::{EnvelopeError, Message, Notification, Request, Response};
pub use error::ErrorObject;
pub use id::RequestId;
pub use lines::{Filled, Line, Lines, Skip};
pub use object::{Object, ObjectError};
pub use params::{Params, ParamsError};
pub use raw::Raw;
pub use revision::{Era, ProtocolVersion};
