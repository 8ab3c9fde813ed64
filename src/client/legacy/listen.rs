//! GET: the stream for what belongs to no request, and the resumption of any stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use serde_json::json;

use super::post::frames;
use super::session::{Asked, STANDALONE, Session};
use super::stream::{EventStream, Reader, Step, read_event_id};
use crate::client::reply::{Content, Frames, Reply};
use crate::gate::{Notice, OutsideAsk};
use crate::mcp::{Raw, RequestId, codes};
use crate::policy::LogLevel;
use crate::server::ListKind;

/// How severe it is that a server was started again.
const RESTARTED_AT: LogLevel = LogLevel::Warning;
/// How long a client may take from the handshake to `notifications/initialized` (checklist 2.10).
const INITIALIZED_WITHIN: Duration = Duration::from_secs(30);

/// Opens the standalone stream, or resumes the one that `last_event` names.
pub(super) fn open(session: &Arc<Session>, last_event: Option<&str>) -> Reply {
    let place = match last_event {
        None => Some((STANDALONE, None)),
        Some(text) => read_event_id(text).map(|(number, last)| (number, Some(last))),
    };
    let found = place.and_then(|(number, last)| Some((session.stream(number)?, number, last)));
    let reader = found.and_then(|(stream, number, last)| Some((stream.read(last).ok()?, number)));
    match reader {
        None => Reply::bad(
            None,
            codes::INVALID_REQUEST,
            "Last-Event-ID names nothing that can be resumed",
        ),
        Some((reader, STANDALONE)) => {
            Reply::Events { frames: standalone(session, reader), session: None }
        }
        Some((reader, _)) => Reply::Events { frames: frames(session, reader), session: None },
    }
}

/// The standalone stream: what its reader finds there, then what the session hears of.
fn standalone(session: &Arc<Session>, reader: Reader) -> Frames {
    let reading = (session.reading(), session.member.open());
    let session = Arc::clone(session);
    let state = (reader, session, reading);
    Box::pin(stream::unfold(state, |(mut reader, session, reading)| async move {
        loop {
            match reader.step() {
                Step::Frame(frame) => return Some((frame, (reader, session, reading))),
                Step::End => return None,
                Step::Wait => {}
            }
            {
                let ready = session.ready.notified();
                tokio::pin!(ready);
                // Listened for before it is looked at, so that it cannot happen in between.
                ready.as_mut().enable();
                if !session.is_initialized() {
                    let _ = tokio::time::timeout(INITIALIZED_WITHIN, ready).await;
                }
            }
            let stream = Arc::clone(reader.stream());
            tokio::select! {
                notice = session.member.mailbox().next() => note(&session, &stream, notice),
                () = reader.wait() => {}
            }
        }
    }))
}

pub(super) fn note(session: &Session, stream: &EventStream, notice: Notice) {
    match notice {
        Notice::ListChanged(kind) => stream.push(Content::notification(kind.method(), None)),
        Notice::Updated { params, .. } => {
            stream.push(Content::notification("notifications/resources/updated", Some(&params)));
        }
        Notice::Log { level, params } => {
            if session.wants(level) {
                stream.push_if_room(Content::notification("notifications/message", Some(&params)));
            }
        }
        Notice::Ask { child, ask } => {
            let method = ask.method.clone();
            let number = session.ask(Asked::Outside(OutsideAsk { child, key: ask.key, method }));
            let id = RequestId::from(number);
            stream.push(Content::request(&id, &ask.method, ask.params.as_ref()));
        }
        Notice::Withdrawn { child, key } => {
            if let Some(number) = session.withdraw_ask(child, &key) {
                let params = Raw::of(&json!({ "requestId": number }));
                stream.push(Content::notification("notifications/cancelled", Some(&params)));
            }
        }
        Notice::Other(notification) => {
            let params = notification.params.as_ref();
            stream.push(Content::notification(&notification.method, params));
        }
        Notice::Restarted if session.is_lost() => stream.finish(),
        Notice::Restarted => restarted(session, stream),
        Notice::Gone => {
            session.forsake();
            stream.finish();
        }
    }
}

/// Tells a client whose server was started again what may have changed meanwhile (checklist 4.31), and that it did.
fn restarted(session: &Session, stream: &EventStream) {
    let hello = session.seat.hello();
    for kind in ListKind::ALL.into_iter().filter(|kind| hello.offers(kind.capability())) {
        stream.push(Content::notification(kind.method(), None));
    }
    for uri in session.member.uris() {
        let params = Raw::of(&json!({ "uri": uri }));
        stream.push(Content::notification("notifications/resources/updated", Some(&params)));
    }
    if hello.offers("logging") && session.wants(RESTARTED_AT) {
        let text = "the server was started again; what it kept in memory alone is lost";
        let params = json!({ "level": RESTARTED_AT.as_str(), "logger": "mcpwrap", "data": text });
        stream
            .push_if_room(Content::notification("notifications/message", Some(&Raw::of(&params))));
    }
}
