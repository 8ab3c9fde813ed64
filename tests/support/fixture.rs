//! The wrapped server of the tests, `tests/fixtures/child`: its program, what its tools return, and its process.

use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::proc::field;

/// The program, an example of this package, which must be as new as its source.
pub(crate) fn child_program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join("examples/fixture-child");
    // `cargo test` builds it, `cargo test --test it` does not.
    let built = path.metadata().and_then(|of| of.modified());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/child");
    let written = std::fs::read_dir(source).unwrap();
    let written = written.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok()).max();
    let fresh = built.is_ok_and(|built| written.is_none_or(|written| written <= built));
    assert!(fresh, "{path:?} is missing or old: cargo build --example fixture-child");
    path
}

/// The JSON that a tool of the fixture returned.
pub(crate) fn structured(answer: &Value) -> &Value {
    let value = &answer["result"]["structuredContent"];
    assert!(value.is_object(), "no structured result: {answer}");
    value
}

/// The text that a tool of the fixture returned.
pub(crate) fn text(answer: &Value) -> &str {
    let value = answer["result"]["content"][0]["text"].as_str();
    value.unwrap_or_else(|| panic!("no text: {answer}"))
}

/// The process of a `whoami`.
pub(crate) fn pid(whoami: &Value) -> i32 {
    i32::try_from(whoami["pid"].as_i64().unwrap()).unwrap()
}

/// What a child says of its environment.
pub(crate) fn who<'w>(whoami: &'w Value, variable: &str) -> &'w str {
    let value = &whoami["env"][variable];
    value.as_str().unwrap_or_else(|| panic!("no {variable} in {whoami}"))
}

/// Whether a process of this id is alive.
pub(crate) fn is_alive(pid: i32) -> bool {
    let state = field(pid, "State");
    !state.is_empty() && !state.starts_with('Z')
}

/// Kills a process of the test.
pub(crate) fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}
