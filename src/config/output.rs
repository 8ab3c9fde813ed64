//! What the process says: log, audit, trace.

use std::path::PathBuf;

use tracing_subscriber::filter::Targets;

use super::key;
use super::layers::Layers;
use super::value;
use super::wrong::Wrong;
use crate::problem::{Origin, Problem};
use crate::telemetry;

/// Where audit records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Nowhere.
    Off,
    /// To stderr, written `-`: stdout carries the URL alone.
    Stderr,
    /// To the end of a file.
    File(PathBuf),
}

/// What has to have happened to a call's first record before the call is dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditDurability {
    /// It has left the process, and survives it.
    Written,
    /// It is on the disk, and survives the machine.
    Synced,
}

/// What is shown of the messages that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    Off,
    /// Each message in one line.
    Lines,
    /// Each message pretty-printed.
    Full,
}

pub(super) fn audit(layers: &mut Layers<'_>, default: Audit) -> Audit {
    match layers.path(&key::AUDIT) {
        None => default,
        Some(file) if file.as_os_str() == "-" => Audit::Stderr,
        Some(file) => Audit::File(file),
    }
}

pub(super) fn audit_durability(layers: &mut Layers<'_>) -> AuditDurability {
    let words = [("written", AuditDurability::Written), ("synced", AuditDurability::Synced)];
    let read = |text: &str| value::choice(text, &words);
    layers.one(&key::AUDIT_DURABILITY, AuditDurability::Written, read)
}

pub(super) fn trace(layers: &mut Layers<'_>) -> Trace {
    let words = [("off", Trace::Off), ("lines", Trace::Lines), ("full", Trace::Full)];
    layers.one(&key::TRACE, Trace::Off, |text| value::choice(text, &words))
}

pub(super) fn log(layers: &mut Layers<'_>) -> telemetry::Settings {
    let formats = [("text", telemetry::Format::Text), ("json", telemetry::Format::Json)];
    telemetry::Settings {
        format: layers
            .one(&key::LOG_FORMAT, telemetry::Format::Text, |text| value::choice(text, &formats)),
        verbosity: layers.one(&key::VERBOSE, 0, |text| {
            let wrong = || Wrong::new(format!("{text:?} is not a level")).hint("write 0, 1 or 2");
            text.parse().map_err(|_| wrong())
        }),
        filter: filter(layers),
    }
}

/// `MCPWRAP_LOG`, else `RUST_LOG`, unless `-v` was typed.
///
/// `RUST_LOG` may be meant for the child and speak a dialect that we do not, which is no reason to refuse to start.
fn filter(layers: &mut Layers<'_>) -> Option<Targets> {
    if layers.origin(&key::VERBOSE) == Origin::Flag {
        return None;
    }
    let vars = ["MCPWRAP_LOG", "RUST_LOG"];
    let (var, text) = vars.into_iter().find_map(|var| Some((var, layers.variable(var)?)))?;
    let parsed = text.to_string_lossy().parse();
    if parsed.is_err() {
        let problem = Problem {
            key: "log".to_owned(),
            origin: Origin::Env { var: var.to_owned() },
            what: format!("{text:?} is not a log filter"),
            hint: Some("write levels by target, like mcpwrap=debug,mcpwrap::http=trace".to_owned()),
        };
        if var == "RUST_LOG" {
            layers.warnings.push(problem);
        } else {
            layers.problems.push(problem);
        }
    }
    parsed.ok()
}
