//! `mcpwrap serve` under attack: the real binary, real children, and an identity provider and a vault of the tests'
//! own that lie, stall and fail as they are told. One file per promise; each test is an attack or the control of one.
//!
//! Nothing here uses the product's code. Numbers in parentheses are those of the authorization checklist.
#![cfg(all(target_os = "linux", not(mcpwrap_portable)))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(clippy::needless_pass_by_value, reason = "values are made for the call with json!")]
#![allow(clippy::print_stderr, reason = "a test that fails shows what mcpwrap said")]

mod audit;
mod challenges;
mod credentials;
mod faults;
mod identity;
mod introspection;
mod keys;
mod sessions;
mod silence;
mod stalls;
mod startup;
mod tokens;
mod vault;
mod weaker;
mod world;
