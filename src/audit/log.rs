//! What the rest of the process sees of the audit log, and the guard that writes the second record of each pair.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::line;
use super::output::{Durability, Output};
use super::queue::{NotRecorded, Room, User, Verdict, Waiter};
use super::record::{Begin, Ending, Event, Incident, Note, Who};
use super::writer::{Shared, State};
use crate::hex;
use crate::shutdown::Shutdown;

/// How long a call waits for its first record; a disk that takes longer is as good as none.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);
/// How often it is looked for those who have waited for so long.
const LOOKED_EVERY: Duration = Duration::from_millis(500);
/// How long the last records may take when everything else is dropped.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// The audit log; a clone writes to the same place.
#[derive(Clone, Debug)]
pub struct Log(Option<Arc<Handle>>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    key: [u8; 32],
    next: AtomicU64,
}

/// The audit log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("open the audit log {}", path.display())]
pub struct OpenError {
    /// Where.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub cause: std::io::Error,
}

/// A call whose end is not written yet; dropping it writes that it was cancelled.
#[derive(Debug)]
pub struct Open {
    to: Option<To>,
    started: Instant,
}

/// A session whose end is not on record yet; dropping it records that too.
#[derive(Debug)]
pub struct OpenSession(Mutex<Option<(Arc<Handle>, Who, String)>>);

/// Where the second record goes.
#[derive(Debug)]
struct To {
    handle: Arc<Handle>,
    call: u64,
    user: User,
    begin: FirstRecord,
}

/// What is known of the first record.
#[derive(Debug)]
enum FirstRecord {
    /// Its fate will be told here.
    Awaited(oneshot::Receiver<Verdict>),
    /// It is there, or will be.
    Stays,
}

// === impl Log ===

impl Log {
    /// No audit log.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Appends to a file, or writes to stderr where `path` is `-`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(
        path: &Path,
        durability: Durability,
        shutdown: &Shutdown,
    ) -> Result<Self, OpenError> {
        let error = |cause| OpenError { path: path.to_owned(), cause };
        let (output, found) = Output::open(path, durability).map_err(error)?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|cause| error(std::io::Error::other(cause)))?;
        let shared = Arc::new(Shared::default());
        let (writing, written) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let for_thread = Arc::clone(&shared);
        let spawned = thread.spawn(move || {
            for_thread.run(output, found);
            drop(writing);
        });
        spawned.map_err(error)?;
        let (stop, patience) = (shutdown.clone(), Arc::clone(&shared));
        shutdown.spawn_work(async move {
            tokio::pin!(written);
            let mut ticks = tokio::time::interval(LOOKED_EVERY);
            loop {
                tokio::select! {
                    // It ends when nobody holds the log any more; the sender is only dropped.
                    _ = &mut written => return,
                    _ = ticks.tick() => {
                        let late = patience.lock().queue.overdue(WRITTEN_WITHIN);
                        late.into_iter().for_each(|one| one.tell(Err(NotRecorded::Behind)));
                    }
                    () = stop.aborting() => {
                        let _ = tokio::time::timeout(LAST_RECORDS, written).await;
                        return;
                    }
                }
            }
        });
        Ok(Self(Some(Arc::new(Handle { shared, key, next: AtomicU64::new(1) }))))
    }

    /// Whether records are written, as of now.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.as_ref().map_or(State::Off, |handle| handle.shared.lock().state())
    }

    /// A hash that tells equal values apart from different ones and nothing else.
    #[must_use]
    pub fn keyed_hash(&self, value: &[u8]) -> String {
        let Some(handle) = &self.0 else { return String::new() };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&handle.key) else {
            return String::new();
        };
        mac.update(value);
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// Queues the first record of a call, and keeps room for the second. The call must not happen before it is
    /// [`written`](Open::written).
    ///
    /// # Errors
    /// When there is no room for both, or nothing can be written.
    pub fn begin(&self, begin: impl FnOnce() -> Begin) -> Result<Open, NotRecorded> {
        let started = Instant::now();
        let Some(handle) = &self.0 else { return Ok(Open { to: None, started }) };
        let (tell, told) = oneshot::channel();
        let (call, user, text) = handle.first(begin);
        handle.push_awaited(user, text, Waiter::Task(tell))?;
        let (handle, begin) = (Arc::clone(handle), FirstRecord::Awaited(told));
        Ok(Open { to: Some(To { handle, call, user, begin }), started })
    }

    /// Does something as soon as the first record of it is written, and before anything that is recorded later. Where
    /// it cannot be written, nothing happens.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_in_turn(
        &self,
        begin: impl FnOnce() -> Begin,
        turn: impl FnOnce(Open) + Send + 'static,
    ) -> Result<(), NotRecorded> {
        let started = Instant::now();
        let Some(handle) = &self.0 else {
            turn(Open { to: None, started });
            return Ok(());
        };
        let (call, user, text) = handle.first(begin);
        let to = To { handle: Arc::clone(handle), call, user, begin: FirstRecord::Stays };
        let mut to = Some(to);
        let waiter = move |verdict| {
            let mut open = Open { to: to.take(), started };
            if open.judged(verdict).is_ok() {
                turn(open);
            }
        };
        handle.push_awaited(user, text, Waiter::Turn(Box::new(waiter)))
    }

    /// Queues the only record of something that is no call.
    ///
    /// # Errors
    /// When there is no room, or nothing can be written.
    pub fn note(&self, kind: Note, about: impl FnOnce() -> Begin) -> Result<(), NotRecorded> {
        let Some(handle) = &self.0 else { return Ok(()) };
        let about = about().bounded();
        handle.push(user(&about.who), line::note(kind, &about))
    }

    /// Records what somebody known did that he must not do; it is in the log as well.
    pub fn incident(&self, who: &Who, incident: &Incident) {
        tracing::warn!(
            user = who.user,
            issuer = who.issuer,
            subject = who.subject,
            "refused: {incident}"
        );
        let Some(handle) = &self.0 else { return };
        handle.happened(user(who), line::incident(&who.clone().bounded(), incident));
    }

    /// Records what happened to somebody's session, process or credential.
    pub fn event(&self, who: impl FnOnce() -> Who, event: impl FnOnce() -> Event) {
        let Some(handle) = &self.0 else { return };
        let who = who().bounded();
        handle.happened(user(&who), line::event(Some(&who), &event().bounded()));
    }

    /// Records what happened to a credential of mcpwrap's own.
    pub fn own_event(&self, event: impl FnOnce() -> Event) {
        let Some(handle) = &self.0 else { return };
        handle.happened(0, line::event(None, &event().bounded()));
    }

    /// Records that a session was opened. Its name is a secret: what is on record is the beginning of a hash of it.
    #[must_use]
    pub fn session(&self, who: impl FnOnce() -> Who, name: &str) -> OpenSession {
        let open = self.0.as_ref().map(|handle| {
            let session = hex::encode(&Sha256::digest(name)[..8]);
            let who = who().bounded();
            let event = Event::SessionOpened { session: session.clone() };
            handle.happened(user(&who), line::event(Some(&who), &event));
            (Arc::clone(handle), who, session)
        });
        OpenSession(Mutex::new(open))
    }

    /// Records how often requests from one network were refused for one reason before anybody was known.
    ///
    /// # Errors
    /// When there is no room.
    pub(super) fn refused(&self, from: &str, reason: &str, count: u64) -> Result<(), NotRecorded> {
        tracing::info!(reason, from, count, "requests were refused");
        let Some(handle) = &self.0 else { return Ok(()) };
        handle.push_anyway(0, line::refused(from, reason, count))
    }
}

