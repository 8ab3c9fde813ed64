//! The promise of the walls: two users' children cannot touch each other, whatever they try.
//!
//! `attacks.rs` is what a hostile child tries on `neighbour.rs`, `walls.rs` what must come of it. Every attack is first shown to work
//! where there are no walls, so none of them fails for a wrong reason.
#![cfg(all(target_os = "linux", not(mcpwrap_portable)))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(
    clippy::print_stdout,
    reason = "victim and attacker report over their stdout, like any child"
)]

mod attacks;
mod hidden;
mod life;
mod machine;
mod memory;
mod neighbour;
mod programs;
mod status;
mod users;
mod walls;

#[path = "../support/children.rs"]
mod children;
#[path = "../support/kernel.rs"]
mod kernel;
#[path = "../support/proc.rs"]
mod proc;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../support/skipped.rs"]
mod skipped;
#[path = "../support/wait.rs"]
mod wait;
