//! What the loop of one child knows: who waits for which number, and what to write next.
//!
//! Pure state: it reads no stream and waits for nothing. [`run`](super::run) feeds it and writes `out`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::asks::{Certainty, Held, Placed};
use super::audience::Subscribers;
use super::child::{Child, Command, Inbox};
use super::conversation::{AskKey, Event, Outcome};
use super::load::Load;
use super::mailbox::{Keep, Mailbox};
use super::rounds;
use super::trace::{Seen, Tracer};
use crate::mcp::{Era, ErrorObject, Raw, RequestId};
use crate::policy::Permitted;
use crate::server::{self, Hello, Incoming, Internal};

/// How long a cancelled call that its server never answers still counts as under way (checklist 5.32).
const CANCELLED_FOR: Duration = Duration::from_secs(5);
/// A call that has asked nothing more for this long waits for its answers and asks nothing else.
const ASKED_ALL_AFTER: Duration = Duration::from_secs(1);
/// How long a call waits for calls of other clients that could ask to end.
const APART_FOR: Duration = Duration::from_secs(30);

/// The state of one child's loop.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) hello: Hello,
    pub(super) audience: Arc<Subscribers>,
    pub(super) roots: Option<Raw>,
    /// Bytes for the child, not yet written.
    pub(super) out: Vec<u8>,
    pub(super) calls: HashMap<u64, Call>,
    internal: HashMap<u64, oneshot::Sender<Outcome>>,
    /// Calls that wait while an ask is being attributed.
    pub(super) waiting: VecDeque<(u64, Call)>,
    /// Asks whose call is not known yet.
    pub(super) held: Vec<Held>,
    /// Asks outside any call, and since when they wait for their answer.
    pub(super) outside: HashMap<AskKey, (RequestId, Instant)>,
    pub(super) next_ask: u64,
    load: Arc<Load>,
    lists_changed: Arc<AtomicUsize>,
    pub(super) trace: Tracer,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) permitted: Permitted,
    pub(super) mailbox: Arc<Mailbox<Event>>,
    /// Asks that the client has not answered yet.
    pub(super) asks: Vec<(AskKey, Placed)>,
    last_ask: Option<Instant>,
    pub(super) cancelled: Option<Instant>,
    started: Instant,
    pub(super) progress: f64,
}

impl Desk {
    pub(super) fn new(
        hello: Hello,
        audience: Arc<Subscribers>,
        roots: Option<Raw>,
        inbox: &Inbox,
        trace: Tracer,
    ) -> Self {
        Self {
            hello,
            audience,
            roots,
            out: Vec::new(),
            calls: HashMap::new(),
            internal: HashMap::new(),
            waiting: VecDeque::new(),
            held: Vec::new(),
            outside: HashMap::new(),
            next_ask: 0,
            load: Arc::clone(&inbox.load),
            lists_changed: Arc::clone(&inbox.lists_changed),
            trace,
        }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.internal.is_empty() && self.waiting.is_empty()
    }

