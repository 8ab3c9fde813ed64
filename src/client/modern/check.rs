//! What must hold before a modern request is served, in the order of checklist 3.25.

use http::HeaderMap;
use serde_json::json;

use super::headers::{self, Unusable};
use crate::client::front::LARGEST_INTRODUCTION;
use crate::client::reply::{Reply, Status};
use crate::mcp::{Era, ErrorObject, Params, ProtocolVersion, Raw, Request, RequestId, codes, meta};
use crate::policy::{Caller, LogLevel};

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

/// A request whose headers and `_meta` are in order.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) caller: Caller,
}

/// A request that is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    status: Status,
    error: ErrorObject,
}

impl Refusal {
    pub(super) fn into_outcome(self) -> (Status, Result<Raw, ErrorObject>) {
        (self.status, Err(self.error))
    }

    pub(super) fn into_reply(self, id: &RequestId) -> Reply {
        Reply::error(self.status, Some(id), self.error)
    }
}

/// Checks headers against the body, and `_meta` against the revision.
pub(super) fn check(
    headers: &HeaderMap,
    request: &Request,
    params: &Params,
) -> Result<Checked, Refusal> {
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
    if *standard(headers, headers::METHOD)? != *request.method {
        return Err(mismatch(headers::METHOD, "differs from the body's method"));
    }
    if LEGACY_ONLY.contains(&request.method.as_ref()) {
        let error = ErrorObject::method_not_found(&request.method);
        let supported = [ProtocolVersion::NEWEST_MODERN.as_str()];
        let error = error.with_data(&json!({ "supported": supported }));
        return Err(Refusal { status: Status::NotFound, error });
    }
    check_name(headers, request, params)?;
    let log_level = read_level(params.meta.log_level.as_ref())?;
    let info = params.meta.client_info.clone();
    Ok(Checked {
        caller: Caller { era: Era::Modern, capabilities, info, log_level, session: None },
    })
}

fn check_name(headers: &HeaderMap, request: &Request, params: &Params) -> Result<(), Refusal> {
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

fn read_level(raw: Option<&Raw>) -> Result<Option<LogLevel>, Refusal> {
    raw.map(Raw::read).transpose().map_err(|_| invalid("the log level in params._meta is unknown"))
}

/// A header that must be there.
fn standard(headers: &HeaderMap, name: &'static str) -> Result<String, Refusal> {
    match headers::value(headers, name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(mismatch(name, "is missing")),
        Err(error @ (Unusable::Repeated | Unusable::Malformed)) => {
            Err(mismatch(name, &error.to_string()))
        }
    }
}

/// A header that says something else than the body.
pub(super) fn mismatch(name: &str, what: &str) -> Refusal {
    let error = ErrorObject::new(codes::HEADER_MISMATCH, format!("the header {name} {what}"));
    Refusal { status: Status::BadRequest, error }
}

fn unsupported(requested: &str) -> Refusal {
    let requested: String = requested.chars().filter(|c| !c.is_control()).take(64).collect();
    let supported = [ProtocolVersion::NEWEST_MODERN.as_str()];
    let error = ErrorObject::new(
        codes::UNSUPPORTED_VERSION,
        "unsupported protocol version; legacy versions are served after initialize",
    )
    .with_data(&json!({ "supported": supported, "requested": requested }));
    Refusal { status: Status::BadRequest, error }
}

fn missing(key: &str) -> Refusal {
    let error = ErrorObject::invalid_params(format!("params._meta lacks {key}"));
    Refusal { status: Status::BadRequest, error: error.with_data(&json!({ "missing": [key] })) }
}

fn invalid(message: &str) -> Refusal {
    Refusal { status: Status::BadRequest, error: ErrorObject::invalid_params(message) }
}
