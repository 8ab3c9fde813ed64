//! How the wrapped server speaks: the handshake that finds out, and the lines of either era.
//!
//! Writing turns a permitted operation into a line; reading turns a line into an [`Incoming`]. Nothing here
//! knows who waits for an answer.

mod handshake;
mod hello;
mod incoming;
mod outgoing;
mod speech;
mod tasks;

pub use handshake::{EraChoice, Failed, PROBE, Verdict, handshake};
pub use hello::{Hello, Profile};
pub use incoming::{Incoming, ListKind};
pub use outgoing::{Internal, call, cancel, internal, notify, reply};
pub use speech::Speech;
pub use tasks::{TASKS, declares_tasks, without_tasks};
