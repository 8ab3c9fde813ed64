//! Clients of the revisions up to 2025-11-25: a handshake, a session, resumable streams.
//!
//! A call's events go to its own stream, whether or not the client still listens; a client that comes back
//! with `Last-Event-ID` gets what it missed. Only `notifications/cancelled` and the session's end cancel.

mod calls;
mod downgrade;
mod drive;
mod exchange;
mod follow;
mod initialize;
mod listen;
mod session;
pub(super) mod sse;
mod stream;
mod translate;

use std::sync::Arc;

use bytestring::ByteString;
use http::HeaderMap;

use session::Session;
pub(super) use session::Sessions;

use super::front::{Arrival, Front, bad, not_allowed};
use super::modern::headers;
use super::reply::{Refusal, Reply, Status};
use crate::mcp::{
    Era, ErrorObject, Message, Notification, Params, ProtocolVersion, RequestId, codes,
};
use crate::policy::Operation;

/// The session's header, in any case.
pub const SESSION_ID: &str = "mcp-session-id";
const LAST_EVENT_ID: &str = "last-event-id";
/// The most messages that one batch may have.
const LARGEST_BATCH: usize = 100;

/// The session that a request names.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    // A value that is no text names no session, which is answered like an unknown one.
    headers.get(SESSION_ID).map(|value| value.to_str().unwrap_or("\u{0}"))
}

