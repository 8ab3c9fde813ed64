//! One resumable stream of events: what was written, what a client has seen, and who reads now.
//!
//! The store is bounded; what falls out of it cannot be replayed, and a resume that needs it is refused
//! (checklist 2.29–2.33).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::client::reply::{Content, Frame};
use crate::limits::{Account, Share};

/// How many bytes of events one stream keeps for a client that comes back.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_EVENTS: usize = 2048;
/// How many events are kept for a reader that has not come for them yet.
const MOST_UNREAD: usize = 4096;
/// How many events may wait for a slow reader before droppable ones are dropped.
const MOST_WAITING: u64 = 256;
/// What a stored stream and a stored event take beside what they say.
const STREAM_COSTS: usize = 1024;
const EVENT_COSTS: usize = 128;

/// A stream; its number is unique within its session.
#[derive(Debug)]
pub(super) struct EventStream {
    number: u64,
    state: Mutex<State>,
    changed: Notify,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct State {
    /// What a stored stream is charged beside its large events, which carry their own charge.
    share: Option<Share>,
    /// How many bytes of events are the stream's own to pay for.
    small: usize,
    events: VecDeque<Content>,
    /// The sequence number of the first stored event.
    first: u64,
    bytes: usize,
    /// How many of them belong to events that were not delivered yet.
    unread: usize,
    delivered: u64,
    finished: Option<Instant>,
    /// Counts the readers; only the newest one reads.
    reader: u64,
}

/// What a reader gets.
#[derive(Debug)]
pub(super) enum Step {
    Frame(Frame),
    /// Nothing now.
    Wait,
    /// Nothing any more, or somebody else reads.
    End,
}

/// What is left of a stream whose reader has had what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is not over.
    GoesOn,
    /// It is over, and there are events that nobody has read.
    Unread,
    /// It is over and empty.
    Nothing,
}

/// A resume that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Evicted;

/// The newest reader of a stream.
#[derive(Debug)]
pub(super) struct Reader {
    stream: Arc<EventStream>,
    generation: u64,
    /// The sequence number of the last event that was read.
    seen: u64,
}

impl EventStream {
    /// A stream whose events are charged to this account.
    pub(super) fn new(number: u64, account: &Arc<Account>) -> Arc<Self> {
        let state = Mutex::new(State { first: 1, ..State::default() });
        Arc::new(Self { number, state, changed: Notify::new(), account: Arc::clone(account) })
    }

