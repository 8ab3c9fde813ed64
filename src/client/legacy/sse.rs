//! HTTP+SSE, the transport of 2024-11-05: one stream for everything, and POSTs that are only acknowledged
//! (checklist 2.40–2.42). The end of the stream is the end of the session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt as _, stream};

use super::drive::drive;
use super::initialize::{begin, fresh_id, read, too_many};
use super::listen::note;
use super::session::{Owner, STANDALONE, Session};
use super::stream::{EventStream, Step};
use super::{headers, notified};
use crate::audit::Incident;
use crate::client::front::{Arrival, Front, bad};
use crate::client::reply::{Content, Frame, Refusal, Reply, Status};
use crate::mcp::{ErrorObject, Message, Params, RequestId, codes};
use crate::policy::Operation;

/// Streams that all clients together may hold open.
const MOST: usize = 4096;

/// The open streams.
#[derive(Debug, Default)]
pub(in crate::client) struct Links(Mutex<HashMap<String, Arc<Link>>>);

/// One client's stream.
#[derive(Debug)]
struct Link {
    owner: Owner,
    stream: Arc<EventStream>,
}

/// Ends the session when the stream is dropped.
struct Open {
    front: Arc<Front>,
    id: String,
}

/// The stream that the query of a POST names.
pub(in crate::client) fn link_id(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("sessionId="))
}

/// Opens a stream; its first event says where to POST.
pub(in crate::client) fn open(front: &Arc<Front>, arrival: &Arrival) -> Reply {
    if !headers::accepts_events(&arrival.headers) {
        return Reply::Refused(Refusal::NotAcceptable);
    }
    let busy = |error| Reply::error(Status::TooMany, None, error);
    let id = match fresh_id() {
        Ok(id) => id,
        Err(error) => return busy(error),
    };
    let stream = EventStream::new(STANDALONE);
    let authority = match front.pool.authority(&arrival.principal) {
        Ok(authority) => authority,
        Err(why) => return busy(ErrorObject::internal(why.message)),
    };
    let owner = Owner::of(&arrival.principal, authority);
    let link = Link { owner, stream: Arc::clone(&stream) };
    {
        let mut links = front.links.lock();
        let own = links.values().filter(|link| link.owner.is_user(&arrival.principal)).count();
        if links.len() >= MOST || own >= front.settings.most_sessions {
            return busy(ErrorObject::internal("too many streams are open"));
        }
        links.insert(id.clone(), Arc::new(link));
    }
    let Ok(reader) = stream.read(None) else {
        return busy(ErrorObject::internal("the stream could not be opened"));
    };
    let endpoint = format!("{}?sessionId={id}", front.settings.path);
    let first = Frame {
        name: Some("endpoint"),
        content: Content(vec![endpoint.into()]),
        ..Frame::default()
    };
    let open = Open { front: Arc::clone(front), id };
    let rest = stream::unfold((reader, open), |(mut reader, open)| async move {
        loop {
            match reader.step() {
                Step::Frame(frame) => {
                    let frame = Frame { id: None, name: Some("message"), ..frame };
                    return Some((frame, (reader, open)));
                }
                Step::End => return None,
                Step::Wait => {}
            }
            match open.session() {
                None => reader.wait().await,
                Some(session) => {
                    let stream = Arc::clone(reader.stream());
                    tokio::select! {
                        notice = session.member.mailbox().next() => note(&session, &stream, notice),
                        () = reader.wait() => {}
                    }
                }
            }
        }
    });
    let frames = stream::once(async { first }).chain(rest);
    Reply::Events { frames: Box::pin(frames), session: None }
}

/// Takes a message in; whatever is to be said about it goes to the stream.
pub(in crate::client) fn post(
    front: &Arc<Front>,
    arrival: &Arrival,
    link: &str,
    message: Message,
    params: Params,
) -> Reply {
    let found = front.links.lock().get(link).cloned();
    let authority = front.pool.authority(&arrival.principal).unwrap_or_default();
    let foreign = found.as_ref().is_some_and(|own| !own.owner.is(&arrival.principal, &authority));
    if foreign {
        front.audit.incident(&arrival.principal.as_ref().into(), &Incident::ForeignSession);
    }
    let Some(found) = found.filter(|_| !foreign) else {
        let error = ErrorObject::new(codes::INVALID_REQUEST, "session not found");
        return Reply::error(Status::NotFound, None, error);
    };
    let stream = Arc::clone(&found.stream);
    if let Message::Request(request) = &message
        && request.method == "initialize"
    {
        return initialize(front, arrival, link, &request.id, &params, stream);
    }
    let Some(session) = front.session(link, &arrival.principal) else {
        return bad(None, codes::INVALID_REQUEST, "send initialize first");
    };
    match message {
        Message::Request(request) => {
            let caller = session.caller();
            let method = request.method;
            let operation = Operation { method, params, caller, resume: None };
            let principal = Arc::clone(&arrival.principal);
            let work = drive(Arc::clone(front), principal, session, request.id, operation, stream);
            front.shutdown.spawn_work(work);
        }
        Message::Notification(notification) => {
            notified(front, arrival, &session, notification, params);
        }
        Message::Response(response) => {
            let known = response.id.is_some_and(|id| session.answer(&id, response.outcome));
            if !known {
                return bad(None, codes::INVALID_REQUEST, "an answer to nothing that was asked");
            }
        }
    }
    Reply::Accepted
}

fn initialize(
    front: &Arc<Front>,
    arrival: &Arrival,
    link: &str,
    id: &RequestId,
    params: &Params,
    stream: Arc<EventStream>,
) -> Reply {
    let wish = match read(params) {
        Ok(wish) => wish,
        Err(message) => return bad(Some(id), codes::INVALID_PARAMS, message),
    };
    if front.session(link, &arrival.principal).is_some() {
        return bad(Some(id), codes::INVALID_REQUEST, "the session is initialized already");
    }
    if front.sessions.count(&arrival.principal) >= front.settings.most_sessions {
        return Reply::error(Status::TooMany, Some(id), too_many());
    }
    let begin = begin(Arc::clone(front), Arc::clone(&arrival.principal), link.to_owned(), wish);
    let id = id.clone();
    front.shutdown.spawn_work(async move {
        let outcome = begin.await.map_err(|not_begun| not_begun.error);
        stream.push(Content::response(&id, &outcome));
    });
    Reply::Accepted
}

// === impl Links, Open ===

impl Links {
    pub(in crate::client) fn close_all(&self) {
        for (_, link) in self.lock().drain() {
            link.stream.finish();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Link>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn session(&self) -> Option<Arc<Session>> {
        self.front.sessions.peek(&self.id)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.front.links.lock().remove(&self.id);
        if let Some(session) = self.session() {
            self.front.sessions.end(&session);
        }
    }
}
