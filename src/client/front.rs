//! The entrance: which era a request belongs to, and everything both eras need to serve it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, Method};

use super::legacy::Sessions;
use super::legacy::sse::{self, Links};
use super::modern::{self, Parked};
use super::reply::{Refusal, Reply, Status};
use super::{legacy, modern::headers};
use crate::audit;
use crate::auth::{End, Principal};
use crate::bridge::Pool;
use crate::mcp::{
    EnvelopeError, Era, ErrorObject, Message, Params, ProtocolVersion, RequestId, codes,
};
use crate::policy::Policy;
use crate::seal::Keyring;
use crate::shutdown::Shutdown;

/// The largest capabilities and the largest name of a client, in bytes: sessions and children keep them.
pub(super) const LARGEST_INTRODUCTION: usize = 64 * 1024;
/// How long the stream of one modern call may go on after its token has ended.
const FINISH_WITHIN: Duration = Duration::from_secs(600);

/// Bounds and habits of the client side.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The endpoint's own path, which HTTP+SSE clients are told.
    pub path: String,
    /// How long a server may be quiet while it works on a call.
    pub call_timeout: Duration,
    /// A stream that is quiet for this long gets a comment; a call that takes longer becomes a stream.
    pub keep_alive: Duration,
    /// A session without requests or open streams ends after this.
    pub session_idle: Duration,
    /// Sessions that one user may have.
    pub most_sessions: usize,
    /// How long a call waits for the answers that its server asked for.
    pub parked_for: Duration,
    /// Which legacy sessions have a child for themselves.
    pub scope: ChildScope,
    /// Whether clients of 2024-11-05 are served.
    pub legacy_sse: LegacySse,
}

/// Who shares a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildScope {
    /// All clients of a user with the same authority.
    User,
    /// Nobody: each legacy session has its own.
    Session,
}

/// Whether the HTTP+SSE transport of 2024-11-05 is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacySse {
    /// It is.
    Served,
    /// It is not.
    Off,
}

/// The client side of the whole process.
#[derive(Debug)]
pub struct Front {
    pub(super) pool: Pool,
    pub(super) policy: Policy,
    pub(super) audit: audit::Log,
    pub(super) keyring: Keyring,
    pub(super) settings: Settings,
    pub(super) sessions: Sessions,
    pub(super) parked: Parked,
    pub(super) links: Links,
    pub(super) shutdown: Shutdown,
}

/// What a [`Front`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The children.
    pub pool: Pool,
    /// What callers may do.
    pub policy: Policy,
    /// Where calls are recorded.
    pub audit: audit::Log,
    /// Seals what clients carry for us.
    pub keyring: Keyring,
    /// Bounds and habits.
    pub settings: Settings,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// One authenticated HTTP request.
#[derive(Debug)]
pub struct Arrival {
    /// Who sent it.
    pub principal: Arc<Principal>,
    /// GET, POST or DELETE.
    pub method: Method,
    /// The query of its address.
    pub query: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, within the size limit.
    pub body: Bytes,
}

// === impl Front ===

