//! One legacy session: who owns it, what it negotiated, its streams, and what it waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::calls::Calls;
use super::stream::{EventStream, Rest};
use super::watched_uris::WatchedUris;
use crate::audit::OpenSession;
use crate::auth::UserId;
use crate::gate::{Access, AskKey, Member, OutsideAsk, Seat};
use crate::limits::{Account, Share, Short};
use crate::mcp::{Era, ErrorObject, ProtocolVersion, Raw, RequestId};
use crate::policy::{ClientSide, LogLevel};

/// How long a finished stream can be resumed.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// How many bytes of events all streams of one session keep.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What a session takes beside what its client said of itself.
const COSTS: usize = 16 * 1024;
/// The number of the stream that a GET opens.
pub(super) const STANDALONE: u64 = 0;

/// What a client's answer says.
pub(super) type Answer = Result<Raw, ErrorObject>;

/// A legacy session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) owner: Owner,
    pub(super) version: ProtocolVersion,
    capabilities: Raw,
    info: Option<Raw>,
    pub(super) seat: Seat,
    pub(super) member: Member,
    pub(super) record: OpenSession,
    /// What is followed of a modern server.
    pub(super) watched: Option<WatchedUris>,
    level: Mutex<Option<LogLevel>>,
    pub(super) calls: Calls,
    asks: Mutex<HashMap<u64, Asked>>,
    next_ask: AtomicU64,
    streams: Mutex<HashMap<u64, Arc<EventStream>>>,
    next_stream: AtomicU64,
    used: Mutex<Instant>,
    readers: AtomicUsize,
    initialized: AtomicBool,
    /// Whether its server does not do what its client was promised.
    forsaken: AtomicBool,
    pub(super) ready: Notify,
    /// The stream of HTTP+SSE, which lives as long as its session.
    link: Option<Arc<EventStream>>,
    /// What it is charged beside its streams.
    share: Share,
}

/// Who may use a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    user: UserId,
    client: Option<String>,
    authority: Arc<str>,
}

/// Who waits for a client's answer.
#[derive(Debug)]
pub(super) enum Asked {
    /// A call of this session.
    Call { key: AskKey, answers: mpsc::UnboundedSender<(AskKey, Answer)> },
    /// The child, outside any call.
    Outside(OutsideAsk),
}

/// What became of a client's answer.
pub(super) enum Answered {
    /// It went where it was asked for, or came too late or twice.
    Known,
    /// It is for the child.
    Outside(u64, OutsideAsk, Answer),
    /// Nothing like it was ever asked.
    Unknown,
}

/// What a session begins with.
pub(super) struct Beginning {
    pub(super) version: ProtocolVersion,
    pub(super) capabilities: Raw,
    pub(super) info: Option<Raw>,
    pub(super) seat: Seat,
    pub(super) member: Member,
    pub(super) record: OpenSession,
    pub(super) watched: Option<WatchedUris>,
    pub(super) link: Option<Arc<EventStream>>,
    pub(super) share: Share,
}

/// Counts a reader of a session for as long as it lives.
pub(super) struct Reading(Arc<Session>);

// === impl Session ===

impl Session {
    pub(super) fn new(id: String, owner: Owner, begin: Beginning) -> Self {
        let Beginning { version, capabilities, info, seat, member, record, watched, link, share } =
            begin;
        let standalone = EventStream::new(STANDALONE, share.account());
        standalone.keep();
        Self {
            id,
            owner,
            version,
            capabilities,
            info,
            seat,
            member,
            record,
            watched,
            level: Mutex::default(),
            calls: Calls::default(),
            asks: Mutex::default(),
            next_ask: AtomicU64::new(1),
            streams: Mutex::new(HashMap::from([(STANDALONE, standalone)])),
            next_stream: AtomicU64::new(STANDALONE + 1),
            used: Mutex::new(Instant::now()),
            readers: AtomicUsize::new(0),
            initialized: AtomicBool::new(false),
            forsaken: AtomicBool::new(false),
            ready: Notify::new(),
            link,
            share,
        }
    }

