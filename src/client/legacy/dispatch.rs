//! What becomes of a client's messages, however they came: alone, in a batch, or beside a stream of HTTP+SSE.

use std::sync::Arc;

use bytestring::ByteString;

use super::session::{Answered, Session};
use crate::client::context::Context;
use crate::client::reply::Reply;
use crate::gate::Access;
use crate::mcp::{Message, Notification, Object, Params, RequestId, Response, codes};
use crate::policy::Operation;

/// The most messages that one batch may have.
const LARGEST_BATCH: usize = 100;

/// Reads the messages of a batch; one that cannot be served spoils all of it.
pub(super) fn read_batch(text: &ByteString) -> Result<Vec<(Message, Params)>, Reply> {
    let bad = |id: Option<&RequestId>, code, text: &str| Reply::bad(id, code, text);
    let members = Message::split_batch(text, LARGEST_BATCH)
        .map_err(|error| bad(None, codes::INVALID_REQUEST, &error.to_string()))?;
    let read = |member: &ByteString| {
        let message = Message::parse(member)
            .map_err(|error| bad(None, codes::INVALID_REQUEST, &error.to_string()))?;
        let params = Params::read(message.params())
            .map_err(|error| bad(None, codes::INVALID_PARAMS, &error.to_string()))?;
        match &message {
            Message::Request(request) if request.method == "initialize" => {
                Err(bad(Some(&request.id), codes::INVALID_REQUEST, "initialize in a batch"))
            }
            _ => Ok((message, params)),
        }
    };
    members.iter().map(read).collect()
}

/// Acts on an answer or a notification, and returns a request, which is the caller's to serve where its answer belongs.
pub(super) fn dispatch(
    context: &Context,
    access: &Access,
    session: &Arc<Session>,
    message: Message,
    params: Params,
) -> Result<Option<(RequestId, Operation)>, Reply> {
    match message.id() {
        Some(id) if session.calls.contains(id) => Err(under_way(id)),
        _ => act_on(context, access, session, message, params),
    }
}

/// Acts on a batch and returns its requests. Nothing is acted on where a request cannot be served; an answer that cannot
/// be taken in does not hold up the rest.
pub(super) fn dispatch_all(
    context: &Context,
    access: &Access,
    session: &Arc<Session>,
    messages: Vec<(Message, Params)>,
) -> Result<Vec<(RequestId, Operation)>, Reply> {
    for (at, (message, _)) in messages.iter().enumerate() {
        let Some(id) = message.id() else { continue };
        let twice = messages[..at].iter().any(|(other, _)| other.id() == Some(id));
        if twice || session.calls.contains(id) {
            return Err(under_way(id));
        }
    }
    let act = |(message, params)| act_on(context, access, session, message, params);
    Ok(messages.into_iter().filter_map(|one| act(one).ok().flatten()).collect())
}

fn act_on(
    context: &Context,
    access: &Access,
    session: &Arc<Session>,
    message: Message,
    params: Params,
) -> Result<Option<(RequestId, Operation)>, Reply> {
    match message {
        Message::Request(request) => {
            let (method, client) = (request.method, session.client());
            let operation = Operation { method, params, client, resume: None };
            Ok(Some((request.id, operation)))
        }
        Message::Notification(notification) => {
            notified(context, access, session, notification, params);
            Ok(None)
        }
        Message::Response(response) => answered(context, access, session, response).map(|()| None),
    }
}

fn under_way(id: &RequestId) -> Reply {
    Reply::bad(Some(id), codes::INVALID_REQUEST, "a request with this id is under way")
}

/// Takes in a client's answer.
fn answered(
    context: &Context,
    access: &Access,
    session: &Arc<Session>,
    response: Response,
) -> Result<(), Reply> {
    let answered =
        response.id.map_or(Answered::Unknown, |id| session.answer(&id, response.outcome));
    match answered {
        Answered::Known => Ok(()),
        Answered::Outside(number, ask, outcome) => {
            let passed = context.gate.answer(access, &session.seat, &ask, outcome);
            passed.map_err(|refused| {
                // The client may try again.
                session.ask_again(number, ask);
                Reply::refused(None, refused)
            })
        }
        Answered::Unknown => {
            Err(Reply::bad(None, codes::INVALID_REQUEST, "an answer to nothing that was asked"))
        }
    }
}

/// Acts on a client's notification.
fn notified(
    context: &Context,
    access: &Access,
    session: &Arc<Session>,
    notification: Notification,
    params: Params,
) {
    match notification.method.as_ref() {
        "notifications/initialized" => session.initialized(),
        "notifications/cancelled" => {
            let named = notification.params.as_ref().and_then(|params| {
                let id = Object::parse(params).ok()?.get("requestId")?;
                let raw: &serde_json::value::RawValue = id.read().ok()?;
                RequestId::read(raw)
            });
            if let Some(id) = named {
                session.calls.recall(&id);
            }
        }
        _ => {
            let (method, client) = (notification.method, session.client());
            let operation = Operation { method, params, client, resume: None };
            if let Err(refused) = context.gate.notify(access, &session.seat, operation) {
                // It has no answer that could say so.
                tracing::debug!(error = %refused.error.message, "a notification did not pass");
            }
        }
    }
}
