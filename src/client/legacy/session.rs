//! Legacy sessions: who owns one, what it negotiated, its streams, and what it waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::calls::Calls;
use super::follow::Follow;
use super::stream::EventStream;
use crate::audit::Incident;
use crate::auth::{Principal, UserId};
use crate::bridge::{AskKey, Child, Member, Pool, Seat};
use crate::client::front::Front;
use crate::mcp::{Era, ErrorObject, ProtocolVersion, Raw, RequestId};
use crate::policy::{Caller, LogLevel};

/// How long a finished stream can be resumed.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// How many bytes of events all streams of one session keep.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The number of the stream that a GET opens.
pub(in crate::client) const STANDALONE: u64 = 0;

/// What a client's answer says.
pub(in crate::client) type Answer = Result<Raw, ErrorObject>;

/// A legacy session.
#[derive(Debug)]
pub(in crate::client) struct Session {
    pub(in crate::client) id: String,
    owner: Owner,
    pub(in crate::client) version: ProtocolVersion,
    capabilities: Raw,
    info: Option<Raw>,
    pub(in crate::client) seat: Seat,
    pub(in crate::client) member: Member,
    /// The child that the session has for itself.
    pub(in crate::client) scope: Option<Arc<str>>,
    /// The subscription to a modern server.
    pub(super) follow: Option<Follow>,
    level: Mutex<Option<LogLevel>>,
    pub(super) calls: Calls,
    asks: Mutex<HashMap<u64, Asked>>,
    next_ask: AtomicU64,
    streams: Mutex<HashMap<u64, Arc<EventStream>>>,
    next_stream: AtomicU64,
    used: Mutex<Instant>,
    readers: AtomicUsize,
    initialized: AtomicBool,
    pub(in crate::client) ready: Notify,
}

/// Who may use a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct Owner {
    user: UserId,
    client: Option<String>,
    authority: Arc<str>,
}

/// Who waits for a client's answer.
#[derive(Debug)]
pub(in crate::client) enum Asked {
    /// A call of this session.
    Call { key: AskKey, answers: mpsc::UnboundedSender<(AskKey, Answer)> },
    /// The child, outside any call.
    Child { key: AskKey, child: Child },
}

/// What a session begins with.
pub(in crate::client) struct Beginning {
    pub(in crate::client) version: ProtocolVersion,
    pub(in crate::client) capabilities: Raw,
    pub(in crate::client) info: Option<Raw>,
    pub(in crate::client) seat: Seat,
    pub(in crate::client) member: Member,
    pub(in crate::client) scope: Option<Arc<str>>,
    pub(super) follow: Option<Follow>,
}

/// Counts a reader of a session for as long as it lives.
pub(in crate::client) struct Reading(Arc<Session>);

/// A user has too many sessions.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Crowded;

/// All sessions of this process.
#[derive(Debug, Default)]
pub(in crate::client) struct Sessions {
    all: Mutex<HashMap<String, Arc<Session>>>,
}

// === impl Session ===

impl Session {
    pub(in crate::client) fn new(id: String, owner: Owner, begin: Beginning) -> Self {
        let Beginning { version, capabilities, info, seat, member, scope, follow } = begin;
        let standalone = EventStream::new(STANDALONE);
        Self {
            id,
            owner,
            version,
            capabilities,
            info,
            seat,
            member,
            scope,
            follow,
            level: Mutex::default(),
            calls: Calls::default(),
            asks: Mutex::default(),
            next_ask: AtomicU64::new(1),
            streams: Mutex::new(HashMap::from([(STANDALONE, standalone)])),
            next_stream: AtomicU64::new(STANDALONE + 1),
            used: Mutex::new(Instant::now()),
            readers: AtomicUsize::new(0),
            initialized: AtomicBool::new(false),
            ready: Notify::new(),
        }
    }

    /// What the session's requests say about their client.
    pub(in crate::client) fn caller(&self) -> Caller {
        Caller {
            era: Era::Legacy,
            capabilities: self.capabilities.clone(),
            info: self.info.clone(),
            log_level: self.level(),
            session: Some(self.member.key()),
        }
    }

