//! A call seen from its client: events come out, answers go in (DESIGN.md section 4).
//!
//! Neither side knows how the other speaks. A legacy server that asks keeps its call open and waits for the
//! answer; a modern one has ended its turn ([`Event::Suspended`]) and is sent the call again. Dropping a
//! conversation cancels its call.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use tokio::time::{Instant, timeout_at};

use super::child::{Child, Command};
use super::mailbox::Mailbox;
use crate::mcp::{ErrorObject, Raw};
use crate::policy::{Permitted, Resume};

/// However much progress a call makes, it ends after this many idle limits.
const LONGEST_CALL: u32 = 6;

/// What happens to a call.
#[derive(Debug)]
pub enum Event {
    /// The parameters of `notifications/progress`, with the client's own token.
    Progress(Raw),
    /// The parameters of `notifications/message`.
    Log(Raw),
    /// A message of a modern subscription, with the client's own id.
    Subscription {
        /// Which notification.
        method: ByteString,
        /// Its parameters.
        params: Raw,
    },
    /// The server wants something of the user.
    Ask(Ask),
    /// The server no longer wants it.
    Withdrawn(AskKey),
    /// The server ended its turn; it goes on when all asks are answered (modern servers only).
    Suspended {
        /// Its own `requestState`.
        state: Option<String>,
    },
    /// Nothing comes after this.
    Done(Outcome),
}

/// Names an ask within its call: the server's own key, or one that the bridge made.
pub type AskKey = Arc<str>;

/// One thing that a server wants of the user.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Names it within its call.
    pub key: AskKey,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: ByteString,
    /// Its parameters.
    pub params: Option<Raw>,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With the server's result.
    Result(Raw),
    /// With the server's error.
    Error(ErrorObject),
    /// Without the server: it died, it was never there, it was too slow.
    Lost(ErrorObject),
}

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

impl Conversation {
    pub(super) fn open(child: Child, permitted: Permitted, idle_limit: Option<Duration>) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let now = Instant::now();
        let id = child.call(permitted.clone(), Arc::clone(&mailbox));
        Self {
            child,
            id,
            permitted,
            mailbox,
            idle_limit,
            idle_deadline: idle_limit.map(|limit| now + limit),
            last_deadline: idle_limit.map(|limit| now + limit * LONGEST_CALL),
            state: State::Open,
        }
    }

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
        let event = match self.mailbox.take() {
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
            Event::Progress(_) => self.extend(),
            Event::Suspended { .. } => self.state = State::Suspended,
            Event::Done(_) => self.state = State::Done,
            _ => {}
        }
        event
    }

    /// Answers one ask of a legacy server.
    pub fn answer(&mut self, key: &AskKey, outcome: Result<Raw, ErrorObject>) {
        self.extend();
        self.child.send(Command::Answer { call: self.id, key: Arc::clone(key), outcome });
    }

    /// Goes on after [`Event::Suspended`].
    pub fn resume(&mut self, resume: Resume) {
        self.extend();
        self.state = State::Open;
        self.id = self.child.call(self.permitted.resumed(resume), Arc::clone(&self.mailbox));
    }

    /// Takes the call back; the server may or may not notice.
    pub fn cancel(mut self, reason: &str) {
        self.abandon(reason);
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

    fn deadline(&self) -> Option<Instant> {
        self.idle_deadline.min(self.last_deadline)
    }

    fn extend(&mut self) {
        self.idle_deadline = self.idle_limit.map(|limit| Instant::now() + limit);
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.abandon("client disconnected");
    }
}
