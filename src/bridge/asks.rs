//! Whose question is it? A legacy server that asks does not say which call made it ask.
//!
//! Exact tag, then the only candidate, then the only client, then hold and drain, then refuse: never guess
//! (checklist 5.41–5.45). Calls of different clients that could ask are kept apart as far as that is known
//! beforehand ([`habits`](super::habits)). While an ask is held, no further call that could ask is sent; a call
//! that asked cannot end unanswered, so the last one left is the owner. Which call of one session's several
//! made the server ask is of no consequence: the same client is asked.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use serde_json::json;
use tokio::time::Instant;

use super::audience::Notice;
use super::conversation::{Ask, AskKey, Event, Undeclared};
use super::desk::{Call, Desk};
use super::mailbox::Keep;
use crate::mcp::{Era, ErrorObject, Object, Raw, RequestId, codes, meta};
use crate::policy::Caller;
use crate::server;

/// How long an ask is held for its owner to become clear.
pub(super) const HELD_FOR: Duration = Duration::from_secs(15);

/// How long a client may take to answer an ask that belongs to no call.
const OUTSIDE_FOR: Duration = Duration::from_secs(300);
/// Asks that may wait: for their owner, for the answer of one call, for an answer outside any call.
const MOST_PENDING: usize = 64;
/// What the asks of one call may hold; a single one may be larger, as far as a line may be.
const MOST_PENDING_BYTES: usize = 16 * 1024 * 1024;

/// An ask without an owner yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: RequestId,
    method: ByteString,
    params: Option<Raw>,
    since: Instant,
}

/// An ask that a client was given.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) held: Held,
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

/// Where an ask belongs.
enum Owner {
    Call(u64, Certainty),
    Nobody,
    Unclear,
}

