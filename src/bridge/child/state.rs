//! What the loop of one child knows: who waits for which number, and what to write next.
//!
//! Pure state: it reads no stream and waits for nothing. [`dispatch`](super::dispatch) says what changes it, and the
//! [`actor`](super::actor) writes `out`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::event::{AskKey, Event, Outcome};
use super::super::mailbox::{Keep, Mailbox};
use super::super::trace::Tracer;
use super::handle::{GONE, Inbox};
use super::in_flight::InFlight;
use super::subscribers::Subscribers;
use crate::mcp::{ErrorObject, Raw, RequestId};
use crate::policy::Permitted;
use crate::server::{self, Hello};

/// A call that has asked nothing more for this long waits for its answers and asks nothing else.
const ASKED_ALL_AFTER: Duration = Duration::from_secs(1);
/// A write buffer larger than this is given back once it is empty.
const KEPT_BUFFER: usize = 256 * 1024;

/// The state of one child's loop.
#[derive(Debug)]
pub(super) struct ChildState {
    /// Which of this process's children it is.
    pub(super) number: u64,
    pub(super) hello: Hello,
    pub(super) subscribers: Arc<Subscribers>,
    pub(super) roots: Option<Raw>,
    /// How long a question is held, and a call kept apart.
    pub(super) hold_limit: Duration,
    /// How many calls have been sent.
    sent: u64,
    /// Bytes for the child, not yet all written.
    pub(super) out: Vec<u8>,
    /// How many of them have left.
    pub(super) written: usize,
    /// How many bytes have left before them.
    left_before: u64,
    pub(super) calls: HashMap<u64, Call>,
    pub(super) internal: HashMap<u64, oneshot::Sender<Outcome>>,
    /// Calls that wait for those of other clients which they could be confused with.
    pub(super) waiting: VecDeque<(u64, Call)>,
    /// Asks whose call is not known yet.
    pub(super) held: Vec<Question>,
    /// Asks outside any call, and since when they wait for their answer.
    pub(super) outside: HashMap<AskKey, (RequestId, Instant)>,
    pub(super) next_ask: u64,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) lists_changed: Arc<AtomicUsize>,
    pub(super) trace: Tracer,
    /// Whether it has answered a call of a client's.
    pub(super) has_served: bool,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) permitted: Permitted,
    pub(super) mailbox: Arc<Mailbox<Event>>,
    /// Asks that the client has not answered yet.
    pub(super) asks: Vec<(AskKey, Placed)>,
    pub(super) last_ask: Option<Instant>,
    pub(super) cancelled: Option<Instant>,
    pub(super) started: Instant,
    pub(super) progress: f64,
    /// The how many-th call of this child it is; meaningless while it waits.
    pub(super) order: u64,
    /// At which byte of all that goes to the child it begins; meaningless while it waits.
    begins_at: u64,
}

/// An ask without an owner yet.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: RequestId,
    pub(super) method: ByteString,
    pub(super) params: Option<Raw>,
    /// Since when it waits.
    pub(super) since: Instant,
    /// How many calls the child had been sent when it asked: a later one did not make it ask.
    pub(super) after: u64,
}

/// An ask that a client was given.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) question: Question,
    pub(super) certainty: Certainty,
}

/// How well an ask's owner is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// It is this call.
    Call,
    /// It is a call of this session.
    Session,
}

// === impl ChildState ===

impl ChildState {
    pub(super) fn new(
        number: u64,
        hello: Hello,
        subscribers: Arc<Subscribers>,
        roots: Option<Raw>,
        hold_limit: Duration,
        inbox: &Inbox,
        trace: Tracer,
    ) -> Self {
        Self {
            number,
            hello,
            subscribers,
            roots,
            hold_limit,
            sent: 0,
            out: Vec::new(),
            written: 0,
            left_before: 0,
            calls: HashMap::new(),
            internal: HashMap::new(),
            waiting: VecDeque::new(),
            held: Vec::new(),
            outside: HashMap::new(),
            next_ask: 0,
            in_flight: Arc::clone(&inbox.in_flight),
            lists_changed: Arc::clone(&inbox.lists_changed),
            trace,
            has_served: false,
        }
    }

