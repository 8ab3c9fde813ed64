//! The lines that go to a server. Ids, progress tokens and subscription ids are our own numbers; the rest of a
//! call keeps its bytes wherever that is possible.

use super::Hello;
use crate::mcp::{Era, ErrorObject, Notification, Raw, Request, RequestId, Response, meta};
use crate::policy::{LogLevel, Operation, Permitted};

/// The bridge's own requests: a closed set; of what a caller wrote there is at most one of MCP's log levels in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Internal {
    /// What tools are there, for the start-up message and the catalogue.
    ListTools {
        /// Where the server's previous page said that the list goes on.
        cursor: Option<String>,
    },
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
pub fn internal(out: &mut Vec<u8>, hello: &Hello, id: u64, internal: &Internal) {
    let mut params = serde_json::Map::new();
    let method = match internal {
        Internal::ListTools { cursor } => {
            if let Some(cursor) = cursor {
                params.insert("cursor".to_owned(), cursor.as_str().into());
            }
            "tools/list"
        }
        Internal::SetLevel(level) => {
            params.insert("level".to_owned(), level.as_str().into());
            "logging/setLevel"
        }
    };
    if hello.era() == Era::Modern {
        params.insert("_meta".to_owned(), modern_meta(hello.version.as_str()));
    }
    let params = (!params.is_empty()).then(|| Raw::of(&params));
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
pub(super) fn modern_meta(version: &str) -> serde_json::Value {
    serde_json::json!({
        meta::PROTOCOL_VERSION: version,
        meta::CLIENT_INFO: { "name": "mcpwrap", "version": env!("CARGO_PKG_VERSION") },
        meta::CLIENT_CAPABILITIES: {},
    })
}

/// A legacy client's capabilities without what the modern revision has not (checklist 6.3, 6.4).
fn modern_capabilities(legacy: &Raw) -> String {
    let mut all = super::without_tasks(legacy);
    if let Some(roots) = all.get_mut("roots") {
        *roots = serde_json::json!({});
    }
    all.to_string()
}

pub(super) fn write(out: &mut Vec<u8>, id: u64, method: &str, params: Option<&Raw>) {
    Request::write(out, &RequestId::from(id), method, params);
    out.push(b'\n');
}

/// The wish to have a call run as a task, which only peers of one era understand (checklist 9.1).
fn task_of(operation: &Operation) -> Option<(&'static str, Option<&'static str>)> {
    (operation.method == "tools/call").then_some(("task", None))
}

fn legacy_params(operation: &Operation, id: u64) -> Option<Raw> {
    let token = id.to_string();
    let mut changes = Vec::new();
    if operation.params.meta.progress_token.is_some() {
        changes.push((meta::PROGRESS_TOKEN, Some(token.as_str())));
    }
    let mut top = Vec::new();
    if operation.client.era == Era::Modern {
        changes.extend(meta::MODERN_ONLY.map(|key| (key, None)));
        top.extend([("inputResponses", None), ("requestState", None)]);
        top.extend(task_of(operation));
    }
    operation.params.rewritten(&top, &changes)
}

fn modern_params(operation: &Operation, id: u64) -> Option<Raw> {
    let token = id.to_string();
    let client = &operation.client;
    let mut changes = Vec::new();
    if operation.params.meta.progress_token.is_some() {
        changes.push((meta::PROGRESS_TOKEN, Some(token.as_str())));
    }
    let capabilities = modern_capabilities(&client.capabilities);
    let level = client.log_level.map(|level| format!("\"{}\"", level.as_str()));
    if client.era == Era::Legacy {
        changes.extend([
            (meta::PROTOCOL_VERSION, Some(r#""2026-07-28""#)),
            (meta::CLIENT_CAPABILITIES, Some(capabilities.as_str())),
            (meta::CLIENT_INFO, client.info.as_ref().map(Raw::as_str)),
            (meta::LOG_LEVEL, level.as_deref()),
        ]);
    }
    let mut top = Vec::new();
    if client.era == Era::Legacy {
        top.extend(task_of(operation));
    }
    let state;
    // Elsewhere these members are the method's own, as those of a task's answers are.
    let can_resume = operation.may_ask();
    if can_resume
        && (operation.params.input_responses.is_some()
            || operation.params.request_state.is_some()
            || operation.resume.is_some())
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
