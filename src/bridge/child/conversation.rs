//! A call seen from its client: events come out, answers go in.
//!
//! Neither side knows how the other speaks. A legacy server that asks keeps its call open and waits for the
//! answer; a modern one has ended its turn ([`Event::TurnEnded`]) and is sent the call again. Dropping a
//! conversation cancels its call.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::client_capabilities::stand_in_answer;
use super::super::event::{Ask, AskKey, Event, Outcome};
use super::super::mailbox::{Keep, Mailbox};
use super::handle::{Child, Command};
use crate::limits::Share;
use crate::mcp::{Era, ErrorObject, Object, Raw};
use crate::policy::{Permitted, Resume};

/// How often a modern server may end its turn within one call.
const MOST_ROUNDS: u32 = 16;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// However much progress a call makes, it ends after this many idle limits.
const LONGEST_CALL: u32 = 6;

/// Lets somebody else than its reader take a call back.
#[derive(Clone, Debug)]
pub struct Canceller(Arc<Mailbox<Event>>);

/// A call and its client's end of it.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    id: u64,
    permitted: Permitted,
    mailbox: Arc<Mailbox<Event>>,
    idle_limit: Option<Duration>,
    idle_deadline: Option<Instant>,
    last_deadline: Option<Instant>,
    state: State,
    turn: Turn,
}

/// What a modern server that ended its turn waits for.
#[derive(Debug, Default)]
struct Turn {
    asked: Vec<Ask>,
    responses: Vec<(AskKey, Raw)>,
    /// Its own `requestState`, and what it costs.
    state: Option<String>,
    share: Option<Share>,
    /// When the call is sent again.
    resume_at: Option<Instant>,
    rounds: u32,
    goes_on: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// The server works or waits for answers.
    Open,
    /// The server ended its turn.
    Suspended,
    /// Over.
    Done,
}

// === impl Conversation ===

impl Child {
    /// Starts a conversation about what policy permitted; `idle_limit` is how long the server may be quiet.
    #[must_use]
    pub fn converse(&self, permitted: Permitted, idle_limit: Option<Duration>) -> Conversation {
        let mailbox = Arc::new(Mailbox::charged_to(self.account()));
        let now = Instant::now();
        let id = self.call(permitted.clone(), Arc::clone(&mailbox));
        Conversation {
            child: self.clone(),
            id,
            permitted,
            mailbox,
            idle_limit,
            idle_deadline: idle_limit.map(|limit| now + limit),
            last_deadline: idle_limit.map(|limit| now + limit * LONGEST_CALL),
            state: State::Open,
            turn: Turn::default(),
        }
    }
}

impl Conversation {
    /// What was asked of the server.
    #[must_use]
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// The child that works on it.
    #[must_use]
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// The next event; a call that makes no progress for too long ends with an error. May be dropped and
    /// called again.
    pub async fn next(&mut self) -> Event {
        if let Some(at) = self.turn.resume_at {
            sleep_until(at).await;
            self.turn.resume_at = None;
            self.resume();
        }
        let event = match self.mailbox.take() {
            // However fast it comes, it does not put off the end.
            Some(Event::Progress(_)) if self.is_too_long() => self.give_up(),
            Some(event) => event,
            None => match self.deadline() {
                None => self.mailbox.next().await,
                Some(deadline) => match timeout_at(deadline, self.mailbox.next()).await {
                    Ok(event) => event,
                    Err(_) => self.give_up(),
                },
            },
        };
        match &event {
            Event::Recalled => {
                self.abandon("cancelled by the client");
                return Event::Done(Outcome::Cancelled);
            }
            Event::Progress(_) => self.extend(),
            Event::Ask(ask) => {
                self.extend();
                self.turn.asked.push(ask.clone());
            }
            Event::Withdrawn(key) => self.turn.asked.retain(|ask| ask.key != *key),
            Event::TurnEnded { state } => {
                self.state = State::Suspended;
                self.turn.state.clone_from(state);
                // It was charged before, as a line.
                let mut share = Share::of(self.child.account());
                share.set(state.as_ref().map_or(0, String::len));
                self.turn.share = Some(share);
            }
            Event::Done(Outcome::Unsent(error)) if self.turn.rounds > 0 => {
                // An earlier turn of it did leave.
                self.state = State::Done;
                return Event::Done(Outcome::Lost(error.clone()));
            }
            Event::Done(_) => self.state = State::Done,
            Event::Log(_) | Event::Subscription { .. } | Event::Undeclared(_) => {}
        }
        event
    }