impl Desk {
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
        let held = Held { id, method, params, since: Instant::now() };
        match self.owner(&held) {
            Owner::Call(call, certainty) => self.give(call, certainty, held),
            Owner::Nobody => self.ask_outside(held),
            Owner::Unclear => self.hold(held),
        }
    }

    /// Keeps an ask until its owner is clear, if there is room.
    pub(super) fn hold(&mut self, held: Held) {
        if self.held.len() < MOST_PENDING {
            self.held.push(held);
        } else {
            self.refuse(&held);
        }
    }

    /// The server takes a request of its own back.
    pub(super) fn withdrawn(&mut self, id: &RequestId) {
        self.held.retain(|held| held.id != *id);
        let outside: Vec<AskKey> =
            self.outside.extract_if(|_, (asked, _)| asked == id).map(|(key, _)| key).collect();
        for key in outside {
            self.audience.tell_only_session(Notice::Withdrawn(key), Keep::Always);
        }
        for call in self.calls.values_mut() {
            if let Some(at) = call.asks.iter().position(|(_, placed)| placed.held.id == *id) {
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
        server::reply(&mut self.out, &placed.held.id, outcome);
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
            .partition(|held| now >= held.since + HELD_FOR);
        self.held = rest;
        let overdue: Vec<Held> = overdue;
        for held in overdue {
            tracing::warn!(method = %held.method, "refused a question that no call could be matched to");
            self.refuse(&held);
        }
        let late = self.outside.extract_if(|_, (_, since)| now >= *since + OUTSIDE_FOR);
        for (key, (id, _)) in late.collect::<Vec<_>>() {
            let error = ErrorObject::internal("the client did not answer in time");
            server::reply(&mut self.out, &id, &Err(error));
            self.audience.tell_only_session(Notice::Withdrawn(key), Keep::Always);
        }
        self.release();
    }

    /// Sends the calls that no longer have to wait, in their order.
    pub(super) fn release(&mut self) {
        for (id, call) in std::mem::take(&mut self.waiting) {
            if self.must_wait(&call) {
                self.waiting.push_back((id, call));
            } else {
                self.dispatch(id, call);
            }
        }
    }

    fn owner(&self, held: &Held) -> Owner {
        if let Some(task) = held.params.as_ref().and_then(related_task) {
            let waits = |operation: &crate::policy::Operation| {
                operation.method == "tasks/result"
                    && operation.params.task_id.as_ref() == Some(&task)
            };
            let call = self.calls.iter().find(|(_, call)| waits(call.permitted.operation()));
            return call.map_or(Owner::Nobody, |(id, _)| Owner::Call(*id, Certainty::Call));
        }
        // A cancelled call that has not ended may still be the one that asks.
        let may = |call: &Call| call.permitted.operation().may_ask() && !call.awaits_answers();
        let mut candidates = self.calls.iter().filter(|(_, call)| may(call));
        let Some((first, call)) = candidates.next() else { return Owner::Nobody };
        let session = call.permitted.operation().caller.session;
        let (mut newest, mut certainty) = ((call.cancelled.is_none(), *first), Certainty::Call);
        for (id, call) in candidates {
            if session.is_none() || call.permitted.operation().caller.session != session {
                return Owner::Unclear;
            }
            newest = newest.max((call.cancelled.is_none(), *id));
            certainty = Certainty::Session;
        }
        Owner::Call(newest.1, certainty)
    }

    fn give(&mut self, id: u64, certainty: Certainty, held: Held) {
        let key = self.next_key();
        let ask = Ask { key, method: held.method.clone(), params: held.params.clone() };
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.cancelled.is_none()) else {
            self.refuse(&held);
            return;
        };
        let size = |held: &Held| held.params.as_ref().map_or(0, Raw::len);
        let bytes: usize = call.asks.iter().map(|(_, placed)| size(&placed.held)).sum();
        let many = call.asks.len() >= MOST_PENDING;
        if many || (bytes > 0 && bytes + size(&held) > MOST_PENDING_BYTES) {
            self.refuse(&held);
            return;
        }
        let caller = &call.permitted.operation().caller;
        if !is_answerable(&ask, caller) {
            let refusal = undeclared(&ask.method, &caller.capabilities);
            call.mailbox.push(Event::Undeclared(Undeclared(required(&ask))), Keep::Always);
            server::reply(&mut self.out, &held.id, &refusal);
            return;
        }
        Self::asked(call, &self.audience);
        call.asks.push((Arc::clone(&ask.key), Placed { held, certainty }));
        call.mailbox.push(Event::Ask(ask), Keep::Always);
    }

    fn ask_outside(&mut self, held: Held) {
        let key = self.next_key();
        let ask =
            Ask { key: Arc::clone(&key), method: held.method.clone(), params: held.params.clone() };
        let covered = self
            .audience
            .only_session_capabilities()
            .is_some_and(|capabilities| is_covered(&ask, &capabilities));
        let room = self.outside.len() < MOST_PENDING;
        if room && covered && self.audience.tell_only_session(Notice::Ask(ask), Keep::Always) {
            self.outside.insert(key, (held.id, held.since));
        } else {
            self.refuse(&held);
        }
    }

    /// What a client that cannot do it would say (checklist 5.6, 5.7).
    fn refuse(&mut self, held: &Held) {
        server::reply(&mut self.out, &held.id, &refusal(&held.method));
    }

    fn next_key(&mut self) -> AskKey {
        self.next_ask += 1;
        format!("ask-{}", self.next_ask).into()
    }
}

/// The answer that stands in for a user who cannot be asked.
pub fn refusal(method: &str) -> Result<Raw, ErrorObject> {
    match method {
        "elicitation/create" => Ok(Raw::of(&serde_json::json!({ "action": "cancel" }))),
        "sampling/createMessage" => {
            Err(ErrorObject::new(codes::LEGACY_USER_REJECTED, "no user is there to be asked"))
        }
        "roots/list" => Ok(Raw::of(&serde_json::json!({ "roots": [] }))),
        method => Err(ErrorObject::method_not_found(method)),
    }
}

/// What a legacy client that lacks the capability, or a part of it, says (checklist 5.7, 5.23).
fn undeclared(method: &str, capabilities: &Raw) -> Result<Raw, ErrorObject> {
    let knows = |name| Object::parse(capabilities).is_ok_and(|all| all.get(name).is_some());
    let code = match method {
        "elicitation/create" => codes::INVALID_PARAMS,
        "sampling/createMessage" if knows("sampling") => codes::INVALID_PARAMS,
        _ => codes::METHOD_NOT_FOUND,
    };
    Err(ErrorObject::new(code, format!("the client does not support {method}")))
}