    pub(in crate::client) fn level(&self) -> Option<LogLevel> {
        *lock(&self.level)
    }

    pub(in crate::client) fn set_level(&self, level: LogLevel) -> LogLevel {
        *lock(&self.level) = Some(level);
        self.member.set_level(level)
    }

    /// Whether the client wants log messages of this severity; before it said so, the server decides.
    pub(in crate::client) fn wants(&self, level: LogLevel) -> bool {
        self.level().is_none_or(|least| level >= least)
    }

    /// The client said that it is ready.
    pub(in crate::client) fn initialized(&self) {
        self.initialized.store(true, Ordering::Release);
        self.ready.notify_waiters();
    }

    pub(in crate::client) fn is_initialized(&self) -> bool {
        self.initialized.load(Ordering::Acquire)
    }

    /// Numbers a request to the client and remembers who waits for the answer.
    pub(in crate::client) fn ask(&self, asked: Asked) -> u64 {
        let number = self.next_ask.fetch_add(1, Ordering::Relaxed);
        lock(&self.asks).insert(number, asked);
        number
    }

    pub(in crate::client) fn forget_ask(&self, number: u64) {
        lock(&self.asks).remove(&number);
    }

    /// Forgets a question that came outside any call, and returns its number.
    pub(super) fn withdraw_ask(&self, key: &AskKey) -> Option<u64> {
        let now = self.seat.slot().child()?.number();
        let mut asks = lock(&self.asks);
        let is_it = |asked: &Asked| matches!(asked, Asked::Child { key: own, child } if own == key && child.number() == now);
        let number = asks.iter().find(|(_, asked)| is_it(asked)).map(|(number, _)| *number)?;
        asks.remove(&number);
        Some(number)
    }

    /// Takes in a client's answer; `false` when it was never asked.
    pub(in crate::client) fn answer(&self, id: &RequestId, answer: Answer) -> bool {
        let RequestId::Integer(number) = id else { return false };
        let Ok(number) = u64::try_from(*number) else { return false };
        match lock(&self.asks).remove(&number) {
            Some(Asked::Call { key, answers }) => {
                // A call that has ended needs no answer.
                let _ = answers.send((key, answer));
                true
            }
            Some(Asked::Child { key, child }) => {
                child.answer_outside(&key, answer);
                true
            }
            // A late or repeated answer to something that was asked.
            None => number < self.next_ask.load(Ordering::Relaxed),
        }
    }

    /// A stream that is not stored yet: its call may end without needing one.
    pub(in crate::client) fn new_stream(&self) -> Arc<EventStream> {
        EventStream::new(self.next_stream.fetch_add(1, Ordering::Relaxed))
    }

    /// Stores a stream so that it can be resumed.
    pub(in crate::client) fn keep_stream(&self, stream: &Arc<EventStream>) {
        lock(&self.streams).insert(stream.number(), Arc::clone(stream));
    }

    pub(in crate::client) fn stream(&self, number: u64) -> Option<Arc<EventStream>> {
        lock(&self.streams).get(&number).cloned()
    }

    /// Notes that the session is in use.
    pub(in crate::client) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(in crate::client) fn reading(self: &Arc<Self>) -> Reading {
        self.readers.fetch_add(1, Ordering::Relaxed);
        Reading(Arc::clone(self))
    }

    /// Whether the child that the session relied on is lost.
    pub(in crate::client) fn is_lost(&self) -> bool {
        self.seat.is_lost()
    }

    fn is_stale(&self, idle: Duration) -> bool {
        let unused = lock(&self.used).elapsed() >= idle;
        let busy = self.readers.load(Ordering::Relaxed) > 0 || !self.calls.is_empty();
        self.is_lost() || (unused && !busy)
    }