    /// Answers one ask. A legacy server gets the answer at once; a modern one gets all of them with the call,
    /// when [`proceed`](Self::proceed) was called.
    pub fn answer(&mut self, key: &AskKey, outcome: Result<Raw, ErrorObject>) {
        let Some(at) = self.turn.asked.iter().position(|ask| ask.key == *key) else { return };
        let ask = self.turn.asked.remove(at);
        self.extend();
        if self.child.hello().era() == Era::Legacy {
            self.child.send(Command::Answer { call: self.id, key: ask.key, outcome });
            return;
        }
        // There is no error shape in `inputResponses`; for a form it is a cancelled one (checklist 6.8).
        match outcome.or_else(|error| match ask.method.as_ref() {
            "elicitation/create" => stand_in_answer("elicitation/create").map_err(|_| error),
            _ => Err(error),
        }) {
            Ok(response) => {
                self.turn.responses.push((ask.key, response));
                self.resume_if_answered();
            }
            Err(error) => {
                self.state = State::Done;
                let text = format!("the client could not answer the server: {}", error.message);
                let error = ErrorObject::internal(text);
                self.mailbox.push(Event::Done(Outcome::Error(error)), Keep::End);
            }
        }
    }

    /// From now on the call is its retry's: that request's progress token, log level and capabilities count.
    pub fn taken_over_by(&mut self, retry: &Permitted) {
        self.permitted = self.permitted.taken_over_by(retry);
        let permitted = self.permitted.clone();
        self.child.send(Command::TakeOver { call: self.id, permitted });
    }

    /// After [`Event::TurnEnded`]: send the call again as soon as everything is answered.
    pub fn proceed(&mut self) {
        self.turn.goes_on = true;
        self.resume_if_answered();
    }

    /// What is still unanswered.
    #[must_use]
    pub fn asked(&self) -> &[Ask] {
        &self.turn.asked
    }

    fn resume_if_answered(&mut self) {
        if !(self.turn.goes_on && self.turn.asked.is_empty()) || self.state != State::Suspended {
            return;
        }
        self.turn.rounds += 1;
        if self.turn.rounds > MOST_ROUNDS {
            self.state = State::Done;
            let error = ErrorObject::internal("the server asked again too many times");
            self.mailbox.push(Event::Done(Outcome::Error(error)), Keep::End);
        } else if self.turn.responses.is_empty() {
            // A server that asks nothing wants to be called again later (checklist 6.7).
            let wait = FIRST_PAUSE * (1 << self.turn.rounds.min(6));
            self.turn.resume_at = Some(Instant::now() + wait);
        } else {
            self.resume();
        }
    }

    fn resume(&mut self) {
        self.extend();
        self.state = State::Open;
        self.turn.goes_on = false;
        let responses = std::mem::take(&mut self.turn.responses);
        let responses = (!responses.is_empty()).then(|| {
            let members: Vec<(&str, Option<&str>)> =
                responses.iter().map(|(key, raw)| (key.as_ref(), Some(raw.as_str()))).collect();
            Object::parse(&Raw::empty_object())
                .map_or_else(|_| Raw::empty_object(), |o| o.with(&members))
        });
        self.turn.share = None;
        let resume = Resume { responses, state: self.turn.state.take() };
        self.id = self.child.call(self.permitted.resumed(resume), Arc::clone(&self.mailbox));
    }

    /// Lets somebody else take the call back.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.mailbox))
    }

    fn give_up(&mut self) -> Event {
        let seconds = self.idle_limit.unwrap_or_default().as_secs();
        self.abandon("no answer in time");
        Event::Done(Outcome::Lost(ErrorObject::internal(format!(
            "the server did not answer within {seconds} s; the call was cancelled"
        ))))
    }

    fn abandon(&mut self, reason: &str) {
        if self.state == State::Open {
            self.child.send(Command::Cancel { call: self.id, reason: reason.into() });
        }
        self.state = State::Done;
    }

    fn is_too_long(&self) -> bool {
        self.last_deadline.is_some_and(|last| Instant::now() >= last)
    }

    fn deadline(&self) -> Option<Instant> {
        self.idle_deadline.min(self.last_deadline)
    }

    fn extend(&mut self) {
        self.idle_deadline = self.idle_limit.map(|limit| Instant::now() + limit);
    }
}

impl Canceller {
    /// Takes the call back; the server may or may not notice.
    pub fn cancel(&self) {
        self.0.push(Event::Recalled, Keep::End);
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.abandon("client disconnected");
    }
}
