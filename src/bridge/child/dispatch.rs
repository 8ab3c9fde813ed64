//! What a handle's command, a line of the child and the passing of time change in the child's state.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::super::event::{Event, Outcome};
use super::super::mailbox::Keep;
use super::super::trace::Seen;
use super::handle::Command;
use super::input_required::{is_input_required, read_input_required};
use super::state::{Call, Certainty, ChildState};
use crate::mcp::{Era, ErrorObject, Raw};
use crate::server::{self, Incoming};

/// How long a cancelled call that its server never answers still counts as under way (checklist 5.32).
const CANCELLED_FOR: Duration = Duration::from_secs(5);

impl ChildState {
    /// Does what a handle asked for.
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Call { id, permitted, mailbox } => {
                let call = Call::new(permitted, mailbox);
                if self.must_wait(&call) {
                    self.waiting.push_back((id, call));
                } else {
                    self.send(id, call);
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
                    self.in_flight.remove(0);
                    server::cancel(&mut self.out, id, "no answer in time");
                }
            }
            Command::Notify { permitted } => {
                self.in_flight.remove(permitted.weight());
                let operation = permitted.operation();
                server::notify(&mut self.out, &operation.method, operation.params.raw.as_ref());
            }
        }
    }

    /// Takes in a line of the child.
    pub(super) fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Response { id, outcome } => self.response(id, outcome),
            Incoming::Progress { token, params } => self.progress(token, &params),
            Incoming::Log { level, params } => self.log(level, &params),
            Incoming::Request { id, method, params } => self.request(id, method, params),
            Incoming::Cancelled { id } => self.withdrawn(&id),
            Incoming::Subscription { listen, method, params } => {
                self.subscription(listen, method, &params);
            }
            Incoming::ListChanged(kind) => {
                self.trace.notified(kind.method(), None);
                self.lists_changed.fetch_add(1, Ordering::Relaxed);
                self.subscribers.list_changed(kind);
            }
            Incoming::Updated { uri, params } => {
                self.trace.notified("notifications/resources/updated", Some(&params));
                self.subscribers.updated(&uri, &params);
            }
            Incoming::Notification(notification) => {
                self.trace.notified(&notification.method, notification.params.as_ref());
                if self.hello.era() == Era::Legacy {
                    self.subscribers.other(&notification);
                }
            }
            // The loop counts and logs it.
            Incoming::Noise { .. } => {}
        }
    }

    fn response(&mut self, id: u64, outcome: Result<Raw, ErrorObject>) {
        if let Some(reply) = self.internal.remove(&id) {
            self.in_flight.remove(0);
            // Whoever asked may have given up.
            let _ = reply.send(outcome.into());
            return;
        }
        let Some(mut call) = self.remove(id) else {
            tracing::debug!(id, "late answer to a call that is over");
            return;
        };
        self.has_served = true;
        if call.permitted.operation().may_ask() && call.last_ask.is_none() {
            self.subscribers.habits.was_quiet(call.permitted.operation());
        }
        // A call that asked cannot end unanswered, so what was left with it belongs to another one.
        let misplaced = std::mem::take(&mut call.asks).into_iter().map(|(_, placed)| placed);
        for placed in misplaced.filter(|placed| placed.certainty == Certainty::Session) {
            self.hold(placed.question);
        }
        let seen = Seen { started: call.started, outcome: &outcome };
        self.trace.answered(call.permitted.operation(), &seen);
        if call.cancelled.is_none() {
            self.finish(&call, outcome);
        }
        self.settle();
        self.release();
    }

    fn finish(&mut self, call: &Call, outcome: Result<Raw, ErrorObject>) {
        let tell = |event| {
            call.mailbox.push(event, Keep::End);
        };
        let modern = self.hello.era() == Era::Modern;
        match outcome {
            Ok(result) if modern && is_input_required(&result) => {
                let account = self.in_flight.account();
                match read_input_required(&result, call.permitted.operation(), account) {
                    Ok((asks, state)) => {
                        asks.into_iter().map(Event::Ask).for_each(tell);
                        tell(Event::TurnEnded { state });
                    }
                    Err(error) => tell(Event::Done(Outcome::Error(error))),
                }
            }
            outcome => tell(Event::Done(outcome.into())),
        }
    }

    fn cancel(&mut self, id: u64, reason: &str) {
        if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == id) {
            if let Some((_, call)) = self.waiting.remove(at) {
                self.in_flight.remove(call.permitted.weight());
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
            server::reply(&mut self.out, &placed.question.id, &gone);
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
}