/// The capability that an ask needs.
fn required(ask: &Ask) -> serde_json::Value {
    let params = ask.params.as_ref().and_then(|params| Object::parse(params).ok());
    let has = |name: &str| params.as_ref().is_some_and(|params| params.get(name).is_some());
    match ask.method.as_ref() {
        "elicitation/create" => {
            let mode = params.as_ref().and_then(|params| params.get_str("mode"));
            match mode.as_deref() {
                Some("url") => json!({ "elicitation": { "url": {} } }),
                _ => json!({ "elicitation": {} }),
            }
        }
        "sampling/createMessage" if has("tools") || has("toolChoice") => {
            json!({ "sampling": { "tools": {} } })
        }
        "sampling/createMessage" if has("includeContext") => {
            json!({ "sampling": { "context": {} } })
        }
        "sampling/createMessage" => json!({ "sampling": {} }),
        "roots/list" => json!({ "roots": {} }),
        _ => json!({}),
    }
}

/// Whether a client with these capabilities can be asked anything.
pub(super) fn can_be_asked(capabilities: &Raw) -> bool {
    Object::parse(capabilities).is_ok_and(|all| {
        ["elicitation", "sampling", "roots", "tasks"].iter().any(|name| all.get(name).is_some())
    })
}

/// Whether a client with these capabilities can be asked this (checklist 2.25, 5.7, 5.23).
#[must_use]
pub fn is_covered(ask: &Ask, capabilities: &Raw) -> bool {
    let Ok(all) = Object::parse(capabilities) else { return false };
    let params = ask.params.as_ref().and_then(|params| Object::parse(params).ok());
    let param = |name: &str| params.as_ref().and_then(|params| params.get(name));
    let has = |capability: &Raw, name: &str| {
        Object::parse(capability).is_ok_and(|members| members.get(name).is_some())
    };
    match ask.method.as_ref() {
        "elicitation/create" => all.get("elicitation").is_some_and(|capability| {
            let url = param("mode").is_some_and(|mode| mode.as_str() == r#""url""#);
            // An empty capability means forms only.
            if url {
                has(&capability, "url") && param("url").is_some_and(|url| is_page(&url))
            } else {
                !has(&capability, "url") || has(&capability, "form")
            }
        }),
        "sampling/createMessage" => all.get("sampling").is_some_and(|capability| {
            let tools = param("tools").is_some() || param("toolChoice").is_some();
            !tools || has(&capability, "tools")
        }),
        "roots/list" => all.get("roots").is_some(),
        // Tasks that the client runs for the server (2025-11-25).
        method if method.starts_with("tasks/") => all.get("tasks").is_some(),
        _ => false,
    }
}

/// Whether this client can be asked this. Only the modern revision makes another context than none a capability;
/// before it a client that samples may be asked for any (checklist 5.23).
pub(super) fn is_answerable(ask: &Ask, caller: &Caller) -> bool {
    let context = || {
        let params = Object::parse(ask.params.as_ref()?).ok()?;
        params.get_str("includeContext").filter(|context| context != "none")
    };
    let declared = || {
        let sampling = Object::parse(&caller.capabilities).ok()?.get("sampling")?;
        Object::parse(&sampling).ok()?.get("context")
    };
    is_covered(ask, &caller.capabilities)
        && (caller.era == Era::Legacy
            || ask.method != "sampling/createMessage"
            || context().is_none()
            || declared().is_some())
}

/// Whether a URL is one that a user may be sent to: no script and no file (checklist 8.12).
fn is_page(url: &Raw) -> bool {
    let url = url.read::<String>().unwrap_or_default().to_ascii_lowercase();
    url.starts_with("https://") || url.starts_with("http://")
}

fn related_task(params: &Raw) -> Option<String> {
    let own = Object::parse(params).ok()?.get("_meta")?;
    let tag = Object::parse(&own).ok()?.get(meta::RELATED_TASK)?;
    Object::parse(&tag).ok()?.get_str("taskId")
}