/// Serves one POSTed message.
pub(super) async fn post(
    front: &Arc<Front>,
    arrival: &Arrival,
    message: Message,
    params: Params,
) -> Reply {
    if let Message::Request(request) = &message
        && request.method == "initialize"
    {
        return initialize::initialize(front, arrival, &request.id, &params).await;
    }
    let id = match &message {
        Message::Request(request) => Some(request.id.clone()),
        _ => None,
    };
    let session = match find(front, arrival, id.as_ref()) {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    match message {
        Message::Request(request) => {
            if session.calls.contains(&request.id) {
                return bad(
                    id.as_ref(),
                    codes::INVALID_REQUEST,
                    "a request with this id is under way",
                );
            }
            let operation = Operation {
                method: request.method,
                params,
                caller: session.caller(),
                resume: None,
            };
            exchange::one(front, arrival, &session, request.id, operation).await
        }
        Message::Notification(notification) => {
            notified(front, arrival, &session, notification, params);
            Reply::Accepted
        }
        Message::Response(response) => match response.id {
            Some(id) if session.answer(&id, response.outcome) => Reply::Accepted,
            _ => bad(None, codes::INVALID_REQUEST, "an answer to nothing that was asked"),
        },
    }
}

/// Serves a batch, which only 2025-03-26 knows (checklist 2.20).
pub(super) async fn batch(front: &Arc<Front>, arrival: &Arrival, text: &ByteString) -> Reply {
    if session_id(&arrival.headers).is_none() {
        return bad(None, codes::INVALID_REQUEST, "a batch is not allowed here");
    }
    let session = match find(front, arrival, None) {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    if session.version != ProtocolVersion::V2025_03_26 {
        return bad(None, codes::INVALID_REQUEST, "a batch is allowed in 2025-03-26 only");
    }
    let members = match Message::split_batch(text, LARGEST_BATCH) {
        Ok(members) => members,
        Err(error) => return bad(None, codes::INVALID_REQUEST, &error.to_string()),
    };
    let mut requests = Vec::new();
    let mut others = Vec::new();
    for member in &members {
        let message = match Message::parse(member) {
            Ok(message) => message,
            Err(error) => return bad(None, codes::INVALID_REQUEST, &error.to_string()),
        };
        let raw = match &message {
            Message::Request(request) => request.params.clone(),
            Message::Notification(notification) => notification.params.clone(),
            Message::Response(_) => None,
        };
        let params = match Params::read(raw) {
            Ok(params) => params,
            Err(error) => return bad(None, codes::INVALID_PARAMS, &error.to_string()),
        };
        match message {
            Message::Request(request) if request.method == "initialize" => {
                return bad(Some(&request.id), codes::INVALID_REQUEST, "initialize in a batch");
            }
            Message::Request(request)
                if session.calls.contains(&request.id)
                    || requests.iter().any(|(id, _)| *id == request.id) =>
            {
                let text = "a request with this id is under way";
                return bad(Some(&request.id), codes::INVALID_REQUEST, text);
            }
            Message::Request(request) => {
                let caller = session.caller();
                let method = request.method;
                requests.push((request.id, Operation { method, params, caller, resume: None }));
            }
            other => others.push((other, params)),
        }
    }
    for (message, params) in others {
        match message {
            Message::Notification(notification) => {
                notified(front, arrival, &session, notification, params);
            }
            Message::Response(response) => {
                if let Some(id) = response.id {
                    session.answer(&id, response.outcome);
                }
            }
            Message::Request(_) => {}
        }
    }
    if requests.is_empty() {
        return Reply::Accepted;
    }
    exchange::many(front, arrival, &session, requests)
}

/// Opens or resumes a stream.
pub(super) fn get(front: &Arc<Front>, arrival: &Arrival) -> Reply {
    if session_id(&arrival.headers).is_none() {
        return not_allowed("POST");
    }
    if !headers::accepts_events(&arrival.headers) {
        return Reply::Refused(Refusal::NotAcceptable);
    }
    match find(front, arrival, None) {
        Ok(session) => {
            let last = arrival.headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or(""));
            listen::open(&session, last)
        }
        Err(reply) => reply,
    }
}

/// Ends a session.
pub(super) fn delete(front: &Arc<Front>, arrival: &Arrival) -> Reply {
    if session_id(&arrival.headers).is_none() {
        return bad(None, codes::INVALID_REQUEST, "no session is named");
    }
    match find(front, arrival, None) {
        Ok(session) => {
            front.sessions.end(&session);
            if let Some(scope) = &session.scope {
                front.pool.forget(&arrival.principal, scope);
            }
            Reply::Ended
        }
        Err(reply) => reply,
    }
}

/// The session of a request, or what to say instead (checklist 2.3, 2.4, 2.8).
fn find(front: &Front, arrival: &Arrival, id: Option<&RequestId>) -> Result<Arc<Session>, Reply> {
    let Some(name) = session_id(&arrival.headers) else {
        return Err(bad(id, codes::INVALID_REQUEST, "no session is named; send initialize first"));
    };
    let Some(session) = front.session(name, &arrival.principal) else {
        let error = ErrorObject::new(codes::INVALID_REQUEST, "session not found");
        return Err(Reply::error(Status::NotFound, id, error));
    };
    if let Some(value) = arrival.headers.get(headers::PROTOCOL_VERSION) {
        // Another legacy revision than the negotiated one is tolerated: clients in the field send their oldest
        // (checklist 2.8 recommends otherwise, the conformance suite 0.1.16 demands it).
        let named = value.to_str().ok().and_then(ProtocolVersion::read);
        let fits = named.is_some_and(|version| version.era() == Era::Legacy);
        if !fits {
            let text = format!(
                "the session speaks {}; the header {} names another version",
                session.version,
                headers::PROTOCOL_VERSION
            );
            return Err(bad(id, codes::INVALID_REQUEST, &text));
        }
    }
    Ok(session)
}

/// Acts on a client's notification.
fn notified(
    front: &Front,
    arrival: &Arrival,
    session: &Arc<Session>,
    notification: Notification,
    params: Params,
) {
    match notification.method.as_ref() {
        "notifications/initialized" => session.initialized(),
        "notifications/cancelled" => {
            let named = notification.params.as_ref().and_then(|params| {
                let members = crate::mcp::Object::parse(params).ok()?;
                let id = members.get("requestId")?;
                let raw: &serde_json::value::RawValue = id.read().ok()?;
                RequestId::read(raw)
            });
            if let Some(id) = named {
                session.calls.recall(&id);
            }
        }
        _ => {
            let caller = session.caller();
            let method = notification.method;
            let operation = Operation { method, params, caller, resume: None };
            let child = session.seat.slot().child();
            if let (Some(child), Ok(permitted)) =
                (child, front.permit(&arrival.principal, operation))
                && child.hello().era() == Era::Legacy
            {
                child.notify(permitted);
            }
        }
    }
}
