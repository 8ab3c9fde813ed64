//! The lines that go to a server. Ids, progress tokens and subscription ids are our own numbers; the rest of a
//! call keeps its bytes wherever that is possible.

use bytestring::ByteString;

use super::Hello;
use crate::mcp::{Era, ErrorObject, Notification, Raw, Request, RequestId, Response, meta};
use crate::policy::{LogLevel, Operation, Permitted};

/// The bridge's own requests: a closed set that carries nothing a caller wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Internal {
    /// What tools are there, for the start-up message and the catalogue.
    ListTools,
    /// The most verbose level that any client of this server wants (legacy servers only).
    SetLevel(LogLevel),
}

/// Writes a permitted call under our number.
pub fn call(out: &mut Vec<u8>, hello: &Hello, id: u64, permitted: &Permitted) {
    let operation = permitted.operation();
    let params = match hello.era() {
        Era::Legacy => legacy_params(operation, id),
        Era::Modern => modern_params(operation, id),
    };
    write(out, id, &operation.method, params.as_ref());
}

/// Writes one of the bridge's own requests under our number.
pub fn internal(out: &mut Vec<u8>, hello: &Hello, id: u64, internal: Internal) {
    let (method, level) = match internal {
        Internal::ListTools => ("tools/list", None),
        Internal::SetLevel(level) => ("logging/setLevel", Some(level)),
    };
    let params = match (hello.era(), level) {
        (_, Some(level)) => Some(format!(r#"{{"level":"{}"}}"#, level.as_str())),
        (Era::Legacy, None) => None,
        (Era::Modern, None) => Some(format!(r#"{{"_meta":{}}}"#, own_meta(hello))),
    };
    let params = params.and_then(|text| Raw::parse(text).ok());
    write(out, id, method, params.as_ref());
}

/// Takes a call back.
pub fn cancel(out: &mut Vec<u8>, id: u64, reason: &str) {
    let params = serde_json::json!({ "requestId": id, "reason": reason });
    notify(out, "notifications/cancelled", Some(&Raw::of(&params)));
}

/// Writes a notification.
pub fn notify(out: &mut Vec<u8>, method: &str, params: Option<&Raw>) {
    Notification::write(out, method, params);
    out.push(b'\n');
}

/// Answers a request of the server.
pub fn reply(out: &mut Vec<u8>, id: &RequestId, outcome: &Result<Raw, ErrorObject>) {
    Response::write(out, Some(id), outcome);
    out.push(b'\n');
}

/// The `_meta` of a modern request that mcpwrap makes for itself.
pub(super) fn own_meta(hello: &Hello) -> String {
    modern_meta(hello.version.as_str())
}

/// The `_meta` of a modern request that mcpwrap makes for itself, for a given revision.
pub(super) fn modern_meta(version: &str) -> String {
    serde_json::json!({
        meta::PROTOCOL_VERSION: version,
        meta::CLIENT_INFO: { "name": "mcpwrap", "version": env!("CARGO_PKG_VERSION") },
        meta::CLIENT_CAPABILITIES: {},
    })
    .to_string()
}

pub(super) fn write(out: &mut Vec<u8>, id: u64, method: &str, params: Option<&Raw>) {
    Request::write(out, &RequestId::from(id), method, params);
    out.push(b'\n');
}

fn legacy_params(operation: &Operation, id: u64) -> Option<Raw> {
    let token = id.to_string();
    let mut changes = Vec::new();
    if operation.params.meta.progress_token.is_some() {
        changes.push((meta::PROGRESS_TOKEN, Some(token.as_str())));
    }
    let mut top = Vec::new();
    if operation.caller.era == Era::Modern {
        changes.extend(meta::MODERN_ONLY.map(|key| (key, None)));
        top.extend([("inputResponses", None), ("requestState", None)]);
    }
    operation.params.rewritten(&top, &changes)
}

fn modern_params(operation: &Operation, id: u64) -> Option<Raw> {
    let token = id.to_string();
    let caller = &operation.caller;
    let mut changes = Vec::new();
    if operation.params.meta.progress_token.is_some() {
        changes.push((meta::PROGRESS_TOKEN, Some(token.as_str())));
    }
    let level = caller.log_level.map(|level| format!("\"{}\"", level.as_str()));
    if caller.era == Era::Legacy {
        changes.extend([
            (meta::PROTOCOL_VERSION, Some(r#""2026-07-28""#)),
            (meta::CLIENT_CAPABILITIES, Some(caller.capabilities.as_str())),
            (meta::CLIENT_INFO, caller.info.as_ref().map(Raw::as_str)),
            (meta::LOG_LEVEL, level.as_deref()),
        ]);
    }
    let mut top = Vec::new();
    let state;
    if operation.params.input_responses.is_some()
        || operation.params.request_state.is_some()
        || operation.resume.is_some()
    {
        let resume = operation.resume.as_ref();
        state = resume
            .and_then(|resume| resume.state.as_deref())
            .map(|state| serde_json::Value::from(state).to_string());
        let responses = resume.and_then(|resume| resume.responses.as_ref());
        top.push(("inputResponses", responses.map(Raw::as_str)));
        top.push(("requestState", state.as_deref()));
    }
    operation.params.rewritten(&top, &changes)
}

/// A method that has no caller's words in it.
#[must_use]
pub fn method_of(internal: Internal) -> ByteString {
    ByteString::from_static(match internal {
        Internal::ListTools => "tools/list",
        Internal::SetLevel(_) => "logging/setLevel",
    })
}