/// A user as the queue tells users apart.
fn user(who: &Who) -> User {
    User::from_str_radix(&who.user, 16).unwrap_or_default()
}

// === impl OpenSession ===

impl OpenSession {
    /// Records why it ended; only the first reason counts.
    pub fn end(&self, why: &'static str) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((handle, who, session)) = open {
            let event = Event::SessionEnded { session, why };
            handle.happened(user(&who), line::event(Some(&who), &event));
        }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.end("mcpwrap let go of it");
    }
}

// === impl Handle ===

impl Handle {
    /// The number of a new call, whose it is, and the first record.
    fn first(&self, begin: impl FnOnce() -> Begin) -> (u64, User, String) {
        let begin = begin().bounded();
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        (call, user(&begin.who), line::begin(call, &begin))
    }

    fn push_awaited(&self, user: User, text: String, waiter: Waiter) -> Result<(), NotRecorded> {
        let mut inner = self.shared.lock();
        if inner.is_stopped() {
            return Err(NotRecorded::Stopped);
        }
        inner.queue.push_awaited(user, text, waiter)?;
        self.shared.queued(inner);
        Ok(())
    }

    fn push(&self, user: User, text: String) -> Result<(), NotRecorded> {
        let mut inner = self.shared.lock();
        if inner.is_stopped() {
            return Err(NotRecorded::Stopped);
        }
        inner.queue.push(user, text, Room::Ordinary)?;
        self.shared.queued(inner);
        Ok(())
    }

    /// Also where nothing can be written at the moment.
    fn push_anyway(&self, user: User, text: String) -> Result<(), NotRecorded> {
        let mut inner = self.shared.lock();
        inner.queue.push(user, text, Room::Spare)?;
        self.shared.queued(inner);
        Ok(())
    }

    fn happened(&self, user: User, text: String) {
        if self.push_anyway(user, text).is_err() {
            tracing::error!("the audit log has no room for what happened");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

// === impl Open ===

impl Open {
    /// Waits until the first record is as durable as was asked for.
    ///
    /// # Errors
    /// When it is not in time, or cannot be: the call must not happen then, and no second record is due.
    pub async fn written(&mut self) -> Result<(), NotRecorded> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let FirstRecord::Awaited(told) = &mut to.begin else { return Ok(()) };
        let verdict = told.await.unwrap_or(Err(NotRecorded::Behind));
        to.begin = FirstRecord::Stays;
        self.judged(verdict)
    }

    /// Records how the call ended.
    pub fn end(mut self, outcome: Ending) {
        self.write(outcome);
    }

    fn judged(&mut self, verdict: Verdict) -> Verdict {
        match verdict {
            Ok(()) => {}
            // The first record was taken back.
            Err(NotRecorded::Stopped) => self.to = None,
            Err(_) => self.write(Ending::Refused),
        }
        verdict
    }

    fn write(&mut self, outcome: Ending) {
        let Some(To { handle, call, user, begin }) = self.to.take() else { return };
        if let FirstRecord::Awaited(mut told) = begin {
            // From here on nobody takes the first record back.
            told.close();
            if let Ok(Err(NotRecorded::Stopped)) = told.try_recv() {
                return;
            }
        }
        let duration_ms = self.started.elapsed().as_secs_f64() * 1000.0;
        let text = line::end(call, outcome, duration_ms);
        let mut inner = handle.shared.lock();
        inner.queue.push_end(user, text);
        handle.shared.queued(inner);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.write(Ending::Cancelled);
    }
}
