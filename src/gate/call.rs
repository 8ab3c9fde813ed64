//! A call under way: its conversation, its seat and its open audit record.

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::bridge::{self, Ask, AskKey, Canceller, ChildKey, Conversation, Event, Subscribing};
use super::outcome;
use crate::audit::{Ending, Open};
use crate::mcp::{ErrorObject, Raw};
use crate::policy::Permitted;
use crate::server::Hello;

/// A call under way; dropping it takes the call back.
#[derive(Debug)]
pub struct Call {
    conversation: Conversation,
    record: Option<Open>,
    /// Forgets the resource unless the server takes the subscription.
    subscribing: Option<Subscribing>,
    turn: Turn,
    /// Keeps the child alive while the call lasts.
    seat: bridge::Seat,
    /// Keeps the process from ending while its grace lasts.
    counted: Option<TaskTrackerToken>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The server's, which works or waits for an answer.
    Server,
    /// The client's: the server goes on when it is sent the call again.
    Client,
}

impl Call {
    pub(super) fn new(
        conversation: Conversation,
        record: Open,
        subscribing: Option<Subscribing>,
        seat: bridge::Seat,
    ) -> Self {
        Self {
            conversation,
            record: Some(record),
            subscribing,
            turn: Turn::Server,
            seat,
            counted: None,
        }
    }

    /// The same call, as one of those that the end of the process waits for.
    pub(super) fn counted(mut self, counted: Option<TaskTrackerToken>) -> Self {
        self.counted = counted;
        self
    }

    /// The next event; an end is shaped and recorded first. May be dropped and called again.
    pub async fn next(&mut self) -> Event {
        match self.conversation.next().await {
            Event::Done(outcome) => {
                let permitted = self.conversation.permitted();
                let (outcome, ending) = outcome::outcome(permitted, outcome);
                if let Some(subscribing) =
                    self.subscribing.take().filter(|_| ending == Ending::Result)
                {
                    subscribing.keep();
                }
                self.record(ending);
                Event::Done(outcome)
            }
            event => {
                if matches!(event, Event::TurnEnded { .. }) {
                    self.turn = Turn::Client;
                }
                event
            }
        }
    }

    /// Answers one question of the server.
    pub fn answer(&mut self, key: &AskKey, outcome: Result<Raw, ErrorObject>) {
        self.conversation.answer(key, outcome);
    }

    /// After [`Event::TurnEnded`]: send the call again as soon as everything is answered.
    pub fn proceed(&mut self) {
        self.turn = Turn::Server;
        self.conversation.proceed();
    }

    /// What is still unanswered.
    #[must_use]
    pub fn asked(&self) -> &[Ask] {
        self.conversation.asked()
    }

    /// Lets somebody else take the call back.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.conversation.canceller()
    }

    /// What the server that works on it said about itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        self.conversation.child().hello()
    }

    /// Whose child works on it.
    pub(super) fn key(&self) -> &ChildKey {
        self.seat.slot().key()
    }

    /// From now on it is its retry's.
    pub(super) fn taken_over_by(&mut self, retry: &Permitted) {
        self.seat.slot().vouch(retry.principal());
        self.conversation.taken_over_by(retry);
    }

    fn record(&mut self, ending: Ending) {
        if let Some(record) = self.record.take() {
            record.end(ending);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Its state travels with the client; what else is dropped unfinished was cancelled.
        self.record(match self.turn {
            Turn::Server => Ending::Cancelled,
            Turn::Client => Ending::Suspended,
        });
    }
}
