//! What `mcpwrap demo` needs.

use std::ffi::OsString;

use super::file::File;
use super::layers::{Layers, Typed};
use super::output;
use crate::problem::Problem;
use crate::telemetry;

/// The production path on one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Demo {
    /// When to end.
    pub rounds: Rounds,
    /// What is logged, and how.
    pub log: telemetry::Settings,
}

/// When the demo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// After it has shown everything once.
    Once,
    /// When it is told to stop.
    UntilStopped,
}

/// What `demo` needs, from what was typed and the environment.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn demo(
    rounds: Rounds,
    typed: &Typed,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Demo, Vec<Problem>> {
    let mut layers = Layers::new(typed, &env, File::default());
    let log = output::log(&mut layers);
    if layers.problems.is_empty() { Ok(Demo { rounds, log }) } else { Err(layers.problems) }
}
