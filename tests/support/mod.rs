//! What the tests stand on: a running mcpwrap, HTTP by hand, clients of both eras, and stand-ins for what mcpwrap asks.
//!
//! The program of tests `it` uses all of it. `process` and `isolation` start children without mcpwrap around them, and
//! take `children`, `proc`, `scratch` and `wait` alone.

pub(crate) mod binary;
pub(crate) mod fixture;
pub(crate) mod http;
pub(crate) mod keys;
pub(crate) mod legacy;
pub(crate) mod modern;
pub(crate) mod proc;
pub(crate) mod provider;
pub(crate) mod scratch;
pub(crate) mod stand_in;
pub(crate) mod stderr;
pub(crate) mod vault;
pub(crate) mod wait;

use std::path::Path;

pub(crate) use binary::{Ended, Mcpwrap, Served};
pub(crate) use fixture::child_program;
pub(crate) use http::{Reply, Request, Spoken};
pub(crate) use keys::{Key, b64, signed};
pub(crate) use legacy::Session;
pub(crate) use modern::Modern;
pub(crate) use proc::{Marker, carriers};
pub(crate) use provider::{PUBLIC, Provider, now, with};
pub(crate) use scratch::Scratch;
pub(crate) use serde_json::{Value, json};
pub(crate) use stand_in::{Answer, Asked, StandIn};
pub(crate) use vault::Vault;
pub(crate) use wait::{eventually, soon};

/// A file that nobody but its owner may read or write.
pub(crate) fn write_private(path: &Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
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

/// The code and the message of an error.
pub(crate) fn error(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    assert!(error.is_object() && answer.get("result").is_none(), "no error: {answer}");
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap())
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
    let state = proc::field(pid, "State");
    !state.is_empty() && !state.starts_with('Z')
}

/// Kills a process of the test.
pub(crate) fn kill_hard(pid: i32) {
    use nix::sys::signal::{Signal, kill};
    kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// An id that no other request of this run has.
pub(crate) fn next_id() -> Value {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    json!(NEXT.fetch_add(1, Ordering::Relaxed))
}
