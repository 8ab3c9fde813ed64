//! Whose question is it? A legacy server that asks does not say which call made it ask.
//!
//! Exact tag, then the only candidate, then the only client, then hold, then refuse: never guess (checklist 5.41–5.45).
//! Calls of different clients that could ask are kept apart for a while, as far as that is known beforehand
//! ([`habits`](super::habits)). Candidates are the calls that the child had when it asked: a call that asked cannot end
//! unanswered, so the last one left of them is the owner, and no later call has to wait for that. Which call of one
//! session's several made the server ask is of no consequence: the same client is asked.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use tokio::time::Instant;

use super::super::charged::charged;
use super::super::client_capabilities::{
    can_be_asked, is_answerable, is_covered, required, stand_in_answer, undeclared,
};
use super::super::event::{Ask, AskKey, Event, Notice, Undeclared};
use super::super::mailbox::{Keep, Pushed};
use super::state::{Call, Certainty, ChildState, Placed, Question};
use crate::mcp::{Era, ErrorObject, Object, Raw, RequestId, meta};
use crate::policy::Operation;
use crate::server;

/// How long a client may take to answer an ask that belongs to no call.
const OUTSIDE_FOR: Duration = Duration::from_secs(300);
/// Asks that may wait: for their owner, for the answer of one call, for an answer outside any call.
const MOST_PENDING: usize = 64;
/// What the asks of one call may hold; a single one may be larger, as far as a line may be.
const MOST_PENDING_BYTES: usize = 16 * 1024 * 1024;

/// What a server is told whose question could be of several clients' calls.
const UNCLEAR: &str = "the user was not asked: calls of several clients are under way, and it cannot be told which of \
                       them asks; try again";

/// What a server is told whose question has no place to wait.
const NO_ROOM: &str =
    "the user was not asked: what he has under way leaves no room for the question; try again";

/// Where an ask belongs.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Call(u64, Certainty),
    Nobody,
    Unclear,
}

/// Whose calls of a child could ask.
enum Company {
    Nobody,
    /// This session's alone.
    Session(u64),
    /// Several clients', or one's that is not known.
    Several,
}

impl Company {
    fn joined_by(self, call: &Call) -> Self {
        match (self, call.permitted.operation().client.session) {
            (Self::Nobody, Some(session)) => Self::Session(session),
            (Self::Session(own), Some(session)) if own == session => Self::Session(own),
            _ => Self::Several,
        }
    }
}

impl ChildState {
    /// A request of the server.
    pub(super) fn request(&mut self, id: RequestId, method: ByteString, params: Option<Raw>) {
        self.trace.asked(&method, params.as_ref());
        if self.hello.era() == Era::Modern {
            // A response would break the server's contract (checklist 4.6).
            tracing::warn!(%method, "a modern server must not send requests; ignored");
            return;
        }
        if method == "ping" {
            server::reply(&mut self.out, &id, &Ok(Raw::empty_object()));
            return;
        }
        if let (true, Some(roots)) = (method == "roots/list", &self.roots) {
            server::reply(&mut self.out, &id, &Ok(roots.clone()));
            return;
        }
        // It waits for as long as a client takes to answer, whoever holds it.
        let account = self.in_flight.account();
        let kept = params.map(|params| charged(&params, account)).transpose();
        let Ok(params) = kept else {
            self.refuse_for_want_of_room(&id, &method);
            return;
        };
        let question = self.question(id, method, params);
        match self.owner(&question) {
            Owner::Call(call, certainty) => self.give(call, certainty, question),
            Owner::Nobody => self.ask_outside(question),
            Owner::Unclear => self.hold(question),
        }
    }

    /// Whether a call has to wait so that every question can be told to belong to one client: while another client's
    /// call could ask as well, within the limit. A call that cannot ask never does.
    pub(super) fn must_wait(&self, call: &Call) -> bool {
        // Most calls are seen not to wait without a look at the others.
        self.hello.era() == Era::Legacy
            && self.could_ask(call)
            && self.waits_for(&self.company(), call)
    }

    /// Whose calls under way could ask.
    fn company(&self) -> Company {
        let could = |call: &&Call| !call.awaits_answers() && self.could_ask(call);
        self.calls.values().filter(could).fold(Company::Nobody, Company::joined_by)
    }