    /// Forgets streams that nobody will come back for, the oldest first where there are too many bytes.
    fn prune(&self) {
        let mut streams = lock(&self.streams);
        streams.retain(|_, stream| stream.finished().is_none_or(|end| end.elapsed() < KEPT_FOR));
        let mut bytes: usize = streams.values().map(|stream| stream.bytes()).sum();
        let mut finished: Vec<_> = streams
            .values()
            .filter_map(|stream| Some((stream.finished()?, stream.number(), stream.bytes())))
            .collect();
        finished.sort_unstable();
        for (_, number, size) in finished {
            if bytes <= MOST_BYTES {
                break;
            }
            streams.remove(&number);
            bytes -= size;
        }
    }

    /// Ends the session: its calls are taken back and end their own streams, also with an error that is under
    /// way; the standalone stream ends here.
    fn end(&self) {
        self.calls.recall_all();
        if let Some(standalone) = self.stream(STANDALONE) {
            standalone.finish();
        }
    }
}

impl Owner {
    /// Who a principal is to what was begun by him.
    pub(in crate::client) fn of(principal: &Principal, authority: Arc<str>) -> Self {
        let (user, client) = (principal.user().clone(), principal.client().map(str::to_owned));
        Self { user, client, authority }
    }

    /// Whether the owner is the same user, with whatever authority and client.
    pub(in crate::client) fn is_user(&self, principal: &Principal) -> bool {
        self.user == *principal.user()
    }

    /// Whether `principal`, with this authority, is the owner.
    pub(in crate::client) fn is(&self, principal: &Principal, authority: &str) -> bool {
        self.user == *principal.user()
            && self.client.as_deref() == principal.client()
            && *self.authority == *authority
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.touch();
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Front ===

impl Front {
    /// The session, if it lives and belongs to the caller; a foreign one looks like none (checklist 2.5).
    pub(super) fn session(&self, id: &str, principal: &Arc<Principal>) -> Option<Arc<Session>> {
        let session = self.sessions.peek(id)?;
        let authority = self.pool.authority(principal).ok()?;
        if !session.owner.is(principal, &authority) {
            self.audit.incident(&principal.as_ref().into(), &Incident::ForeignSession);
            return None;
        }
        if session.is_lost() {
            self.sessions.end(&session);
            return None;
        }
        session.seat.slot().vouch(principal);
        session.touch();
        Some(session)
    }
}

// === impl Sessions ===

impl Sessions {
    /// Adds a session, unless its user has so many already: several may have begun at once.
    pub(in crate::client) fn add(&self, session: Arc<Session>, most: usize) -> Result<(), Crowded> {
        let mut all = lock(&self.all);
        let user = &session.owner.user;
        if all.values().filter(|other| other.owner.user == *user).count() >= most {
            return Err(Crowded);
        }
        all.insert(session.id.clone(), session);
        Ok(())
    }

    /// The session for its own stream, which was checked when it was opened.
    pub(super) fn peek(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.all).get(id).cloned()
    }

    pub(in crate::client) fn end(&self, session: &Arc<Session>) {
        lock(&self.all).remove(&session.id);
        session.end();
    }

    /// How many sessions a user has.
    pub(in crate::client) fn count(&self, principal: &Principal) -> usize {
        let user = principal.user();
        lock(&self.all).values().filter(|session| session.owner.user == *user).count()
    }

    pub(in crate::client) fn expire(&self, idle: Duration, pool: &Pool) {
        let mut stale = Vec::new();
        lock(&self.all).retain(|_, session| {
            let over = session.is_stale(idle);
            if over {
                stale.push(Arc::clone(session));
            } else {
                session.prune();
            }
            !over
        });
        for session in stale {
            session.end();
            if let Some(scope) = &session.scope {
                pool.forget(session.seat.slot().principal(), scope);
            }
        }
    }

    /// Ends the streams that last; calls under way finish by themselves.
    pub(in crate::client) fn retire(&self) {
        for session in lock(&self.all).values() {
            if let Some(standalone) = session.stream(STANDALONE) {
                standalone.finish();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
