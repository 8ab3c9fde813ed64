//! Where records go, and the guard that writes the second of each pair.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use tokio::sync::{mpsc, oneshot};

use super::record::{Begin, Ending, Incident, Note, Who};
use crate::shutdown::Shutdown;
use crate::{hex, private_file};

/// Records that wait to be written; one more and calls are refused.
const MOST_WAITING: usize = 8192;
/// How long records may gather before they are written; a full queue at this pace is millions in a second.
const GATHER_FOR: Duration = Duration::from_millis(2);
/// How long the last records may take when everything else is dropped.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// The audit log; a clone writes to the same place.
#[derive(Clone, Debug)]
pub struct Log(Option<Arc<Writer>>);

#[derive(Debug)]
struct Writer {
    lines: mpsc::Sender<String>,
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

/// No record can be taken, as the queue is full or its writer has failed: so the call must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot keep up")]
pub struct Full;

/// A call whose end is not written yet; dropping it writes that it was cancelled.
#[derive(Debug)]
pub struct Open {
    to: Option<(Arc<Writer>, mpsc::OwnedPermit<String>, u64)>,
    started: Instant,
}

#[derive(Serialize)]
struct BeginLine<'a> {
    event: &'static str,
    call: u64,
    time: String,
    #[serde(flatten)]
    begin: &'a Begin,
}

#[derive(Serialize)]
struct NoteLine<'a> {
    event: Note,
    time: String,
    #[serde(flatten)]
    about: &'a Begin,
}

#[derive(Serialize)]
struct SecurityLine<'a> {
    event: &'static str,
    time: String,
    #[serde(flatten)]
    incident: &'a Incident,
    who: &'a Who,
}

#[derive(Serialize)]
struct RefusedLine<'a> {
    event: &'static str,
    time: String,
    reason: &'a str,
    from: &'a str,
    count: u64,
}

#[derive(Serialize)]
struct EndLine {
    event: &'static str,
    call: u64,
    time: String,
    outcome: Ending,
    duration_ms: f64,
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
    pub fn open(path: &std::path::Path, shutdown: &Shutdown) -> Result<Self, OpenError> {
        let error = |cause| OpenError { path: path.to_owned(), cause };
        let mut out: Box<dyn Write + Send> = if path.as_os_str() == "-" {
            Box::new(std::io::stderr())
        } else {
            // Who calls what is not for everybody on the machine.
            Box::new(private_file::open_log(path).map_err(error)?)
        };
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|cause| error(std::io::Error::other(cause)))?;
        let (lines, queue) = mpsc::channel::<String>(MOST_WAITING);
        // A thread of its own: a disk that stalls, or a pipe that nobody reads, holds up nothing but the log.
        let (writing, written) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let spawned = thread.spawn(move || {
            write(queue, &mut *out);
            drop(writing);
        });
        spawned.map_err(error)?;
        let stop = shutdown.clone();
        shutdown.spawn_work(async move {
            tokio::pin!(written);
            tokio::select! {
                // It ends when nobody holds the log any more; the sender is only dropped.
                _ = &mut written => {}
                () = stop.aborting() => {
                    let _ = tokio::time::timeout(LAST_RECORDS, written).await;
                }
            }
        });
        Ok(Self(Some(Arc::new(Writer { lines, key, next: AtomicU64::new(1) }))))
    }

    /// Whether anything is written.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A hash that tells equal values apart from different ones and nothing else.
    #[must_use]
    pub fn keyed_hash(&self, value: &[u8]) -> String {
        let Some(writer) = &self.0 else { return String::new() };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&writer.key) else {
            return String::new();
        };
        mac.update(value);
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// Writes the first record of a call, and keeps room for the second.
    ///
    /// # Errors
    /// When there is no room for both.
    pub fn begin(&self, begin: impl FnOnce() -> Begin) -> Result<Open, Full> {
        let started = Instant::now();
        let Some(writer) = &self.0 else { return Ok(Open { to: None, started }) };
        let first = writer.lines.clone().try_reserve_owned().map_err(|_| Full)?;
        let second = writer.lines.clone().try_reserve_owned().map_err(|_| Full)?;
        let call = writer.next.fetch_add(1, Ordering::Relaxed);
        let begin = begin();
        first.send(line(&BeginLine { event: "begin", call, time: now(), begin: &begin }));
        Ok(Open { to: Some((Arc::clone(writer), second, call)), started })
    }

    /// Writes the only record of something that is no call.
    ///
    /// # Errors
    /// When there is no room.
    pub fn note(&self, kind: Note, about: impl FnOnce() -> Begin) -> Result<(), Full> {
        let Some(writer) = &self.0 else { return Ok(()) };
        let room = writer.lines.try_reserve().map_err(|_| Full)?;
        room.send(line(&NoteLine { event: kind, time: now(), about: &about() }));
        Ok(())
    }

    /// Writes what somebody known did that he must not do; it is in the log as well.
    pub fn incident(&self, who: &Who, incident: &Incident) {
        tracing::warn!(
            user = who.user,
            issuer = who.issuer,
            subject = who.subject,
            "refused: {incident}"
        );
        let Some(writer) = &self.0 else { return };
        let record = SecurityLine { event: "security", time: now(), incident, who };
        if writer.lines.try_send(line(&record)).is_err() {
            tracing::error!("the audit log has no room for a security event");
        }
    }

    /// Writes how often requests from one network were refused for one reason before anybody was known.
    ///
    /// # Errors
    /// When there is no room.
    pub(super) fn refused(&self, from: &str, reason: &str, count: u64) -> Result<(), Full> {
        tracing::info!(reason, from, count, "requests were refused");
        let Some(writer) = &self.0 else { return Ok(()) };
        let record = RefusedLine { event: "refused", time: now(), reason, from, count };
        writer.lines.try_send(line(&record)).map_err(|_| Full)
    }
}

// === impl Open ===

impl Open {
    /// Writes how the call ended.
    pub fn end(mut self, outcome: Ending) {
        self.write(outcome);
    }

    fn write(&mut self, outcome: Ending) {
        if let Some((_writer, room, call)) = self.to.take() {
            let duration_ms = self.started.elapsed().as_secs_f64() * 1000.0;
            room.send(line(&EndLine { event: "end", call, time: now(), outcome, duration_ms }));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.write(Ending::Cancelled);
    }
}

/// Writes what is queued until nobody can queue any more.
fn write(mut queue: mpsc::Receiver<String>, out: &mut dyn Write) {
    while let Some(mut line) = queue.blocking_recv() {
        while let Ok(more) = queue.try_recv() {
            line.push_str(&more);
        }
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            tracing::error!(%error, "the audit log cannot be written");
            // The queue closes here, and without it no call is admitted any more.
            return;
        }
        // What comes meanwhile is written in one go, and nobody pays for waking this thread.
        std::thread::sleep(GATHER_FOR);
    }
}

fn line<T: Serialize>(record: &T) -> String {
    // Records are plain structs of strings and numbers, which always serialise.
    let mut text = serde_json::to_string(record).unwrap_or_default();
    text.push('\n');
    text
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
