//! The promise of the walls: two users' children cannot touch each other, whatever they try.
//!
//! `attacks.rs` is what a hostile child tries on `neighbour.rs`, `walls.rs` what must come of it. Every attack is first shown to work
//! where there are no walls, so none of them fails for a wrong reason.
#![cfg(all(target_os = "linux", not(mcpwrap_portable)))]
#![allow(clippy::unwrap_used)]
// Victim and attacker report over their stdout, like any child.
#![allow(clippy::print_stdout)]

#[path = "isolation/attacks.rs"]
mod attacks;
#[path = "isolation/life.rs"]
mod life;
#[path = "isolation/neighbour.rs"]
mod neighbour;
#[path = "isolation/programs.rs"]
mod programs;
#[path = "isolation/walls.rs"]
mod walls;
#[path = "isolation/world.rs"]
mod world;