    /// A question that comes now.
    pub(super) fn question(
        &self,
        id: RequestId,
        method: ByteString,
        params: Option<Raw>,
    ) -> Question {
        Question { id, method, params, since: Instant::now(), after: self.sent }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.internal.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn send(&mut self, id: u64, mut call: Call) {
        self.sent += 1;
        call.order = self.sent;
        call.begins_at = self.left_before + self.out.len() as u64;
        server::call(&mut self.out, &self.hello, id, &call.permitted);
        self.trace.call(call.permitted.operation());
        self.calls.insert(id, call);
    }

    /// Whether [`tick`](Self::tick) may have something to do.
    pub(super) fn needs_ticks(&self) -> bool {
        !self.held.is_empty()
            || !self.outside.is_empty()
            || !self.waiting.is_empty()
            || self.calls.values().any(|call| call.cancelled.is_some())
    }

    /// Notes that so many more bytes have left for the child.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written == self.out.len() {
            self.left_before += self.out.len() as u64;
            self.written = 0;
            self.out.clear();
            self.out.shrink_to(KEPT_BUFFER);
        }
    }

    /// Tells everybody who waits that the child is gone, and those of whose call nothing has left for it that as well.
    pub(super) fn fail(&mut self, why: &ErrorObject) {
        let left = self.left_before + self.written as u64;
        let waiting = self.waiting.drain(..).map(|(_, call)| call);
        for call in self.calls.drain().map(|(_, call)| call).chain(waiting) {
            let outcome = match call.begins_at < left {
                true => Outcome::Lost(why.clone()),
                false => Outcome::Unsent(ErrorObject::internal(GONE)),
            };
            call.mailbox.push(Event::Done(outcome), Keep::End);
        }
        // What it asked outside any call nobody need answer any more.
        for key in std::mem::take(&mut self.outside).into_keys() {
            self.withdraw(key);
        }
        for (_, reply) in self.internal.drain() {
            let _ = reply.send(Outcome::Lost(why.clone()));
        }
    }

    /// Subscriptions never end by themselves; before the child is closed they are ended.
    pub(super) fn end_listens(&mut self) {
        let is_listen = |call: &Call| call.permitted.operation().method == "subscriptions/listen";
        let listens = self.calls.iter().filter(|(_, call)| is_listen(call));
        let ids: Vec<u64> = listens.map(|(id, _)| *id).collect();
        for id in ids {
            // Whoever listens goes on with the successor, or ends its stream where there is none.
            let why = ErrorObject::internal("the server is being closed");
            let done = Event::Done(Outcome::Lost(why));
            self.calls[&id].mailbox.push(done, Keep::End);
            self.forget(id);
        }
    }

    /// Drops a call whose client has been told already, and tells the server.
    fn forget(&mut self, id: u64) {
        if self.remove(id).is_some() {
            server::cancel(&mut self.out, id, "the subscription ended");
        }
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.in_flight.remove(call.permitted.weight());
        Some(call)
    }
}

// === impl Call ===

impl Call {
    pub(super) fn new(permitted: Permitted, mailbox: Arc<Mailbox<Event>>) -> Self {
        Self {
            permitted,
            mailbox,
            asks: Vec::new(),
            last_ask: None,
            cancelled: None,
            started: Instant::now(),
            progress: f64::NEG_INFINITY,
            order: u64::MAX,
            begins_at: u64::MAX,
        }
    }

    /// Whether the call has asked all it had to ask and waits for its own answers (checklist 5.42).
    pub(super) fn awaits_answers(&self) -> bool {
        !self.asks.is_empty() && self.last_ask.is_some_and(|at| at.elapsed() >= ASKED_ALL_AFTER)
    }
}
