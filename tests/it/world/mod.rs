//! What the tests stand on: a running mcpwrap, HTTP by hand, and clients of both eras.

pub(crate) mod http;
pub(crate) mod legacy;
pub(crate) mod modern;
pub(crate) mod served;
pub(crate) mod stderr;
mod wait;

use std::path::{Path, PathBuf};

pub(crate) use http::{Events, Reply, Request, Spoken};
pub(crate) use legacy::Session;
pub(crate) use modern::Modern;
pub(crate) use serde_json::{Value, json};
pub(crate) use served::{Served, Setup};
pub(crate) use wait::{eventually, soon};

/// A directory of its own for each test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
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

/// The error of an answer.
pub(crate) fn error(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    assert!(error.is_object() && answer.get("result").is_none(), "no error: {answer}");
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap())
}

/// Whether a process of this id is alive.
pub(crate) fn is_alive(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("\nState:\tZ")
}
