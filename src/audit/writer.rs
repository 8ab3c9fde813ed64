//! The one thread that writes: in one go for all who wait, again when it could not, and to the end.
//!
//! It is a thread of its own because a disk may stall and a pipe may be full: then those wait who want to be recorded,
//! and nobody else.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::line;
use super::output::{Broken, Found, Output};
use super::queue::{Line, NotRecorded, Queue};

/// How long records may gather that nobody waits for.
const GATHER_FOR: Duration = Duration::from_millis(5);
/// How often it is tried again to write.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Whether records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no audit log.
    Off,
    /// They are.
    Writing,
    /// They are not, so nothing that has to be recorded happens.
    Stopped {
        /// What the system said.
        why: Arc<str>,
    },
}

/// What callers and the writing thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    work: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) queue: Queue,
    thread: Thread,
    stopped: Option<Stopped>,
    /// Nobody is left who could queue anything.
    closed: bool,
}

/// What the writing thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Thread {
    /// It writes, and looks for more before it does anything else.
    #[default]
    Busy,
    /// It lets records gather, and is woken for those that somebody waits for.
    Gathers,
    /// It is woken for anything.
    Asleep,
}

/// Whether nothing more will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Yes,
    No,
}

#[derive(Clone, Debug)]
struct Stopped {
    why: Arc<str>,
    since: String,
    refused: usize,
}

// === impl Shared ===

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the lock after something was queued, and wakes the thread if it has to know.
    pub(super) fn queued(&self, inner: MutexGuard<'_, Inner>) {
        let wake = match inner.thread {
            Thread::Busy => false,
            Thread::Gathers => inner.queue.is_awaited(),
            Thread::Asleep => true,
        };
        drop(inner);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
    }

    /// Writes what is queued until nobody can queue any more.
    pub(super) fn run(&self, mut output: Output, found: Found) {
        let mut news: Vec<String> =
            found.torn.map(|torn| line::mended(&torn)).into_iter().collect();
        while let Some(batch) = self.next(&news) {
            // Whoever comes meanwhile is still refused.
            let stopped = self.lock().stopped.clone();
            let resumed = stopped.map(|was| line::resumed(&was.since, &was.why, was.refused));
            news.extend(resumed.clone());
            let (batch, result) = write(&mut output, &mut news, batch);
            match result {
                Ok(()) => {
                    if resumed.is_some() {
                        tracing::warn!("the audit log is written again");
                    }
                    let mut inner = self.lock();
                    inner.stopped = None;
                    let count = batch.len();
                    let waiters = inner.queue.settled(batch, count);
                    drop(inner);
                    waiters.into_iter().for_each(|waiter| waiter.tell(Ok(())));
                }
                Err((count, cause)) => {
                    news.retain(|line| Some(line) != resumed.as_ref());
                    if self.stop(batch, count, &cause) == Over::Yes {
                        return;
                    }
                }
            }
        }
    }

    /// What is to be written next; `None` when there will be nothing more.
    fn next(&self, news: &[String]) -> Option<VecDeque<Line>> {
        let mut inner = self.lock();
        let began = Instant::now();
        let pause = if inner.stopped.is_some() { RETRY_EVERY } else { GATHER_FOR };
        while !inner.closed {
            let stopped = inner.stopped.is_some();
            if !stopped && inner.queue.is_awaited() && !inner.queue.is_empty() {
                break;
            }
            let left = pause.saturating_sub(began.elapsed());
            if left.is_zero() && (stopped || !inner.queue.is_empty() || !news.is_empty()) {
                break;
            }
            let wait = if left.is_zero() { Thread::Asleep } else { Thread::Gathers };
            inner.thread = wait;
            inner = match wait {
                Thread::Asleep => self.work.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Thread::Gathers | Thread::Busy => {
                    let waited = self.work.wait_timeout(inner, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            inner.thread = Thread::Busy;
            if wait == Thread::Asleep && !inner.closed && !inner.queue.is_awaited() {
                // What comes now may gather first.
                drop(inner);
                return self.next(news);
            }
        }
        let over = inner.closed && inner.queue.is_empty() && news.is_empty();
        (!over).then(|| inner.queue.take_all())
    }

    /// Refuses everybody until it can be written again; whether this is the end.
    fn stop(&self, batch: VecDeque<Line>, written: usize, cause: &std::io::Error) -> Over {
        let mut inner = self.lock();
        let done = inner.queue.settled(batch, written);
        let (turns, refused) = inner.queue.refuse_waiting();
        let news = inner.stopped.is_none();
        let fresh = || Stopped { why: cause.to_string().into(), since: line::now(), refused: 0 };
        inner.stopped.get_or_insert_with(fresh).refused += refused;
        let over = if inner.closed { Over::Yes } else { Over::No };
        drop(inner);
        if news {
            tracing::error!(
                error = cause as &dyn std::error::Error,
                "the audit log cannot be written; what has to be recorded is refused until it can"
            );
        }
        done.into_iter().for_each(|waiter| waiter.tell(Ok(())));
        turns.into_iter().for_each(|waiter| waiter.tell(Err(NotRecorded::Stopped)));
        if over == Over::Yes {
            tracing::error!("the audit log lacks its last records");
        }
        over
    }
}

// === impl Inner ===

impl Inner {
    /// Whether records can be written; one that cannot is counted.
    pub(super) fn is_stopped(&mut self) -> bool {
        let Some(stopped) = &mut self.stopped else { return false };
        stopped.refused += 1;
        true
    }

    pub(super) fn state(&self) -> State {
        match &self.stopped {
            None => State::Writing,
            Some(stopped) => State::Stopped { why: Arc::clone(&stopped.why) },
        }
    }
}

/// Writes the news and the batch; where that fails, how many lines of the batch are written nevertheless, and why not
/// the others.
fn write(
    output: &mut Output,
    news: &mut Vec<String>,
    batch: VecDeque<Line>,
) -> (VecDeque<Line>, Result<(), (usize, std::io::Error)>) {
    match output.follow() {
        Ok(None) => {}
        Ok(Some(found)) => {
            tracing::info!("the audit log was moved or removed; it is written anew under its name");
            news.push(line::reopened());
            news.extend(found.torn.map(|torn| line::mended(&torn)));
        }
        Err(cause) => return (batch, Err((0, cause))),
    }
    let lines = news.iter().chain(batch.iter().map(|line| &line.text));
    let text = lines.fold(String::new(), |all, line| all + line);
    if text.is_empty() {
        return (batch, Ok(()));
    }
    let result = match output.write(text.as_bytes()) {
        Ok(()) => {
            news.clear();
            Ok(())
        }
        Err(Broken { written, cause }) => {
            let mut end = 0;
            let ends = |line: &&String| {
                end += line.len();
                end <= written
            };
            let lines = news.iter().chain(batch.iter().map(|line| &line.text));
            let whole = lines.take_while(ends).count();
            let told = whole.min(news.len());
            news.drain(..told);
            Err((whole - told, cause))
        }
    };
    (batch, result)
}
