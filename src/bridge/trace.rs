//! What `mcpwrap dev --trace` shows: each message in one line, or whole.

use tokio::time::Instant;

use crate::mcp::{ErrorObject, Raw};
use crate::policy::Operation;
use crate::redact::Redactor;

/// How much of the traffic is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    #[default]
    Off,
    /// Direction, method, name, duration, size, outcome.
    Lines,
    /// That and the payloads, readable.
    Full,
}

/// What is known when an answer arrives.
pub(super) struct Seen<'a> {
    pub(super) started: Instant,
    pub(super) outcome: &'a Result<Raw, ErrorObject>,
}

/// Shows the traffic of one child, without what it was given.
#[derive(Debug)]
pub(super) struct Tracer {
    trace: Trace,
    redactor: Redactor,
}

impl Tracer {
    pub(super) fn new(trace: Trace, redactor: Redactor) -> Self {
        Self { trace, redactor }
    }

    pub(super) fn call(&self, operation: &Operation) {
        let raw = operation.params.raw.as_ref();
        let (method, target) = (&operation.method, Target(operation.target()));
        self.show(raw, || format!("→ {method}{target} {}", size(raw)));
    }

    pub(super) fn cancelled(&self, operation: &Operation) {
        let (method, target) = (&operation.method, Target(operation.target()));
        self.show(None, || format!("→ {method}{target} cancelled"));
    }

    pub(super) fn answered(&self, operation: &Operation, seen: &Seen<'_>) {
        let (method, target) = (&operation.method, Target(operation.target()));
        let took = seen.started.elapsed();
        match seen.outcome {
            Ok(result) => self.show(Some(result), || {
                format!("← {method}{target} {took:.1?} {} ok", size(Some(result)))
            }),
            Err(error) => self.show(error.data.as_ref(), || {
                format!("← {method}{target} {took:.1?} error {}: {}", error.code, error.message)
            }),
        }
    }

    pub(super) fn notified(&self, method: &str, params: Option<&Raw>) {
        self.show(params, || format!("← {method} {}", size(params)));
    }

    pub(super) fn asked(&self, method: &str, params: Option<&Raw>) {
        self.show(params, || format!("← {method} (asks) {}", size(params)));
    }

    fn show(&self, payload: Option<&Raw>, line: impl FnOnce() -> String) {
        let show = |text: &str| {
            tracing::info!(target: "mcpwrap::trace", "{}", self.redactor.mask(text));
        };
        match self.trace {
            Trace::Off => {}
            Trace::Lines => show(&line()),
            Trace::Full => {
                let pretty = payload
                    .and_then(|payload| payload.read::<serde_json::Value>().ok())
                    .and_then(|value| serde_json::to_string_pretty(&value).ok())
                    .unwrap_or_default();
                show(&format!("{}\n{pretty}", line()));
            }
        }
    }
}

struct Target<'a>(Option<&'a str>);

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(target) => write!(f, " {target}"),
            None => Ok(()),
        }
    }
}

fn size(payload: Option<&Raw>) -> String {
    let bytes = payload.map_or(0, Raw::len);
    bytesize::ByteSize(bytes as u64).to_string()
}
