//! The entrance: which era a request belongs to.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use http::{HeaderMap, Method};

use super::beat::Beat;
use super::context::{Arrival, Context};
use super::headers;
use super::legacy::{self, Legacy};
use super::modern::Modern;
use super::reply::{Refusal, Reply};
use super::settings::LegacySse;
use crate::auth::{End, Principal};
use crate::limits::{Account, LARGE, Short};
use crate::mcp::{EnvelopeError, Era, Message, Params, ProtocolVersion, codes};

/// How long the stream of one modern call may go on after its token has ended.
const FINISH_WITHIN: Duration = Duration::from_secs(600);

/// The client side of the whole process.
#[derive(Debug)]
pub struct Front {
    context: Arc<Context>,
    legacy: Legacy,
    modern: Modern,
    beat: Arc<Beat>,
}

// === impl Front ===

impl Front {
    /// Puts the parts together.
    #[must_use]
    pub fn new(context: Context) -> Arc<Self> {
        let context = Arc::new(context);
        let legacy = Legacy::new(Arc::clone(&context));
        let modern = Modern::new(Arc::clone(&context));
        let beat = Beat::start(&context.shutdown);
        let front = Arc::new(Self { context, legacy, modern, beat });
        let (sweeper, store) = (Arc::clone(&front), Arc::clone(&front));
        front.context.shutdown.spawn("expire sessions and suspended calls", async move {
            sweeper.sweep().await;
        });
        front
            .context
            .shutdown
            .spawn("make room", async move { store.make_room_when_pressed().await });
        front
    }

    /// The account that a caller's bytes are charged to.
    #[must_use]
    pub fn account(&self, principal: &Principal) -> Arc<Account> {
        self.context.accounts.of(principal.user())
    }

    /// Forgets what is stored for this caller's clients that come back, the oldest first, as something has just been
    /// refused him for want of room.
    pub fn make_room_for(&self, principal: &Principal) {
        self.legacy.make_room_for(principal.user());
    }

    /// Whether a request may go on, after what can be done without is gone; its own body does not stand in its way.
    fn admit(&self, Arrival { principal, account, body, .. }: &Arrival) -> Result<(), Short> {
        let own = if body.len() < LARGE { 0 } else { body.len() };
        account.admits(own).or_else(|_| {
            self.make_room_for(principal);
            account.admits(own)
        })
    }

    async fn make_room_when_pressed(&self) {
        loop {
            tokio::select! {
                () = self.context.shutdown.finishing() => return,
                () = self.context.accounts.pressed() => self.legacy.make_room(),
            }
        }
    }

    /// Serves one request.
    pub async fn serve(&self, arrival: Arrival) -> Reply {
        self.beat.keep();
        match arrival.method {
            Method::POST => self.post(arrival).await,
            Method::GET => self.get(&arrival),
            Method::DELETE => self.delete(&arrival),
            _ => Reply::not_allowed("GET, POST, DELETE"),
        }
    }

    async fn post(&self, arrival: Arrival) -> Reply {
        if !(headers::accepts_json(&arrival.headers) || headers::accepts_events(&arrival.headers)) {
            return Reply::Refused(Refusal::NotAcceptable);
        }
        let Ok(text) = ByteString::try_from(arrival.body.clone()) else {
            return Reply::bad(None, codes::PARSE_ERROR, "the body is not utf-8");
        };
        let message = match Message::parse(&text) {
            Ok(message) => message,
            Err(EnvelopeError::Batch) => {
                if let Err(short) = self.admit(&arrival) {
                    return Reply::short(None, short);
                }
                let reply = self.legacy.batch(&arrival, &text);
                return reply.until(ended(&arrival.principal, Duration::ZERO));
            }
            Err(EnvelopeError::Syntax { .. }) => {
                return Reply::bad(None, codes::PARSE_ERROR, "the body is not valid json");
            }
            Err(EnvelopeError::Shape { id, reason }) => {
                return Reply::bad(id.as_ref(), codes::INVALID_REQUEST, reason);
            }
        };
        // An answer, or the news that nobody waits any more, may be what makes room.
        if let Message::Request(request) = &message
            && let Err(short) = self.admit(&arrival)
        {
            return Reply::short(Some(&request.id), short);
        }
        let id = message.id();
        let params = match Params::read(message.params()) {
            Ok(mut params) => {
                if params.meta.trace_id.is_none() {
                    params.meta.trace_id = headers::trace_id(&arrival.headers);
                }
                params
            }
            Err(error) => return Reply::bad(id, codes::INVALID_PARAMS, &error.to_string()),
        };
        if self.context.settings.legacy_sse == LegacySse::Served
            && let Some(link) = arrival.query.as_deref().and_then(legacy::link_id)
        {
            return self.legacy.post_to_link(&arrival, link, message, params);
        }
        match era(&message, &params, &arrival.headers) {
            Some(Era::Modern) => {
                let reply = self.modern.post(&arrival, message, params).await;
                let reply = reply.charged(&arrival.account);
                reply.until(ended(&arrival.principal, FINISH_WITHIN))
            }
            Some(Era::Legacy) => {
                let reply = self.legacy.post(&arrival, message, params).await;
                reply.until(ended(&arrival.principal, Duration::ZERO))
            }
            // Neither era: a code that no client takes for a modern one, so that it falls back to
            // `initialize` (checklist 1.23 e, 10.2).
            None => Reply::bad(
                id,
                codes::INVALID_REQUEST,
                "no session and no protocol version: send initialize first, or name the protocol \
                 version in params._meta",
            ),
        }
    }

    fn get(&self, arrival: &Arrival) -> Reply {
        if headers::version(&arrival.headers).is_some_and(|version| version.era() == Era::Modern) {
            return Reply::not_allowed("POST");
        }
        let reply = if self.context.settings.legacy_sse == LegacySse::Served
            && headers::session_id(&arrival.headers).is_none()
        {
            self.legacy.open_link(arrival)
        } else {
            self.legacy.get(arrival)
        };
        reply.until(ended(&arrival.principal, Duration::ZERO))
    }

    fn delete(&self, arrival: &Arrival) -> Reply {
        if headers::version(&arrival.headers).is_some_and(|version| version.era() == Era::Modern) {
            return Reply::not_allowed("POST");
        }
        self.legacy.delete(arrival)
    }

    async fn sweep(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = self.context.shutdown.finishing() => break,
                _ = ticks.tick() => {
                    self.legacy.expire();
                    self.modern.expire();
                    self.context.accounts.forget_unused();
                }
            }
        }
        self.legacy.retire();
        self.modern.retire();
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
                headers::session_id(headers).map(|_| Era::Legacy)
            }
            // A modern version, an unknown one, or bytes that are none: the modern path says what is wrong,
            // unless the client has a legacy session, whose rules then decide.
            Some(_) => Some(Era::Modern),
            None if headers::session_id(headers).is_some() => Some(Era::Legacy),
            None => Some(Era::Modern),
        },
        None => headers::session_id(headers).map(|_| Era::Legacy),
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
