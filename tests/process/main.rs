//! The promise of `process/`: nothing outlives its reason, and a child gets exactly what it was given.
#![cfg(all(target_os = "linux", not(mcpwrap_portable)))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod ends;
mod losses;
mod parent;
mod starts;
mod trees;

#[path = "../support/children.rs"]
mod children;
#[path = "../support/proc.rs"]
mod proc;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../support/wait.rs"]
mod wait;
