//! Every status code that mcpwrap sends, in one place (checklist 3.28).

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::rejection::Rejection;
use super::{content, sse};
use crate::auth::{self, Denied};
use crate::client::{Content, Refusal, Reply, SESSION_ID, Status};
use crate::mcp::{self, ErrorObject, RequestId, codes};

/// Writes a reply.
pub(super) fn write(reply: Reply, keep_alive: std::time::Duration) -> Response {
    match reply {
        Reply::Json { status, content, session } => {
            with_session(json(code(status), content), session.as_deref(), status)
        }
        Reply::Events { frames, session } => {
            let response = sse::response(frames, keep_alive);
            with_session(response, session.as_deref(), Status::Ok)
        }
        Reply::Accepted => empty(StatusCode::ACCEPTED),
        Reply::Ended => empty(StatusCode::NO_CONTENT),
        Reply::Refused(Refusal::Error { status, id, error }) => {
            with_session(json(code(status), error_content(id.as_ref(), error)), None, status)
        }
        Reply::Refused(Refusal::Method { allowed }) => {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
        Reply::Refused(Refusal::NotAcceptable) => empty(StatusCode::NOT_ACCEPTABLE),
    }
}

/// Writes a refusal of something that was not read.
pub(super) fn rejected(why: Rejection) -> Response {
    let (status, code, message) = match why {
        Rejection::Path => return empty(StatusCode::NOT_FOUND),
        Rejection::NoServerMetadata => {
            let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        }
        Rejection::NoRoom(short) => {
            return write(Reply::short(None, short), std::time::Duration::ZERO);
        }
        Rejection::Foreign => (
            StatusCode::FORBIDDEN,
            codes::INVALID_REQUEST,
            "this host or origin is not allowed (--allow-host, --allow-origin)",
        ),
        Rejection::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            codes::INVALID_REQUEST,
            "the body is larger than allowed (--max-body)",
        ),
        Rejection::Incomplete => {
            (StatusCode::BAD_REQUEST, codes::PARSE_ERROR, "the body did not arrive whole")
        }
        Rejection::ContentType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            codes::INVALID_REQUEST,
            "the content type must be application/json",
        ),
    };
    json(status, error_content(None, ErrorObject::new(code, message)))
}

fn code(status: Status) -> StatusCode {
    match status {
        Status::Ok => StatusCode::OK,
        Status::BadRequest => StatusCode::BAD_REQUEST,
        Status::NotFound => StatusCode::NOT_FOUND,
        Status::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Status::TooMany => StatusCode::TOO_MANY_REQUESTS,
    }
}

fn error_content(id: Option<&RequestId>, error: ErrorObject) -> Content {
    let mut out = Vec::new();
    mcp::Response::write(&mut out, id, &Err(error));
    Content(vec![out.into()])
}

fn json(status: StatusCode, content: Content) -> Response {
    let mut response = Response::new(content::body(content));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn with_session(mut response: Response, session: Option<&str>, status: Status) -> Response {
    let headers = response.headers_mut();
    if let Some(value) = session.and_then(|session| HeaderValue::from_str(session).ok()) {
        headers.insert(SESSION_ID, value);
    }
    let wait = match status {
        Status::Unavailable { retry_after } => retry_after,
        Status::TooMany => Some(std::time::Duration::from_secs(1)),
        _ => None,
    };
    if let Some(wait) = wait {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

/// Writes a metadata document: for every origin, and cached for a short while (checklist 7.3).
pub(super) fn document(document: Bytes) -> Response {
    let mut response = Response::new(Body::from(document));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    response
}

/// What a caller without a good token is told about getting one.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Where the RFC 9728 document is.
    pub metadata_url: String,
    /// What to ask for at the first log-in.
    pub scopes: Vec<String>,
}

/// Writes the refusal of a caller (RFC 6750 section 3, checklist 7.5).
pub(super) fn denied(denied: &Denied, challenge: Option<&Challenge>) -> Response {
    let status = match denied {
        Denied::Missing | Denied::Invalid { .. } => StatusCode::UNAUTHORIZED,
        Denied::Malformed { .. } => StatusCode::BAD_REQUEST,
        Denied::Scope { .. } | Denied::Forbidden { .. } => StatusCode::FORBIDDEN,
        Denied::Slowed => StatusCode::TOO_MANY_REQUESTS,
        Denied::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    let error = ErrorObject::new(codes::INVALID_REQUEST, denied.sentence());
    let mut response = json(status, error_content(None, error));
    let headers = response.headers_mut();
    let value = challenge
        .and_then(|challenge| auth::challenge(denied, &challenge.metadata_url, &challenge.scopes));
    if let Some(value) = value {
        headers.insert(WWW_AUTHENTICATE, value);
    }
    let wait = match denied {
        Denied::Slowed => Some("1"),
        Denied::Unavailable { .. } => Some("5"),
        _ => None,
    };
    if let Some(wait) = wait {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(wait));
    }
    response
}
