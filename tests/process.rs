//! The promise of `process/`: nothing outlives its reason, and a child gets exactly what it was given.
#![cfg(all(target_os = "linux", not(mcpwrap_portable)))]
#![allow(clippy::unwrap_used)]

#[path = "process/ends.rs"]
mod ends;
#[path = "process/losses.rs"]
mod losses;
#[path = "process/parent.rs"]
mod parent;
#[path = "process/starts.rs"]
mod starts;
#[path = "process/world.rs"]
mod world;
