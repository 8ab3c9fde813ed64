//! What a user of mcpwrap could name: the real binary, real children, real sockets, one file per behaviour.
//!
//! The files here are about `mcpwrap dev`, those of `tests/serve` about `mcpwrap serve`. They are one program of tests,
//! so that what they stand on, `tests/support`, is compiled once and has nothing that nobody uses.
//!
//! Readiness is the printed URL. Every wait ends with an event or with a panic that says what never came.
//! Numbers in parentheses are those of the protocol checklist.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(clippy::needless_pass_by_value, reason = "values are made for the call with json!")]
#![allow(clippy::print_stderr, reason = "a test that fails shows what mcpwrap said")]
// Elsewhere than on Linux there is `dev` alone.
#![cfg_attr(mcpwrap_portable, allow(dead_code, unused_imports, reason = "for the tests of serve"))]

mod audit_file;
mod audit_queue;
mod batches;
mod both_eras;
mod connections;
mod crashes;
mod dev_mode;
mod endings;
mod extensions;
mod gate;
mod input_required;
mod legacy_client_modern_child;
mod logs;
mod malformed;
mod mapping;
mod masking;
mod modern_requests;
mod noise;
mod questions;
mod resume;
mod retries;
mod session_survival;
mod sessions;
mod stubborn;
mod subscriptions;
mod tasks;

#[cfg(not(mcpwrap_portable))]
#[path = "../demo.rs"]
mod demo;
#[cfg(not(mcpwrap_portable))]
#[path = "../serve/mod.rs"]
mod serve;
#[path = "../support/skipped.rs"]
mod skipped;
#[path = "../support/mod.rs"]
mod support;