    /// Does what a handle asked for.
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Call { id, permitted, mailbox } => {
                let call = Call {
                    permitted,
                    mailbox,
                    asks: Vec::new(),
                    last_ask: None,
                    cancelled: None,
                    started: Instant::now(),
                    progress: f64::NEG_INFINITY,
                };
                if self.must_wait(&call) {
                    self.waiting.push_back((id, call));
                } else {
                    self.dispatch(id, call);
                }
            }
            Command::Internal { id, request, reply } => {
                server::internal(&mut self.out, &self.hello, id, &request);
                self.internal.insert(id, reply);
            }
            Command::Answer { call, key, outcome } => self.answer(call, &key, &outcome),
            Command::AnswerOutside { key, outcome } => {
                if let Some((id, _)) = self.outside.remove(&key) {
                    server::reply(&mut self.out, &id, &outcome);
                }
            }
            Command::TakeOver { call, permitted } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.permitted = permitted;
                }
            }
            Command::Cancel { call, reason } => self.cancel(call, &reason),
            Command::Abandon { id } => {
                if self.internal.remove(&id).is_some() {
                    self.load.remove(0);
                    server::cancel(&mut self.out, id, "no answer in time");
                }
            }
            Command::Notify { permitted } => {
                self.load.remove(permitted.weight());
                let operation = permitted.operation();
                server::notify(&mut self.out, &operation.method, operation.params.raw.as_ref());
            }
        }
    }

    pub(super) fn dispatch(&mut self, id: u64, call: Call) {
        server::call(&mut self.out, &self.hello, id, &call.permitted);
        self.trace.call(call.permitted.operation());
        self.calls.insert(id, call);
    }

    /// Whether a call has to wait so that every question can be told to belong to one client: while a
    /// question is held, and while another client's call could ask as well.
    pub(super) fn must_wait(&self, call: &Call) -> bool {
        if self.hello.era() == Era::Modern || !call.permitted.operation().may_ask() {
            return false;
        }
        if !self.held.is_empty() {
            return true;
        }
        let session = call.permitted.operation().caller.session;
        self.could_ask(call)
            && call.started.elapsed() < APART_FOR
            && self.calls.values().any(|other| {
                let theirs = other.permitted.operation().caller.session;
                (session.is_none() || theirs != session)
                    && !other.awaits_answers()
                    && self.could_ask(other)
            })
    }

    fn could_ask(&self, call: &Call) -> bool {
        let operation = call.permitted.operation();
        operation.may_ask()
            && super::asks::can_be_asked(&operation.caller.capabilities)
            && self.audience.habits.may_ask(operation)
    }

    fn cancel(&mut self, id: u64, reason: &str) {
        if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == id) {
            if let Some((_, call)) = self.waiting.remove(at) {
                self.load.remove(call.permitted.weight());
            }
            return;
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.cancelled = Some(Instant::now());
        let asks = std::mem::take(&mut call.asks);
        self.trace.cancelled(call.permitted.operation());
        server::cancel(&mut self.out, id, reason);
        for (_, placed) in asks {
            let gone = Err(ErrorObject::internal("the call was cancelled"));
            server::reply(&mut self.out, &placed.held.id, &gone);
        }
    }

    /// Takes in a line of the child.
    pub(super) fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Response { id, outcome } => self.response(id, outcome),
            Incoming::Progress { token, params } => self.progress(token, &params),
            Incoming::Log { level, params } => self.log(level, params),
            Incoming::Request { id, method, params } => self.request(id, method, params),
            Incoming::Cancelled { id } => self.withdrawn(&id),
            Incoming::Subscription { listen, method, params } => {
                self.subscription(listen, method, &params);
            }
            Incoming::ListChanged(kind) => {
                self.trace.notified(kind.method(), None);
                self.lists_changed.fetch_add(1, Ordering::Relaxed);
                self.audience.list_changed(kind);
            }
            Incoming::Updated { uri, params } => {
                self.trace.notified("notifications/resources/updated", Some(&params));
                self.audience.updated(&uri, &params);
            }
            Incoming::Notification(notification) => {
                self.trace.notified(&notification.method, notification.params.as_ref());
                if self.hello.era() == Era::Legacy {
                    self.audience.other(&notification);
                }
            }
            // The loop counts and logs it.
            Incoming::Noise { .. } => {}
        }
    }

    fn response(&mut self, id: u64, outcome: Result<Raw, ErrorObject>) {
        if let Some(reply) = self.internal.remove(&id) {
            self.load.remove(0);
            // Whoever asked may have given up.
            let _ = reply.send(outcome.into());
            return;
        }
        let Some(mut call) = self.remove(id) else {
            tracing::debug!(id, "late answer to a call that is over");
            return;
        };
        if call.permitted.operation().may_ask() && call.last_ask.is_none() {
            self.audience.habits.was_quiet(call.permitted.operation());
        }
        // A call that asked cannot end unanswered, so what was left with it belongs to another one.
        let misplaced = std::mem::take(&mut call.asks).into_iter().map(|(_, placed)| placed);
        for placed in misplaced.filter(|placed| placed.certainty == Certainty::Session) {
            self.hold(placed.held);
        }
        let seen = Seen { started: call.started, outcome: &outcome };
        self.trace.answered(call.permitted.operation(), &seen);
        if call.cancelled.is_none() {
            self.finish(&call, outcome);
        }
        self.settle();
        self.release();
    }

    /// Notes that a call's target asks.
    pub(super) fn asked(call: &mut Call, audience: &Subscribers) {
        call.last_ask = Some(Instant::now());
        audience.habits.asked(call.permitted.operation());
    }

    fn finish(&mut self, call: &Call, outcome: Result<Raw, ErrorObject>) {
        let tell = |event| call.mailbox.push(event, Keep::End);
        let modern = self.hello.era() == Era::Modern;
        match outcome {
            Ok(result) if modern && rounds::is_input_required(&result) => {
                match rounds::read_input_required(&result, call.permitted.operation()) {
                    Ok((asks, state)) => {
                        asks.into_iter().map(Event::Ask).for_each(tell);
                        tell(Event::Suspended { state });
                    }
                    Err(error) => tell(Event::Done(Outcome::Error(error))),
                }
            }
            outcome => tell(Event::Done(outcome.into())),
        }
    }

    /// Forgets cancelled calls that were never answered, and asks that nobody could place in time.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let over = |call: &Call| call.cancelled.is_some_and(|at| now >= at + CANCELLED_FOR);
        let forgotten: Vec<u64> =
            self.calls.iter().filter(|(_, call)| over(call)).map(|(id, _)| *id).collect();
        for id in forgotten {
            self.remove(id);
        }
        self.settle();
        self.refuse_overdue(now);
        self.release();
    }

    /// Whether [`tick`](Self::tick) may have something to do.
    pub(super) fn needs_ticks(&self) -> bool {
        !self.held.is_empty()
            || !self.outside.is_empty()
            || !self.waiting.is_empty()
            || self.calls.values().any(|call| call.cancelled.is_some())
    }

    /// Tells everybody who waits that the child is gone.
    pub(super) fn fail(&mut self, why: &ErrorObject) {
        let waiting = self.waiting.drain(..).map(|(_, call)| call);
        for call in self.calls.drain().map(|(_, call)| call).chain(waiting) {
            call.mailbox.push(Event::Done(Outcome::Lost(why.clone())), Keep::End);
        }
        for (_, reply) in self.internal.drain() {
            let _ = reply.send(Outcome::Lost(why.clone()));
        }
    }

    /// Tells a successor what its predecessor was told: the log level and the subscriptions.
    pub(super) fn replay(&mut self, child: &Child) {
        if self.hello.era() == Era::Modern {
            return;
        }
        if let Some(level) = self.audience.level().filter(|_| self.hello.offers("logging")) {
            child.tell(Internal::SetLevel(level));
        }
        for (_, permitted) in self.audience.subscriptions() {
            child.call(permitted, Arc::default());
        }
    }

    /// Drops a call whose client has been told already, and tells the server.
    pub(super) fn forget(&mut self, id: u64) {
        if self.remove(id).is_some() {
            server::cancel(&mut self.out, id, "the subscription ended");
        }
    }

    fn remove(&mut self, id: u64) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.load.remove(call.permitted.weight());
        Some(call)
    }
}

impl Call {
    /// Whether the call has asked all it had to ask and waits for its own answers (checklist 5.42).
    pub(super) fn awaits_answers(&self) -> bool {
        !self.asks.is_empty() && self.last_ask.is_some_and(|at| at.elapsed() >= ASKED_ALL_AFTER)
    }
}

impl From<Result<Raw, ErrorObject>> for Outcome {
    fn from(outcome: Result<Raw, ErrorObject>) -> Self {
        match outcome {
            Ok(result) => Self::Result(result),
            Err(error) => Self::Error(error),
        }
    }
}
