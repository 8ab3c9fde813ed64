//! Results and errors as 2026-07-28 wants them, whatever revision the server speaks (checklist 3e, 5d, 6.25).

use serde_json::json;

use crate::client::reply::Status;
use crate::mcp::{Era, ErrorObject, Object, ProtocolVersion, Raw, codes, meta};
use crate::policy::Operation;
use crate::server::{Hello, declares_tasks, without_tasks as without_task_capabilities};

const RESULT_TYPE: &[u8] = br#""resultType""#;
/// Methods whose complete results say how long they may be kept.
const CACHEABLE: [&str; 6] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// A server's result with everything that a modern client may rely on.
pub(super) fn result(raw: &Raw, operation: &Operation, hello: &Hello) -> Result<Raw, ErrorObject> {
    let cacheable = CACHEABLE.contains(&operation.method.as_ref());
    // A large result of a modern server passes untouched where nothing has to be added.
    if hello.era() == Era::Modern && !cacheable && is_complete(raw) && names_its_server(raw, hello)
    {
        return Ok(raw.clone());
    }
    let members = Object::parse(raw)
        .map_err(|_| ErrorObject::internal("the server's result is not an object"))?;
    let kind = members.get_str("resultType").filter(|_| hello.era() == Era::Modern);
    if let Some(kind) = kind.filter(|kind| kind != "complete") {
        let text = "the server answered with a result type that the client did not declare";
        return match may_end_with(&kind, operation) {
            true => Ok(raw.clone()),
            false => Err(ErrorObject::internal(text)),
        };
    }
    let mut changes: Vec<(&str, Option<String>)> = Vec::new();
    if hello.era() == Era::Legacy || members.get("resultType").is_none() {
        changes.push(("resultType", Some(r#""complete""#.to_owned())));
    }
    if cacheable {
        // Children belong to users, so what they say is private, never more than that (checklist 6.30).
        changes.push(("cacheScope", Some(r#""private""#.to_owned())));
        let ttl = members.get("ttlMs").and_then(|ttl| ttl.read::<u64>().ok());
        if ttl.is_none() {
            changes.push(("ttlMs", Some("0".to_owned())));
        }
    }
    if let Some(info) = &hello.info {
        let empty = Raw::empty_object();
        let own = members.get("_meta").unwrap_or_else(|| empty.clone());
        if let Ok(own) = Object::parse(&own)
            && own.get(meta::SERVER_INFO).is_none()
        {
            let with = own.with(&[(meta::SERVER_INFO, Some(info.as_str()))]);
            changes.push(("_meta", Some(with.as_str().to_owned())));
        }
    }
    if operation.method == "tools/list"
        && hello.era() == Era::Legacy
        && let Some(tools) = members.get("tools").and_then(|tools| without_tasks(&tools))
    {
        changes.push(("tools", Some(tools)));
    }
    if operation.method == "server/discover" {
        let versions = json!([ProtocolVersion::NEWEST_MODERN.as_str()]);
        changes.push(("supportedVersions", Some(versions.to_string())));
    }
    let changes: Vec<(&str, Option<&str>)> =
        changes.iter().map(|(key, value)| (*key, value.as_deref())).collect();
    Ok(members.with(&changes))
}

/// A `DiscoverResult` made from a legacy server's introduction (checklist 5.2).
pub(super) fn discover(hello: &Hello) -> Raw {
    let capabilities = without_task_capabilities(&hello.capabilities);
    let mut result = json!({ "capabilities": capabilities, "supportedVersions": [] });
    let instructions =
        Object::parse(&hello.result).ok().and_then(|members| members.get("instructions"));
    if let Some(instructions) = instructions {
        result["instructions"] = instructions.read().unwrap_or_default();
    }
    Raw::of(&result)
}

/// An error and the status that goes with it (checklist 3.28, 5.37, 6.31).
pub(super) fn error(error: ErrorObject, operation: &Operation, era: Era) -> (Status, ErrorObject) {
    let named = operation.target().is_some();
    match (error.code, era) {
        // Of a call it means the tool, not the method (checklist 5.37).
        (codes::METHOD_NOT_FOUND, Era::Legacy) if named && operation.method == "tools/call" => {
            (Status::Ok, ErrorObject { code: codes::INVALID_PARAMS, ..error })
        }
        (codes::METHOD_NOT_FOUND, _) => (Status::NotFound, error),
        (codes::LEGACY_RESOURCE_NOT_FOUND, _) => {
            (Status::Ok, ErrorObject { code: codes::INVALID_PARAMS, ..error })
        }
        (codes::MISSING_CAPABILITY | codes::UNSUPPORTED_VERSION, Era::Modern) => {
            (Status::BadRequest, error)
        }
        (code, _) if (-32099..=-32020).contains(&code) => {
            let data = json!({ "code": code, "message": error.message });
            (
                Status::Ok,
                ErrorObject::internal("the server answered with an error").with_data(&data),
            )
        }
        _ => (Status::Ok, error),
    }
}

/// Whether a result says that it is complete, seen without parsing it: it says so somewhere, and nothing else
/// anywhere.
fn is_complete(raw: &Raw) -> bool {
    let text = raw.as_str();
    let mut found = false;
    for at in memchr::memmem::find_iter(text.as_bytes(), RESULT_TYPE) {
        let rest = text.get(at + RESULT_TYPE.len()..).unwrap_or_default().trim_start();
        let value = rest.strip_prefix(':').unwrap_or_default().trim_start();
        if !value.starts_with(r#""complete""#) {
            return false;
        }
        found = true;
    }
    found
}

/// Whether a result says whose it is, as far as that is known (checklist 3.34).
fn names_its_server(raw: &Raw, hello: &Hello) -> bool {
    hello.info.is_none()
        || memchr::memmem::find(raw.as_str().as_bytes(), meta::SERVER_INFO.as_bytes()).is_some()
}

/// Whether a call may end with a result of this other type: with those of extensions only where the client has
/// declared them (checklist 3.33, 9.6).
fn may_end_with(kind: &str, operation: &Operation) -> bool {
    let capabilities = &operation.client.capabilities;
    match kind {
        // That one was read before it came here.
        "input_required" => false,
        "task" => declares_tasks(capabilities),
        _ => Object::parse(capabilities).is_ok_and(|all| all.get("extensions").is_some()),
    }
}

/// The tools that can be called without a task, without what they say about tasks (checklist 5.35, 9.8).
fn without_tasks(tools: &Raw) -> Option<String> {
    memchr::memmem::find(tools.as_str().as_bytes(), br#""execution""#)?;
    let tools: Vec<&serde_json::value::RawValue> = tools.read().ok()?;
    let mut kept = Vec::new();
    for tool in tools {
        let tool = Raw::of(tool);
        let members = Object::parse(&tool).ok()?;
        let support = members
            .get("execution")
            .and_then(|execution| Object::parse(&execution).ok()?.get_str("taskSupport"));
        if support.as_deref() != Some("required") {
            kept.push(members.with(&[("execution", None)]).as_str().to_owned());
        }
    }
    Some(format!("[{}]", kept.join(",")))
}