    fn waits_for(&self, company: &Company, call: &Call) -> bool {
        let session = call.permitted.operation().client.session;
        let apart = match company {
            Company::Nobody => false,
            Company::Session(own) => session != Some(*own),
            Company::Several => true,
        };
        apart && call.started.elapsed() < self.hold_limit && self.could_ask(call)
    }

    fn could_ask(&self, call: &Call) -> bool {
        let operation = call.permitted.operation();
        operation.may_ask()
            && can_be_asked(&operation.client.capabilities)
            && self.subscribers.habits.may_ask(operation)
    }

    /// Keeps an ask until its owner is clear, if there is room.
    pub(super) fn hold(&mut self, question: Question) {
        if self.held.len() < MOST_PENDING {
            self.held.push(Question { since: Instant::now(), ..question });
        } else {
            self.refuse_unclear(&question);
        }
    }

    /// The server takes a request of its own back.
    pub(super) fn withdrawn(&mut self, id: &RequestId) {
        self.held.retain(|held| held.id != *id);
        let outside: Vec<AskKey> =
            self.outside.extract_if(|_, (asked, _)| asked == id).map(|(key, _)| key).collect();
        for key in outside {
            self.withdraw(key);
        }
        for call in self.calls.values_mut() {
            if let Some(at) = call.asks.iter().position(|(_, placed)| placed.question.id == *id) {
                let (key, _) = call.asks.remove(at);
                call.mailbox.push(Event::Withdrawn(key), Keep::Always);
            }
        }
    }

    /// The client's answer to an ask within a call.
    pub(super) fn answer(&mut self, call: u64, key: &AskKey, outcome: &Result<Raw, ErrorObject>) {
        let Some(call) = self.calls.get_mut(&call) else { return };
        let Some(at) = call.asks.iter().position(|(own, _)| own == key) else { return };
        let (_, placed) = call.asks.remove(at);
        server::reply(&mut self.out, &placed.question.id, outcome);
    }

    /// Places what was held, if the calls that ended have made it clear.
    pub(super) fn settle(&mut self) {
        if self.held.is_empty() {
            return;
        }
        for held in std::mem::take(&mut self.held) {
            match self.owner(&held) {
                Owner::Call(call, certainty) => self.give(call, certainty, held),
                Owner::Nobody => self.ask_outside(held),
                Owner::Unclear => self.held.push(held),
            }
        }
        self.release();
    }

