//! The house rules that a test can check: who may use whom, what stands where, names, sizes, what a comment cites.
//!
//! It reads the source as text. Every exception stands in a list with its reason, and one that is no longer
//! needed fails as well.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod circles;
mod documents;
mod edges;
mod exceptions;
mod paths;
mod places;
mod source;
mod style;
mod tree;
