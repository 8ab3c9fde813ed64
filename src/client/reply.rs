//! What goes back to a client, before it becomes HTTP.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;

use crate::gate::{NotAdmitted, Retry};
use crate::limits::{Account, LARGE, Share, Short, hold};
use crate::mcp::{ErrorObject, Notification, Raw, Request, RequestId, Response};

/// Payloads above this are not copied into one piece with their envelope.
const COPIED_BELOW: usize = LARGE;

/// When it may be worth another try after there was no room.
const ROOM_LIKELY_AFTER: Duration = Duration::from_secs(5);

/// An answer to one HTTP request.
pub enum Reply {
    /// One JSON document.
    Json {
        /// With which status.
        status: Status,
        /// The document.
        content: Content,
        /// The legacy session that begins with it.
        session: Option<String>,
    },
    /// A stream of events.
    Events {
        /// The events.
        frames: Frames,
        /// The legacy session that begins with it.
        session: Option<String>,
    },
    /// Taken, nothing to say.
    Accepted,
    /// A session was ended.
    Ended,
    /// Not served.
    Refused(Refusal),
}

/// Events of one stream.
pub type Frames = Pin<Box<dyn Stream<Item = Frame> + Send>>;

/// One server-sent event: a message, or an id alone.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The event's id, where the stream can be resumed.
    pub id: Option<String>,
    /// How soon the client should come back when the stream breaks.
    pub retry: Option<Duration>,
    /// The event's name, where it has one.
    pub name: Option<&'static str>,
    /// The message.
    pub content: Content,
}

/// A JSON document on one line, in pieces so that a large payload is not copied.
#[derive(Clone, Debug, Default)]
pub struct Content(pub Vec<Bytes>);

/// The outcome of a request, of which `http/` makes a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Served.
    Ok,
    /// The client's fault.
    BadRequest,
    /// The method, or the session, does not exist.
    NotFound,
    /// There is no child to serve it.
    Unavailable {
        /// When it may be worth another try.
        retry_after: Option<Duration>,
    },
    /// Too much at a time.
    TooMany,
}

/// Why a request is not served.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// A JSON-RPC error.
    Error {
        /// With which status.
        status: Status,
        /// Of which request.
        id: Option<RequestId>,
        /// Which error.
        error: ErrorObject,
    },
    /// The method is not allowed at this address.
    Method {
        /// What is.
        allowed: &'static str,
    },
    /// The client accepts neither JSON nor events.
    NotAcceptable,
}

// === impl Reply ===

impl Reply {
    /// The same reply, whose stream ends when `end` resolves.
    #[must_use]
    pub fn until(self, end: impl Future<Output = ()> + Send + 'static) -> Self {
        match self {
            Self::Events { frames, session } => {
                Self::Events { frames: Box::pin(frames.take_until(Box::pin(end))), session }
            }
            other => other,
        }
    }

    /// The answer to a request.
    #[must_use]
    pub fn answer(status: Status, id: &RequestId, outcome: &Result<Raw, ErrorObject>) -> Self {
        Self::Json { status, content: Content::response(id, outcome), session: None }
    }

    /// An error before or instead of an answer.
    #[must_use]
    pub fn error(status: Status, id: Option<&RequestId>, error: ErrorObject) -> Self {
        Self::Refused(Refusal::Error { status, id: id.cloned(), error })
    }

    /// The client's fault.
    #[must_use]
    pub fn bad(id: Option<&RequestId>, code: i64, message: &str) -> Self {
        Self::error(Status::BadRequest, id, ErrorObject::new(code, message))
    }

    /// What did not pass the gate.
    #[must_use]
    pub fn refused(id: Option<&RequestId>, refused: NotAdmitted) -> Self {
        let status = match (id, refused.retry) {
            // What nobody waits for as a JSON-RPC answer says so by its status.
            (None, Retry::People) => Status::BadRequest,
            (None, Retry::NewSession) => Status::NotFound,
            (_, retry) => retry.into(),
        };
        Self::error(status, id, refused.error)
    }

    /// What there is no room for.
    #[must_use]
    pub fn short(id: Option<&RequestId>, short: Short) -> Self {
        Self::error(short.into(), id, ErrorObject::internal(short.to_string()))
    }

    /// The same reply, whose large parts are charged until they have been read.
    #[must_use]
    pub fn charged(self, account: &Arc<Account>) -> Self {
        match self {
            Self::Json { status, content, session } => {
                Self::Json { status, content: content.charged(account), session }
            }
            Self::Events { frames, session } => {
                let account = Arc::clone(account);
                let frames = frames
                    .map(move |frame| Frame { content: frame.content.charged(&account), ..frame });
                Self::Events { frames: Box::pin(frames), session }
            }
            other => other,
        }
    }

    /// A method that this address does not know.
    #[must_use]
    pub fn not_allowed(allowed: &'static str) -> Self {
        Self::Refused(Refusal::Method { allowed })
    }
}

impl From<Retry> for Status {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Time(retry_after) => Self::Unavailable { retry_after },
            // Clients throw the text of a 503 away and proxies send the request again; this one has to be read.
            Retry::People => Self::Ok,
            Retry::NewSession => Self::NotFound,
        }
    }
}

impl From<Short> for Status {
    fn from(short: Short) -> Self {
        match short {
            Short::User => Self::TooMany,
            Short::Total => Self::Unavailable { retry_after: Some(ROOM_LIKELY_AFTER) },
        }
    }
}

// === impl Content ===

impl Content {
    /// A response.
    #[must_use]
    pub fn response(id: &RequestId, outcome: &Result<Raw, ErrorObject>) -> Self {
        let mut head = Vec::with_capacity(128);
        match outcome {
            Ok(result) if result.len() > COPIED_BELOW => {
                Response::write_head(&mut head, Some(id));
                head.extend_from_slice(br#""result":"#);
                let payload = match result.one_line() {
                    std::borrow::Cow::Borrowed(_) => result.bytes().clone(),
                    std::borrow::Cow::Owned(text) => Bytes::from(text),
                };
                Self(vec![head.into(), payload, Bytes::from_static(b"}")])
            }
            outcome => {
                Response::write(&mut head, Some(id), outcome);
                Self(vec![head.into()])
            }
        }
    }

    /// A notification.
    #[must_use]
    pub fn notification(method: &str, params: Option<&Raw>) -> Self {
        let mut out = Vec::with_capacity(128);
        Notification::write(&mut out, method, params);
        Self(vec![out.into()])
    }

    /// A request to the client.
    #[must_use]
    pub fn request(id: &RequestId, method: &str, params: Option<&Raw>) -> Self {
        let mut out = Vec::with_capacity(128);
        Request::write(&mut out, id, method, params);
        Self(vec![out.into()])
    }

    /// The same content, each large piece of which holds its charge until nobody has it any more: whoever reads it,
    /// stores it or writes it to a socket.
    #[must_use]
    pub fn charged(self, account: &Arc<Account>) -> Self {
        let charge = |piece: Bytes| {
            if piece.len() < LARGE {
                return piece;
            }
            let mut share = Share::of(account);
            share.set(piece.len());
            hold(piece, share)
        };
        // Most replies are one small piece, which is not moved.
        match self.0.iter().any(|piece| piece.len() >= LARGE) {
            true => Self(self.0.into_iter().map(charge).collect()),
            false => self,
        }
    }

    /// How many bytes it has in pieces that carry no charge of their own.
    #[must_use]
    pub fn small_len(&self) -> usize {
        self.0.iter().map(Bytes::len).filter(|len| *len < LARGE).sum()
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