impl Front {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { pool, policy, audit, keyring, settings, shutdown } = parts;
        let front = Arc::new(Self {
            pool,
            policy,
            audit,
            keyring,
            settings,
            sessions: Sessions::default(),
            parked: Parked::default(),
            links: Links::default(),
            shutdown,
        });
        let sweeper = Arc::clone(&front);
        front.shutdown.spawn("expire sessions and parked calls", async move {
            sweeper.sweep().await;
        });
        front
    }

    /// Serves one request.
    pub async fn serve(self: &Arc<Self>, arrival: Arrival) -> Reply {
        match arrival.method {
            Method::POST => self.post(arrival).await,
            Method::GET => self.get(&arrival),
            Method::DELETE => self.delete(&arrival),
            _ => not_allowed("GET, POST, DELETE"),
        }
    }

    async fn post(self: &Arc<Self>, arrival: Arrival) -> Reply {
        if !(headers::accepts_json(&arrival.headers) || headers::accepts_events(&arrival.headers)) {
            return Reply::Refused(Refusal::NotAcceptable);
        }
        let Ok(text) = ByteString::try_from(arrival.body.clone()) else {
            return bad(None, codes::PARSE_ERROR, "the body is not utf-8");
        };
        let message = match Message::parse(&text) {
            Ok(message) => message,
            Err(EnvelopeError::Batch) => {
                let reply = legacy::batch(self, &arrival, &text).await;
                return reply.until(ended(&arrival.principal, Duration::ZERO));
            }
            Err(EnvelopeError::Syntax { .. }) => {
                return bad(None, codes::PARSE_ERROR, "the body is not valid json");
            }
            Err(EnvelopeError::Shape { id, reason }) => {
                return bad(id.as_ref(), codes::INVALID_REQUEST, reason);
            }
        };
        let (id, params) = match &message {
            Message::Request(request) => (Some(&request.id), request.params.clone()),
            Message::Notification(notification) => (None, notification.params.clone()),
            Message::Response(_) => (None, None),
        };
        let params = match Params::read(params) {
            Ok(mut params) => {
                if params.meta.trace_id.is_none() {
                    params.meta.trace_id = headers::trace_id(&arrival.headers);
                }
                params
            }
            Err(error) => {
                return bad(id, codes::INVALID_PARAMS, &error.to_string());
            }
        };
        if self.settings.legacy_sse == LegacySse::Served
            && let Some(link) = arrival.query.as_deref().and_then(sse::link_id)
        {
            return sse::post(self, &arrival, link, message, params);
        }
        match era(&message, &params, &arrival.headers) {
            Some(Era::Modern) => {
                let reply = modern::post(self, &arrival, message, params).await;
                reply.until(ended(&arrival.principal, FINISH_WITHIN))
            }
            Some(Era::Legacy) => {
                let reply = legacy::post(self, &arrival, message, params).await;
                reply.until(ended(&arrival.principal, Duration::ZERO))
            }
            // Neither era: a code that no client takes for a modern one, so that it falls back to
            // `initialize` (checklist 1.23 e, 10.2).
            None => bad(
                id,
                codes::INVALID_REQUEST,
                "no session and no protocol version: send initialize first, or name the protocol \
                 version in params._meta",
            ),
        }
    }

    fn get(self: &Arc<Self>, arrival: &Arrival) -> Reply {
        if headers::version(&arrival.headers).is_some_and(|version| version.era() == Era::Modern) {
            return not_allowed("POST");
        }
        if self.settings.legacy_sse == LegacySse::Served
            && legacy::session_id(&arrival.headers).is_none()
        {
            return sse::open(self, arrival).until(ended(&arrival.principal, Duration::ZERO));
        }
        legacy::get(self, arrival).until(ended(&arrival.principal, Duration::ZERO))
    }

    fn delete(self: &Arc<Self>, arrival: &Arrival) -> Reply {
        if headers::version(&arrival.headers).is_some_and(|version| version.era() == Era::Modern) {
            return not_allowed("POST");
        }
        legacy::delete(self, arrival)
    }

    async fn sweep(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = self.shutdown.finishing() => break,
                _ = ticks.tick() => {
                    self.sessions.expire(self.settings.session_idle, &self.pool);
                    self.parked.expire();
                }
            }
        }
        self.sessions.retire();
        self.parked.close_all();
        self.links.close_all();
    }
}

/// Which era a message belongs to (checklist 1.23).
fn era(message: &Message, params: &Params, headers: &HeaderMap) -> Option<Era> {
    // A legacy version inside `_meta` is a modern request that names the wrong version (3.4).
    if params.meta.protocol_version.is_some() {
        return Some(Era::Modern);
    }
    if matches!(message, Message::Request(request) if request.method == "initialize") {
        return Some(Era::Legacy);
    }
    match headers.get(headers::PROTOCOL_VERSION) {
        Some(value) => match value.to_str().ok().and_then(ProtocolVersion::read) {
            Some(version) if version.era() == Era::Legacy => {
                legacy::session_id(headers).map(|_| Era::Legacy)
            }
            // A modern version, an unknown one, or bytes that are none: the modern path says what is wrong,
            // unless the client has a legacy session, whose rules then decide.
            Some(_) => Some(Era::Modern),
            None if legacy::session_id(headers).is_some() => Some(Era::Legacy),
            None => Some(Era::Modern),
        },
        None => legacy::session_id(headers).map(|_| Era::Legacy),
    }
}

/// Resolves when the caller's token has ended, and a while after that (checklist 2.35, 7.17).
fn ended(
    principal: &Arc<Principal>,
    and_then: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let principal = Arc::clone(principal);
    async move {
        // A revocation acts at once.
        if principal.ended().await == End::Expired {
            tokio::time::sleep(and_then).await;
        }
    }
}

pub(super) fn bad(id: Option<&RequestId>, code: i64, message: &str) -> Reply {
    Reply::error(Status::BadRequest, id, ErrorObject::new(code, message))
}

pub(super) fn not_allowed(allowed: &'static str) -> Reply {
    Reply::Refused(Refusal::Method { allowed })
}
