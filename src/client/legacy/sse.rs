//! HTTP+SSE, the transport of 2024-11-05: one stream for everything, and POSTs that are only acknowledged
//! (checklist 2.40–2.42). The end of the stream is the end of the session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt as _, stream};

use super::dispatch::dispatch;
use super::initialize::{begin, fresh_id, read, too_many};
use super::listen::note;
use super::request::serve;
use super::session::{Owner, STANDALONE, Session};
use super::sessions::Sessions;
use super::stream::{EventStream, Step};
use crate::audit::Incident;
use crate::client::reply::{Content, Frame, Reply, Status};
use crate::gate::Access;
use crate::mcp::{ErrorObject, Message, Params, RequestId, codes};

/// Streams that all clients together may hold open.
const MOST: usize = 4096;

/// The open streams.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<HashMap<String, Arc<Link>>>);

/// One client's stream.
#[derive(Debug)]
struct Link {
    owner: Owner,
    stream: Arc<EventStream>,
}

/// Ends the session when the stream is dropped.
struct Open {
    sessions: Arc<Sessions>,
    links: Arc<Links>,
    id: String,
}

/// The HTTP+SSE stream that the query of a POST names.
pub(in crate::client) fn link_id(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("sessionId="))
}

/// Opens a stream; its first event says where to POST.
pub(super) fn open(sessions: &Arc<Sessions>, links: &Arc<Links>, access: &Access) -> Reply {
    let busy = |error| Reply::error(Status::TooMany, None, error);
    let id = match fresh_id() {
        Ok(id) => id,
        Err(error) => return busy(error),
    };
    let context = sessions.context();
    let settings = &context.settings;
    let account = context.accounts.of(access.principal().user());
    let stream = EventStream::new(STANDALONE, &account);
    stream.keep();
    let link = Link { owner: Owner::of(access), stream: Arc::clone(&stream) };
    {
        let mut all = links.lock();
        let user = access.principal().user();
        let own = all.values().filter(|link| link.owner.is_user(user)).count();
        if all.len() >= MOST || own >= settings.most_sessions {
            return busy(ErrorObject::internal("too many streams are open"));
        }
        all.insert(id.clone(), Arc::new(link));
    }
    let Ok(reader) = stream.read(None) else {
        return busy(ErrorObject::internal("the stream could not be opened"));
    };
    let endpoint = format!("{}?sessionId={id}", settings.path);
    let first = Frame {
        name: Some("endpoint"),
        content: Content(vec![endpoint.into()]),
        ..Frame::default()
    };
    let open = Open { sessions: Arc::clone(sessions), links: Arc::clone(links), id };
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
                    let _open = session.member.open();
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
pub(super) fn post(
    sessions: &Arc<Sessions>,
    links: &Links,
    access: &Access,
    link: &str,
    message: Message,
    params: Params,
) -> Reply {
    let context = sessions.context();
    let found = links.lock().get(link).cloned();
    let foreign = found.as_ref().is_some_and(|own| !own.owner.is(access));
    if foreign {
        context.gate.report(access, &Incident::ForeignSession);
    }
    let Some(found) = found.filter(|_| !foreign) else {
        let error = ErrorObject::new(codes::INVALID_REQUEST, "session not found");
        return Reply::error(Status::NotFound, None, error);
    };
    let stream = Arc::clone(&found.stream);
    if let Message::Request(request) = &message
        && request.method == "initialize"
    {
        return initialize(sessions, access, link, &request.id, &params, stream);
    }
    let Some(session) = sessions.find(link, access) else {
        return Reply::bad(None, codes::INVALID_REQUEST, "send initialize first");
    };
    match dispatch(context, access, &session, message, params) {
        Ok(Some(request)) => {
            let (context, access) = (Arc::clone(context), access.clone());
            let work = serve(Arc::clone(&context), access, session, request, stream);
            context.shutdown.spawn_work(async move {
                let _ = work.await;
            });
            Reply::Accepted
        }
        Ok(None) => Reply::Accepted,
        Err(reply) => reply,
    }
}

fn initialize(
    sessions: &Arc<Sessions>,
    access: &Access,
    link: &str,
    id: &RequestId,
    params: &Params,
    stream: Arc<EventStream>,
) -> Reply {
    let wish = match read(params) {
        Ok(wish) => wish,
        Err(message) => return Reply::bad(Some(id), codes::INVALID_PARAMS, message),
    };
    if sessions.find(link, access).is_some() {
        return Reply::bad(Some(id), codes::INVALID_REQUEST, "the session is initialized already");
    }
    if !sessions.have_room_for(access.principal().user()) {
        return Reply::error(Status::TooMany, Some(id), too_many());
    }
    let begin = begin(
        Arc::clone(sessions),
        access.clone(),
        (link.to_owned(), Some(Arc::clone(&stream))),
        wish,
    );
    let id = id.clone();
    sessions.context().shutdown.spawn_work(async move {
        let outcome = begin.await.map_err(|(_, error)| error);
        stream.push(Content::response(&id, &outcome));
    });
    Reply::Accepted
}

// === impl Links, Open ===

impl Links {
    pub(super) fn close_all(&self) {
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
        self.sessions.peek(&self.id)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.links.lock().remove(&self.id);
        if let Some(session) = self.session() {
            self.sessions.end(&session, "its stream was closed");
        }
    }
}
