//! What must hold before a modern request is served, in the order of checklist 3.25.

use http::HeaderMap;
use serde_json::json;

use crate::client::headers::{self, Unusable};
use crate::client::reply::{Reply, Status};
use crate::client::settings::LARGEST_INTRODUCTION;
use crate::mcp::{
    Era, ErrorObject, Object, Params, ProtocolVersion, Raw, Request, RequestId, codes, meta,
};
use crate::policy::{ClientSide, LogLevel};
use crate::server::{Hello, TASKS, declares_tasks};

/// Methods that only legacy revisions have; a modern client gets "not found" for them (checklist 5a).
const LEGACY_ONLY: [&str; 7] = [
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/result",
    "tasks/list",
];

/// A request that is not served.
#[derive(Debug)]
pub(super) struct Rejected {
    status: Status,
    error: ErrorObject,
}

impl Rejected {
    pub(super) fn into_outcome(self) -> (Status, Result<Raw, ErrorObject>) {
        (self.status, Err(self.error))
    }

    /// Status and error.
    pub(super) fn into_parts(self) -> (Status, ErrorObject) {
        (self.status, self.error)
    }

    pub(super) fn into_reply(self, id: &RequestId) -> Reply {
        Reply::error(self.status, Some(id), self.error)
    }
}

/// What is left to answer of a method of the older revisions that comes without `_meta`, as clients exist that send it so
/// to servers of either era: it needs no server and changes nothing, since a level holds for the request that names it.
/// One that does say it is modern is not found (checklist 3.28).
///
/// # Errors
/// When the header says another method, or the level is unknown.
pub(super) fn answer_without_meta(
    headers: &HeaderMap,
    request: &Request,
    params: &Params,
) -> Result<Option<Raw>, Rejected> {
    let known = matches!(request.method.as_ref(), "ping" | "logging/setLevel");
    let named = standard(headers, headers::PROTOCOL_VERSION).ok();
    let version = named.and_then(|named| ProtocolVersion::read(&named));
    if !known
        || params.meta.protocol_version.is_some()
        || version.is_none_or(|version| version.era() != Era::Modern)
    {
        return Ok(None);
    }
    check_method(headers, request)?;
    if request.method == "logging/setLevel" {
        let members = params.raw.as_ref().and_then(|raw| Object::parse(raw).ok());
        let level = members.and_then(|members| members.get("level"));
        if read_level(level.as_ref())?.is_none() {
            return Err(invalid("params.level must be a log level"));
        }
    }
    Ok(Some(Raw::of(&json!({ "resultType": "complete" }))))
}

/// Checks headers against the body, and `_meta` against the revision; returns what the client says of itself.
pub(super) fn validate(
    headers: &HeaderMap,
    request: &Request,
    params: &Params,
) -> Result<ClientSide, Rejected> {
    let header = standard(headers, headers::PROTOCOL_VERSION)?;
    let supported =
        |text: &str| ProtocolVersion::read(text).filter(|version| version.era() == Era::Modern);
    // A header that names an unknown version wins over a mismatch (checklist 3.5); a known one that differs from
    // the body's is the split that the comparison is for (10.16).
    if ProtocolVersion::read(&header).is_none() {
        return Err(unsupported(&header));
    }
    let Some(named) = params.meta.protocol_version.as_ref() else {
        return Err(missing(meta::PROTOCOL_VERSION));
    };
    let Ok(named) = named.read::<String>() else {
        return Err(invalid("the protocol version in params._meta must be a string"));
    };
    if header != named {
        return Err(mismatch(headers::PROTOCOL_VERSION, "differs from params._meta"));
    }
    if supported(&named).is_none() {
        return Err(unsupported(&named));
    }
    let Some(capabilities) = params.meta.client_capabilities.clone() else {
        return Err(missing(meta::CLIENT_CAPABILITIES));
    };
    if !capabilities.is_object() {
        return Err(invalid("the client capabilities in params._meta must be an object"));
    }
    let info = params.meta.client_info.as_ref();
    if info.is_some_and(|info| !info.is_object()) {
        return Err(invalid("the client info in params._meta must be an object"));
    }
    if capabilities.len() + info.map_or(0, Raw::len) > LARGEST_INTRODUCTION {
        return Err(invalid("the client's capabilities and info in params._meta are too large"));
    }
    check_method(headers, request)?;
    if LEGACY_ONLY.contains(&request.method.as_ref()) {
        let error = ErrorObject::method_not_found(&request.method);
        let supported = [ProtocolVersion::NEWEST_MODERN.as_str()];
        let error = error.with_data(&json!({ "supported": supported }));
        return Err(Rejected { status: Status::NotFound, error });
    }
    check_name(headers, request, params)?;
    let log_level = read_level(params.meta.log_level.as_ref())?;
    let info = params.meta.client_info.clone();
    let capabilities = without_own_tasks(capabilities);
    Ok(ClientSide { era: Era::Modern, capabilities, info, log_level, session: None })
}

