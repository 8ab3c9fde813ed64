//! Clients of the revisions up to 2025-11-25: a handshake, a session, resumable streams.
//!
//! A call's events go to its own stream, whether or not the client still listens; a client that comes back
//! with `Last-Event-ID` gets what it missed. Only `notifications/cancelled` and the session's end cancel.

mod calls;
mod dispatch;
mod downgrade;
mod entrance;
mod initialize;
mod listen;
mod modern_subscription;
mod post;
mod request;
mod session;
mod sessions;
mod sse;
mod stream;
mod translate;
mod watched_uris;

pub(super) use entrance::Legacy;
pub(super) use sse::link_id;