    /// Refuses what was held for too long.
    pub(super) fn refuse_overdue(&mut self, now: Instant) {
        let (overdue, rest) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| now >= held.since + self.hold_limit);
        self.held = rest;
        let overdue: Vec<Question> = overdue;
        for held in overdue {
            self.refuse_unclear(&held);
        }
        let late = self.outside.extract_if(|_, (_, since)| now >= *since + OUTSIDE_FOR);
        for (key, (id, _)) in late.collect::<Vec<_>>() {
            let error = ErrorObject::internal("the client did not answer in time");
            server::reply(&mut self.out, &id, &Err(error));
            self.withdraw(key);
        }
        self.release();
    }

    /// Sends the calls that no longer have to wait, in their order.
    pub(super) fn release(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut company = self.company();
        for (id, call) in std::mem::take(&mut self.waiting) {
            if self.waits_for(&company, &call) {
                self.waiting.push_back((id, call));
            } else {
                if self.could_ask(&call) {
                    company = company.joined_by(&call);
                }
                self.send(id, call);
            }
        }
    }

    fn owner(&self, question: &Question) -> Owner {
        if let Some(task) = question.params.as_ref().and_then(related_task) {
            let waits = |operation: &Operation| {
                operation.method == "tasks/result"
                    && operation.params.task_id.as_ref() == Some(&task)
            };
            let call = self.calls.iter().find(|(_, call)| waits(call.permitted.operation()));
            return call.map_or(Owner::Nobody, |(id, _)| Owner::Call(*id, Certainty::Call));
        }
        // A cancelled call that has not ended may still be the one that asks.
        let may = |call: &Call| {
            call.order <= question.after
                && call.permitted.operation().may_ask()
                && !call.awaits_answers()
        };
        let mut candidates = self.calls.iter().filter(|(_, call)| may(call));
        let Some((first, call)) = candidates.next() else { return Owner::Nobody };
        let session = call.permitted.operation().client.session;
        let (mut newest, mut certainty) = ((call.cancelled.is_none(), *first), Certainty::Call);
        for (id, call) in candidates {
            if session.is_none() || call.permitted.operation().client.session != session {
                return Owner::Unclear;
            }
            newest = newest.max((call.cancelled.is_none(), *id));
            certainty = Certainty::Session;
        }
        Owner::Call(newest.1, certainty)
    }

    fn give(&mut self, id: u64, certainty: Certainty, question: Question) {
        let key = self.next_key();
        let ask = Ask { key, method: question.method.clone(), params: question.params.clone() };
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.cancelled.is_none()) else {
            self.refuse(&question);
            return;
        };
        let size = |question: &Question| question.params.as_ref().map_or(0, Raw::len);
        let bytes: usize = call.asks.iter().map(|(_, placed)| size(&placed.question)).sum();
        let many = call.asks.len() >= MOST_PENDING;
        if many || (bytes > 0 && bytes + size(&question) > MOST_PENDING_BYTES) {
            self.refuse(&question);
            return;
        }
        let client = &call.permitted.operation().client;
        if !is_answerable(&ask, client) {
            let refusal = undeclared(&ask.method, &client.capabilities);
            call.mailbox.push(Event::Undeclared(Undeclared(required(&ask))), Keep::Always);
            server::reply(&mut self.out, &question.id, &refusal);
            return;
        }
        self.subscribers.habits.asked(call.permitted.operation());
        let key = Arc::clone(&ask.key);
        if call.mailbox.push(Event::Ask(ask), Keep::Always) == Pushed::Dropped {
            self.refuse_for_want_of_room(&question.id, &question.method);
            return;
        }
        call.last_ask = Some(Instant::now());
        call.asks.push((key, Placed { question, certainty }));
    }

    fn ask_outside(&mut self, question: Question) {
        let key = self.next_key();
        let ask = Ask {
            key: Arc::clone(&key),
            method: question.method.clone(),
            params: question.params.clone(),
        };
        let covered = self
            .subscribers
            .only_session_capabilities()
            .is_some_and(|capabilities| is_covered(&ask, &capabilities));
        let room = self.outside.len() < MOST_PENDING;
        let notice = Notice::Ask { child: self.number, ask };
        if room
            && covered
            && self.subscribers.tell_only_session(notice, Keep::Always) == Pushed::Kept
        {
            self.outside.insert(key, (question.id, question.since));
        } else {
            self.refuse(&question);
        }
    }

    pub(super) fn withdraw(&self, key: AskKey) {
        let notice = Notice::Withdrawn { child: self.number, key };
        self.subscribers.tell_only_session(notice, Keep::Always);
    }

    /// Nobody said no, so the server is told why nobody was asked.
    fn refuse_unclear(&mut self, question: &Question) {
        tracing::warn!(method = %question.method, "refused a question that no call could be matched to");
        server::reply(&mut self.out, &question.id, &Err(ErrorObject::internal(UNCLEAR)));
    }

    /// A request that could not be read: its server would wait in vain.
    pub(super) fn unread(&mut self, id: &RequestId, why: &ErrorObject) {
        // A response would break a modern server's contract (checklist 4.6).
        if self.hello.era() == Era::Legacy {
            server::reply(&mut self.out, id, &Err(why.clone()));
        }
    }

    /// Its server would wait in vain for an answer to what nobody keeps.
    pub(super) fn refuse_for_want_of_room(&mut self, id: &RequestId, method: &str) {
        tracing::warn!(%method, "refused a question for want of room");
        server::reply(&mut self.out, id, &Err(ErrorObject::internal(NO_ROOM)));
    }

    /// What a client that cannot do it would say (checklist 5.6, 5.7).
    fn refuse(&mut self, question: &Question) {
        server::reply(&mut self.out, &question.id, &stand_in_answer(&question.method));
    }

    fn next_key(&mut self) -> AskKey {
        self.next_ask += 1;
        format!("ask-{}", self.next_ask).into()
    }
}

fn related_task(params: &Raw) -> Option<String> {
    let own = Object::parse(params).ok()?.get("_meta")?;
    let tag = Object::parse(&own).ok()?.get(meta::RELATED_TASK)?;
    Object::parse(&tag).ok()?.get_str("taskId")
}

#[cfg(test)]
mod tests;