/// What a client of the older revisions can do is no capability here: it is never asked to run a task
/// (checklist 9.1, 9.9).
fn without_own_tasks(capabilities: Raw) -> Raw {
    match Object::parse(&capabilities) {
        Ok(members) if members.get("tasks").is_some() => members.with(&[("tasks", None)]),
        _ => capabilities,
    }
}

/// Whether a caller may speak of tasks to a modern server: he has declared the extension, or there are none
/// (checklist 9.6).
pub(super) fn may_use_tasks(client: &ClientSide, hello: &Hello) -> Result<(), Rejected> {
    if !declares_tasks(&hello.capabilities) || declares_tasks(&client.capabilities) {
        return Ok(());
    }
    let error = super::asks::missing(&json!({ "extensions": { TASKS: {} } }));
    Err(Rejected { status: Status::BadRequest, error })
}

fn check_method(headers: &HeaderMap, request: &Request) -> Result<(), Rejected> {
    match *standard(headers, headers::METHOD)? == *request.method {
        true => Ok(()),
        false => Err(mismatch(headers::METHOD, "differs from the body's method")),
    }
}

fn check_name(headers: &HeaderMap, request: &Request, params: &Params) -> Result<(), Rejected> {
    let body = match request.method.as_ref() {
        "tools/call" | "prompts/get" => ("params.name", &params.name),
        "resources/read" => ("params.uri", &params.uri),
        "tasks/get" | "tasks/update" | "tasks/cancel" => ("params.taskId", &params.task_id),
        _ => return Ok(()),
    };
    let named = standard(headers, headers::NAME)?;
    match body {
        (_, Some(value)) if *value == named => Ok(()),
        (_, Some(_)) => Err(mismatch(headers::NAME, "differs from the body")),
        (member, None) => Err(invalid(&format!("{member} must be a string"))),
    }
}

fn read_level(raw: Option<&Raw>) -> Result<Option<LogLevel>, Rejected> {
    raw.map(Raw::read).transpose().map_err(|_| invalid("the log level is unknown"))
}

/// A header that must be there.
fn standard(headers: &HeaderMap, name: &'static str) -> Result<String, Rejected> {
    match headers::value(headers, name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(mismatch(name, "is missing")),
        Err(error @ (Unusable::Repeated | Unusable::Malformed)) => {
            Err(mismatch(name, &error.to_string()))
        }
    }
}

/// A header that says something else than the body.
pub(super) fn mismatch(name: &str, what: &str) -> Rejected {
    let error = ErrorObject::new(codes::HEADER_MISMATCH, format!("the header {name} {what}"));
    Rejected { status: Status::BadRequest, error }
}

fn unsupported(requested: &str) -> Rejected {
    let requested: String = requested.chars().filter(|c| !c.is_control()).take(64).collect();
    let supported = [ProtocolVersion::NEWEST_MODERN.as_str()];
    let error = ErrorObject::new(
        codes::UNSUPPORTED_VERSION,
        "unsupported protocol version; legacy versions are served after initialize",
    )
    .with_data(&json!({ "supported": supported, "requested": requested }));
    Rejected { status: Status::BadRequest, error }
}

fn missing(key: &str) -> Rejected {
    let error = ErrorObject::invalid_params(format!("params._meta lacks {key}"));
    Rejected { status: Status::BadRequest, error: error.with_data(&json!({ "missing": [key] })) }
}

fn invalid(message: &str) -> Rejected {
    Rejected { status: Status::BadRequest, error: ErrorObject::invalid_params(message) }
}
