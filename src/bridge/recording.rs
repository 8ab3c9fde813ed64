//! What the audit log says of what goes to a child.

use std::sync::Arc;

use super::child::Child;
use crate::audit::{Begin, CredentialFate, Decision, Event, Log, NotRecorded, Note, Open};
use crate::auth::Principal;
use crate::credentials::{self, CredentialSet};
use crate::mcp::{ErrorObject, Raw};
use crate::policy::{Operation, Permitted};

/// Opens the record of a call and waits until it is written; its end is written when the returned guard is told, or
/// dropped.
///
/// # Errors
/// When it cannot be written, so that the call must not happen.
pub async fn begin(log: &Log, permitted: &Permitted, child: &Child) -> Result<Open, NotRecorded> {
    let about = || about(log, permitted.principal(), permitted.operation(), child);
    let mut open = log.begin(about)?;
    open.written().await?;
    Ok(open)
}

/// Opens the record of a call that nobody waits for; `turn` sends it when the record is written, before anything that
/// is recorded later.
///
/// # Errors
/// As [`begin`].
pub fn begin_in_turn(
    log: &Log,
    permitted: &Permitted,
    child: &Child,
    turn: impl FnOnce(Open) + Send + 'static,
) -> Result<(), NotRecorded> {
    let about = || about(log, permitted.principal(), permitted.operation(), child);
    log.begin_in_turn(about, turn)
}

/// Records a notification of a client.
///
/// # Errors
/// As [`begin`].
pub fn notification(log: &Log, permitted: &Permitted, child: &Child) -> Result<(), NotRecorded> {
    let about = || about(log, permitted.principal(), permitted.operation(), child);
    log.note(Note::Notification, about)
}

/// Records a client's answer to a question of the child's that belongs to no call.
///
/// # Errors
/// As [`begin`].
pub fn answer(
    log: &Log,
    principal: &Arc<Principal>,
    method: &str,
    outcome: &Result<Raw, ErrorObject>,
    child: &Child,
) -> Result<(), NotRecorded> {
    log.note(Note::Answer, || {
        let said = outcome
            .as_ref()
            .map_or_else(|error| error.message.as_bytes(), |raw| raw.as_str().as_bytes());
        let arguments = log.keyed_hash(said);
        Begin { arguments, ..caused_by(principal, method, child) }
    })
}

/// Records one of mcpwrap's own requests, which a caller caused but did not write.
///
/// # Errors
/// As [`begin`].
pub fn own_request(
    log: &Log,
    principal: &Arc<Principal>,
    method: &str,
    child: &Child,
) -> Result<(), NotRecorded> {
    log.note(Note::OwnRequest, || caused_by(principal, method, child))
}

/// Records what a child is told that its predecessor was told for this caller.
///
/// # Errors
/// As [`begin`].
pub fn replay(log: &Log, permitted: &Permitted, child: &Child) -> Result<(), NotRecorded> {
    log.note(Note::Replay, || about(log, permitted.principal(), permitted.operation(), child))
}

/// Records which credentials were fetched for a new child of this principal's, or which one was not to be had.
pub fn fetched(
    log: &Log,
    principal: &Principal,
    fetched: &Result<CredentialSet, credentials::Error>,
) {
    let record = |name: Option<&str>, source: Option<&str>, outcome, why| {
        let (name, source) = (name.map(str::to_owned), source.map(str::to_owned));
        log.event(|| principal.into(), || Event::Credential { name, source, outcome, why });
    };
    match fetched {
        Ok(set) => set.iter().for_each(|one| {
            record(Some(&one.name), Some(&one.source), CredentialFate::Fetched, None);
        }),
        Err(error) => {
            let (name, source) = error.about();
            record(name, source, CredentialFate::Failed, Some(error.to_string()));
        }
    }
}

/// Records that a child introduced itself.
pub fn started(log: &Log, principal: &Principal, child: &Child) {
    let started =
        || Event::ChildStarted { child: child.number(), credentials: child.given().to_vec() };
    log.event(|| principal.into(), started);
}

/// Records that there is no child, and why.
pub fn not_started(log: &Log, principal: &Principal, why: &str) {
    log.event(|| principal.into(), || Event::ChildFailed { why: why.to_owned() });
}

/// Records that nothing of a child is left, and why it ended.
pub fn ended(log: &Log, principal: &Principal, child: &Child, why: &str) {
    let ended = || Event::ChildEnded { child: child.number(), why: why.to_owned() };
    log.event(|| principal.into(), ended);
}

fn caused_by(principal: &Arc<Principal>, method: &str, child: &Child) -> Begin {
    Begin {
        who: principal.as_ref().into(),
        method: method.to_owned(),
        target: None,
        child: child.number(),
        arguments: String::new(),
        credentials: child.given().to_vec(),
        decision: Decision::NotAsked,
        trace: None,
    }
}

fn about(log: &Log, principal: &Arc<Principal>, operation: &Operation, child: &Child) -> Begin {
    let params = operation.params.raw.as_ref();
    let arguments = params.map(|raw| log.keyed_hash(raw.as_str().as_bytes()));
    Begin {
        who: principal.as_ref().into(),
        method: operation.method.to_string(),
        target: operation.target().map(str::to_owned),
        child: child.number(),
        arguments: arguments.unwrap_or_default(),
        credentials: child.given().to_vec(),
        decision: Decision::WholeServer,
        trace: operation.params.meta.trace_id.clone(),
    }
}