    /// It is stored from now on, so that it outlives its reader.
    pub(super) fn keep(&self) {
        let mut state = self.lock();
        state.share.get_or_insert_with(|| Share::of(&self.account));
        state.pay();
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Adds an event that must arrive; the protocol bounds how many of them a call has.
    pub(super) fn push(&self, content: Content) {
        let content = content.charged(&self.account);
        let mut state = self.lock();
        state.bytes += content.len();
        state.unread += content.len();
        state.small += content.small_len() + EVENT_COSTS;
        state.events.push_back(content);
        state.evict();
        state.pay();
        drop(state);
        self.changed.notify_waiters();
    }

    /// Adds an event that a slow reader can do without.
    pub(super) fn push_if_room(&self, content: Content) {
        let state = self.lock();
        if state.next() - 1 - state.delivered < MOST_WAITING && state.unread < MOST_BYTES {
            drop(state);
            self.push(content);
        }
    }

    /// Ends the stream; what is in it can still be read.
    pub(super) fn finish(&self) {
        self.lock().finished.get_or_insert_with(Instant::now);
        self.changed.notify_waiters();
    }

    /// Forgets what its reader has, of which only a resume would make use; returns whether it is over and there is
    /// nothing left in it.
    pub(super) fn forget_delivered(&self) -> Rest {
        let mut state = self.lock();
        while state.first <= state.delivered && !state.events.is_empty() {
            state.forget_first();
        }
        state.pay();
        match (state.finished, state.events.is_empty()) {
            (None, _) => Rest::GoesOn,
            (Some(_), false) => Rest::Unread,
            (Some(_), true) => Rest::Nothing,
        }
    }

    /// When the stream ended.
    pub(super) fn finished(&self) -> Option<Instant> {
        self.lock().finished
    }

    /// The only event of a finished stream: an answer that needs no stream.
    pub(super) fn only_event(&self) -> Option<Content> {
        let state = self.lock();
        (state.finished.is_some() && state.first == 1 && state.events.len() == 1)
            .then(|| state.events[0].clone())
    }

    /// What was written last.
    pub(super) fn last_event(&self) -> Option<Content> {
        self.lock().events.back().cloned()
    }

    /// How much is stored.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Resolves when an event was added or the stream ended.
    pub(super) async fn arrived(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if state.next() > 1 || state.finished.is_some() {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Takes over the reading, after the event `last`, or after what was delivered already.
    pub(super) fn read(self: &Arc<Self>, last: Option<u64>) -> Result<Reader, Evicted> {
        let mut state = self.lock();
        let seen = last.unwrap_or(state.delivered);
        if seen + 1 < state.first || seen >= state.next() {
            return Err(Evicted);
        }
        state.reader += 1;
        let generation = state.reader;
        drop(state);
        self.changed.notify_waiters();
        Ok(Reader { stream: Arc::clone(self), generation, seen })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The sequence number of the next event to be added.
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Forgets the oldest events while there are too many. What nobody has read goes last: a large answer
    /// must not push out the events before it, or the reader would miss both.
    fn evict(&mut self) {
        let over = |state: &Self| state.bytes > MOST_BYTES || state.events.len() > MOST_EVENTS;
        while self.events.len() > 1
            && over(self)
            && (self.first <= self.delivered || self.events.len() > MOST_UNREAD)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(gone) = self.events.pop_front() else { return };
        self.bytes -= gone.len();
        self.small -= gone.small_len() + EVENT_COSTS;
        if self.first > self.delivered {
            self.unread -= gone.len();
        }
        self.first += 1;
    }

    fn pay(&mut self) {
        if let Some(share) = &mut self.share {
            share.set(STREAM_COSTS + self.small);
        }
    }
}

impl Reader {
    pub(super) fn stream(&self) -> &Arc<EventStream> {
        &self.stream
    }

    /// The id that the next event follows.
    pub(super) fn position(&self) -> String {
        format!("{}-{}", self.stream.number, self.seen)
    }

    /// The next event, if there is one.
    pub(super) fn step(&mut self) -> Step {
        let mut state = self.stream.lock();
        if state.reader != self.generation || self.seen + 1 < state.first {
            return Step::End;
        }
        let at = usize::try_from(self.seen + 1 - state.first).unwrap_or(usize::MAX);
        match state.events.get(at) {
            Some(content) => {
                let content = content.clone();
                self.seen += 1;
                if self.seen > state.delivered {
                    state.delivered = self.seen;
                    state.unread -= content.len();
                    state.evict();
                    state.pay();
                }
                drop(state);
                Step::Frame(Frame { id: Some(self.position()), content, ..Frame::default() })
            }
            None if state.finished.is_some() => Step::End,
            None => Step::Wait,
        }
    }

    /// Resolves when [`step`](Self::step) may have something new.
    pub(super) async fn wait(&mut self) {
        let changed = self.stream.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let idle = {
            let state = self.stream.lock();
            state.reader == self.generation
                && state.finished.is_none()
                && self.seen + 1 >= state.next()
        };
        if idle {
            changed.await;
        }
    }
}

/// Reads `STREAM-SEQUENCE`.
pub(super) fn read_event_id(text: &str) -> Option<(u64, u64)> {
    let (stream, sequence) = text.split_once('-')?;
    Some((stream.parse().ok()?, sequence.parse().ok()?))
}

#[cfg(test)]
mod tests;
