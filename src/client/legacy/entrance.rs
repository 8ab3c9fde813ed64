//! Where a legacy client's messages come in, by POST, GET and DELETE, and on a stream of HTTP+SSE.

use std::sync::Arc;

use bytestring::ByteString;

use super::dispatch::{dispatch, dispatch_all, read_batch};
use super::session::Session;
use super::sessions::Sessions;
use super::sse::{self, Links};
use super::{initialize, listen, post};
use crate::auth::UserId;
use crate::client::context::{Arrival, Context};
use crate::client::headers;
use crate::client::reply::{Refusal, Reply, Status};
use crate::gate::Access;
use crate::mcp::{Era, ErrorObject, Message, Params, ProtocolVersion, RequestId, codes};

/// The legacy half of the client side.
#[derive(Debug)]
pub(in crate::client) struct Legacy {
    sessions: Arc<Sessions>,
    links: Arc<Links>,
}

impl Legacy {
    pub(in crate::client) fn new(context: Arc<Context>) -> Self {
        Self { sessions: Arc::new(Sessions::new(context)), links: Arc::default() }
    }

    /// Serves one POSTed message.
    pub(in crate::client) async fn post(
        &self,
        arrival: &Arrival,
        message: Message,
        params: Params,
    ) -> Reply {
        if let Message::Request(request) = &message
            && request.method == "initialize"
        {
            return match self.access(arrival, Some(&request.id)) {
                Ok(access) => {
                    let (sessions, id) = (&self.sessions, &request.id);
                    initialize::initialize(sessions, &access, arrival, id, &params).await
                }
                Err(reply) => reply,
            };
        }
        let context = self.sessions.context();
        let (access, session) = match self.find(arrival, message.id()) {
            Ok(found) => found,
            Err(reply) => return reply,
        };
        match dispatch(context, &access, &session, message, params) {
            Ok(Some(request)) => match context.gate.open() {
                Ok(()) => post::one(context, &access, arrival, &session, request).await,
                Err(refused) => Reply::refused(Some(&request.0), refused),
            },
            Ok(None) => Reply::Accepted,
            Err(reply) => reply,
        }
    }

    /// Serves a batch, which only 2025-03-26 knows (checklist 2.20).
    pub(in crate::client) fn batch(&self, arrival: &Arrival, text: &ByteString) -> Reply {
        let bad = |text: &str| Reply::bad(None, codes::INVALID_REQUEST, text);
        if headers::session_id(&arrival.headers).is_none() {
            return bad("a batch is not allowed here");
        }
        let (access, session) = match self.find(arrival, None) {
            Ok(found) => found,
            Err(reply) => return reply,
        };
        if session.version != ProtocolVersion::V2025_03_26 {
            return bad("a batch is allowed in 2025-03-26 only");
        }
        let context = self.sessions.context();
        let requests = read_batch(text)
            .and_then(|messages| dispatch_all(context, &access, &session, messages));
        match requests {
            Ok(requests) if requests.is_empty() => Reply::Accepted,
            Ok(requests) => match context.gate.open() {
                Ok(()) => post::many(context, &access, &session, requests),
                Err(refused) => Reply::refused(None, refused),
            },
            Err(reply) => reply,
        }
    }

    /// Opens or resumes a stream.
    pub(in crate::client) fn get(&self, arrival: &Arrival) -> Reply {
        if headers::session_id(&arrival.headers).is_none() {
            return Reply::not_allowed("POST");
        }
        if !headers::accepts_events(&arrival.headers) {
            return Reply::Refused(Refusal::NotAcceptable);
        }
        match self.find(arrival, None) {
            Ok((_, session)) => {
                let last = arrival.headers.get(headers::LAST_EVENT_ID);
                listen::open(&session, last.map(|value| value.to_str().unwrap_or("")))
            }
            Err(reply) => reply,
        }
    }

    /// Ends a session.
    pub(in crate::client) fn delete(&self, arrival: &Arrival) -> Reply {
        if headers::session_id(&arrival.headers).is_none() {
            return Reply::bad(None, codes::INVALID_REQUEST, "no session is named");
        }
        match self.find(arrival, None) {
            Ok((_, session)) => {
                self.sessions.end(&session, "its client ended it");
                Reply::Ended
            }
            Err(reply) => reply,
        }
    }

    /// Opens a stream of HTTP+SSE.
    pub(in crate::client) fn open_link(&self, arrival: &Arrival) -> Reply {
        if !headers::accepts_events(&arrival.headers) {
            return Reply::Refused(Refusal::NotAcceptable);
        }
        match self.access(arrival, None) {
            Ok(access) => sse::open(&self.sessions, &self.links, &access),
            Err(reply) => reply,
        }
    }

    /// Serves a message for a stream of HTTP+SSE.
    pub(in crate::client) fn post_to_link(
        &self,
        arrival: &Arrival,
        link: &str,
        message: Message,
        params: Params,
    ) -> Reply {
        // The answer to this POST is only read for its status.
        match self.access(arrival, None) {
            Ok(access) => sse::post(&self.sessions, &self.links, &access, link, message, params),
            Err(reply) => reply,
        }
    }

    /// Ends the sessions that nobody has used for long.
    pub(in crate::client) fn expire(&self) {
        self.sessions.expire();
    }

    /// Forgets what is stored for clients that come back, where room is needed.
    pub(in crate::client) fn make_room(&self) {
        self.sessions.make_room();
    }

    /// The same for one user, at once.
    pub(in crate::client) fn make_room_for(&self, user: &UserId) {
        self.sessions.make_room_for(user);
    }

    /// Ends the streams that last; calls under way finish by themselves.
    pub(in crate::client) fn retire(&self) {
        self.sessions.retire();
        self.links.close_all();
    }

    fn access(&self, arrival: &Arrival, id: Option<&RequestId>) -> Result<Access, Reply> {
        let access = self.sessions.context().gate.access(&arrival.principal);
        access.map_err(|refused| Reply::refused(id, refused))
    }

    /// The session of a request, or what to say instead (checklist 2.3, 2.4, 2.8).
    fn find(
        &self,
        arrival: &Arrival,
        id: Option<&RequestId>,
    ) -> Result<(Access, Arc<Session>), Reply> {
        let Some(name) = headers::session_id(&arrival.headers) else {
            let text = "no session is named; send initialize first";
            return Err(Reply::bad(id, codes::INVALID_REQUEST, text));
        };
        let access = self.access(arrival, id)?;
        let Some(session) = self.sessions.find(name, &access) else {
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
                return Err(Reply::bad(id, codes::INVALID_REQUEST, &text));
            }
        }
        Ok((access, session))
    }
}