    /// What a session costs whose client says so much of itself.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(super) fn price(account: &Arc<Account>, introduction: usize) -> Result<Share, Short> {
        account.admits(0)?;
        let mut share = Share::of(account);
        share.try_set(COSTS + introduction)?;
        Ok(share)
    }

    /// Who is charged for it.
    pub(super) fn account(&self) -> &Arc<Account> {
        self.share.account()
    }

    /// What the session's requests say about their client.
    pub(super) fn client(&self) -> ClientSide {
        ClientSide {
            era: Era::Legacy,
            capabilities: self.capabilities.clone(),
            info: self.info.clone(),
            log_level: self.level(),
            session: Some(self.member.key()),
        }
    }

    pub(super) fn level(&self) -> Option<LogLevel> {
        *lock(&self.level)
    }

    pub(super) fn set_level(&self, level: LogLevel) {
        *lock(&self.level) = Some(level);
    }

    /// Whether the client wants log messages of this severity; before it said so, the server decides.
    pub(super) fn wants(&self, level: LogLevel) -> bool {
        self.level().is_none_or(|least| level >= least)
    }

    /// The client said that it is ready.
    pub(super) fn initialized(&self) {
        self.initialized.store(true, Ordering::Release);
        self.ready.notify_waiters();
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.initialized.load(Ordering::Acquire)
    }

    /// Numbers a request to the client and remembers who waits for the answer.
    pub(super) fn ask(&self, asked: Asked) -> u64 {
        let number = self.next_ask.fetch_add(1, Ordering::Relaxed);
        lock(&self.asks).insert(number, asked);
        number
    }

    pub(super) fn forget_ask(&self, number: u64) {
        lock(&self.asks).remove(&number);
    }

    /// Forgets a question that came outside any call, and returns its number.
    pub(super) fn withdraw_ask(&self, child: u64, key: &AskKey) -> Option<u64> {
        let mut asks = lock(&self.asks);
        let is_it = |asked: &Asked| matches!(asked, Asked::Outside(ask) if ask.key == *key && ask.child == child);
        let number = asks.iter().find(|(_, asked)| is_it(asked)).map(|(number, _)| *number)?;
        asks.remove(&number);
        Some(number)
    }

    /// Takes in a client's answer.
    pub(super) fn answer(&self, id: &RequestId, answer: Answer) -> Answered {
        let RequestId::Integer(number) = id else { return Answered::Unknown };
        let Ok(number) = u64::try_from(*number) else { return Answered::Unknown };
        match lock(&self.asks).remove(&number) {
            Some(Asked::Call { key, answers }) => {
                // A call that has ended needs no answer.
                let _ = answers.send((key, answer));
                Answered::Known
            }
            Some(Asked::Outside(ask)) => Answered::Outside(number, ask, answer),
            // A late or repeated answer to something that was asked.
            None if number < self.next_ask.load(Ordering::Relaxed) => Answered::Known,
            None => Answered::Unknown,
        }
    }

    /// An answer to this did not get through: it is waited for again.
    pub(super) fn ask_again(&self, number: u64, ask: OutsideAsk) {
        lock(&self.asks).insert(number, Asked::Outside(ask));
    }

    /// A stream that is not stored yet: its call may end without needing one.
    pub(super) fn new_stream(&self) -> Arc<EventStream> {
        let number = self.next_stream.fetch_add(1, Ordering::Relaxed);
        EventStream::new(number, self.account())
    }

    /// Stores a stream so that it can be resumed.
    pub(super) fn keep_stream(&self, stream: &Arc<EventStream>) {
        stream.keep();
        lock(&self.streams).insert(stream.number(), Arc::clone(stream));
    }

    pub(super) fn stream(&self, number: u64) -> Option<Arc<EventStream>> {
        lock(&self.streams).get(&number).cloned()
    }

    /// Notes that the session is in use.
    pub(super) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(super) fn reading(self: &Arc<Self>) -> Reading {
        self.readers.fetch_add(1, Ordering::Relaxed);
        Reading(Arc::clone(self))
    }

    /// Notes that its server does not do what its client was promised, so that a new one has to be begun.
    pub(super) fn forsake(&self) {
        self.forsaken.store(true, Ordering::Relaxed);
    }

    /// Whether the session is over with its server: see [`Seat::is_lost`].
    pub(super) fn is_lost(&self) -> bool {
        self.forsaken.load(Ordering::Relaxed) || self.seat.is_lost()
    }

    pub(super) fn is_stale(&self, idle: Duration) -> bool {
        let unused = lock(&self.used).elapsed() >= idle;
        let busy = self.readers.load(Ordering::Relaxed) > 0 || !self.calls.is_empty();
        self.is_lost() || (unused && !busy)
    }

    /// Forgets streams that nobody will come back for, the oldest first where there are too many bytes.
    pub(super) fn prune(&self) {
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

    /// Its streams, with when they ended.
    pub(super) fn stored(&self) -> Vec<(Option<Instant>, u64)> {
        let streams = lock(&self.streams);
        streams.values().map(|stream| (stream.finished(), stream.number())).collect()
    }

    /// Forgets what a stream keeps for a client that comes back, and the stream where nobody reads it.
    pub(super) fn forget_stored(&self, number: u64) {
        let mut streams = lock(&self.streams);
        let Some(stream) = streams.get(&number) else { return };
        let rest = stream.forget_delivered();
        // A reader, or a call that writes, would hold it too.
        let is_read = Arc::strong_count(stream) > 1;
        if rest == Rest::Nothing || rest == Rest::Unread && !is_read && number != STANDALONE {
            streams.remove(&number);
        }
    }

    /// Ends the session: its calls are taken back and end their own streams, also with an error that is under
    /// way; the streams that last end here.
    pub(super) fn end(&self) {
        self.calls.recall_all();
        if let Some(standalone) = self.stream(STANDALONE) {
            standalone.finish();
        }
        if let Some(link) = &self.link {
            link.finish();
        }
    }
}

impl Owner {
    /// Who a caller is to what was begun by him.
    pub(super) fn of(access: &Access) -> Self {
        let principal = access.principal();
        let (user, client) = (principal.user().clone(), principal.client().map(str::to_owned));
        Self { user, client, authority: Arc::clone(access.authority()) }
    }

    /// Whether the owner is the same user, with whatever authority and client.
    pub(super) fn is_user(&self, user: &UserId) -> bool {
        self.user == *user
    }

    pub(super) fn user(&self) -> &UserId {
        &self.user
    }

    /// Whether this caller is the owner.
    pub(super) fn is(&self, access: &Access) -> bool {
        self.user == *access.principal().user()
            && self.client.as_deref() == access.principal().client()
            && self.authority == *access.authority()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.touch();
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
