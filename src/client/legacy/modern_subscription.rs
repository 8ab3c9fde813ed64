//! What a modern server reports, for a session whose client subscribes the legacy way: one subscription per
//! session, replaced without a gap when the client's URIs change (checklist 6.12, 6.13, 6.20).

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::session::Session;
use super::watched_uris::{Changes, Honoured, Wanted};
use crate::auth::Principal;
use crate::client::context::Context;
use crate::gate::{Call, Event, Keep, MOST_URIS, Notice, Outcome};
use crate::limits::Share;
use crate::mcp::{Object, Params, Raw};
use crate::policy::{ClientSide, Operation};
use crate::server::{Hello, ListKind};

/// How long a server may take to acknowledge a subscription.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// How long a subscription that was lost, refused or ended waits before each try to open it again; the last one repeats.
const REOPEN_AFTER: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
    Duration::from_secs(3600),
];
/// How often a URI is kept: to be told of, and twice in the subscription call, which is opened before the last one ends.
const COPIES: usize = 3;

/// Follows the server until the session ends. It keeps no child for that: where there is none, the next one is followed
/// that somebody has started.
pub(super) async fn run(
    context: Arc<Context>,
    principal: Arc<Principal>,
    session: Weak<Session>,
    hello: Hello,
    mut changes: Changes,
) {
    let lists: Vec<ListKind> =
        ListKind::ALL.into_iter().filter(|kind| hello.offers(kind.capability())).collect();
    let mut uris = BTreeSet::new();
    let Some(first) = session.upgrade() else { return };
    let seat = first.seat.clone();
    let mut share = Share::of(first.account());
    let mut listening = listen(&context, &principal, &first, &lists, &uris).await.map(|(on, _)| on);
    drop(first);
    // The earliest time at which a subscription that there is not is opened again, and how often that was tried.
    let mut reopen: Option<(Instant, usize)> = listening.is_none().then(|| after(0));
    // How often the server ended it without a word before.
    let mut ended = 0;
    loop {
        let at = reopen.map_or_else(Instant::now, |(at, _)| at);
        let next_child = async {
            tokio::time::sleep_until(at).await;
            seat.occupied().await;
        };
        let event = tokio::select! {
            event = heard(&mut listening) => event,
            () = next_child, if reopen.is_some() => {
                let Some(session) = session.upgrade() else { return };
                if session.is_lost() {
                    session.member.mailbox().push(Notice::Gone, Keep::End);
                    return;
                }
                let new = listen(&context, &principal, &session, &lists, &uris).await;
                listening = new.map(|(on, _)| on);
                let tries = reopen.map_or(0, |(_, tries)| tries);
                reopen = listening.is_none().then(|| after(tries));
                if listening.is_some() {
                    // The session outlives its server: what may have changed meanwhile is said (checklist 6.20).
                    let mailbox = session.member.mailbox();
                    mailbox.push(Notice::Restarted, Keep::Always);
                    for uri in &uris {
                        mailbox.push(updated(uri), Keep::Always);
                    }
                }
                continue;
            }
            change = changes.recv() => {
                let (Some(change), Some(session)) = (change, session.upgrade()) else { return };
                let bytes = |uris: &BTreeSet<String>| {
                    uris.iter().map(|uri| COPIES * uri.len()).sum::<usize>()
                };
                let more = bytes(&uris) + COPIES * change.uri.len();
                if change.wanted == Wanted::Yes {
                    let refusal = match share.try_set(more) {
                        Ok(()) => (uris.len() >= MOST_URIS).then_some(Honoured::No),
                        Err(short) => Some(Honoured::NoRoom(short)),
                    };
                    if let Some(refusal) = refusal {
                        share.set(bytes(&uris));
                        let _ = change.done.send(refusal);
                        continue;
                    }
                }
                match change.wanted {
                    Wanted::Yes => uris.insert(change.uri.clone()),
                    Wanted::No => uris.remove(&change.uri),
                };
                // The new subscription stands before the old one is dropped.
                let new = listen(&context, &principal, &session, &lists, &uris).await;
                let granted = new.as_ref().is_some_and(|(_, granted)| {
                    change.wanted == Wanted::No || granted.contains(&change.uri)
                });
                if !granted && change.wanted == Wanted::Yes {
                    uris.remove(&change.uri);
                }
                if new.is_some() {
                    reopen = None;
                }
                share.set(bytes(&uris));
                session.member.follows(uris.len());
                listening = new.map(|(on, _)| on).or(listening);
                // Whoever asked may be gone.
                let _ = change.done.send(if granted { Honoured::Yes } else { Honoured::No });
                continue;
            }
        };
        let Some(session) = session.upgrade() else { return };
        match event {
            Event::Subscription { method, params } => {
                ended = 0;
                tell(&session, &method, &params);
            }
            Event::Done(_) if context.shutdown.is_finishing() => listening = None,
            Event::Done(Outcome::Lost(_) | Outcome::Unsent(_)) => {
                listening = None;
                reopen = Some((Instant::now(), 0));
            }
            Event::Done(_) => {
                listening = None;
                reopen = Some(after(ended));
                ended += 1;
            }
            _ => {}
        }
    }
}

/// What is said of a resource that may have changed while nobody reported it.
fn updated(uri: &str) -> Notice {
    Notice::Updated { uri: uri.to_owned(), params: Raw::of(&json!({ "uri": uri })) }
}

fn after(tries: usize) -> (Instant, usize) {
    let wait = REOPEN_AFTER[tries.min(REOPEN_AFTER.len() - 1)];
    (Instant::now() + wait, tries + 1)
}

async fn heard(listening: &mut Option<Call>) -> Event {
    match listening {
        Some(call) => call.next().await,
        None => std::future::pending().await,
    }
}

/// Opens a subscription; returns it with the URIs that the server granted.
async fn listen(
    context: &Context,
    principal: &Arc<Principal>,
    session: &Session,
    lists: &[ListKind],
    uris: &BTreeSet<String>,
) -> Option<(Call, Vec<String>)> {
    let mut filter: Map<String, Value> =
        lists.iter().map(|kind| (kind.filter().to_owned(), Value::Bool(true))).collect();
    if !uris.is_empty() {
        filter.insert("resourceSubscriptions".to_owned(), json!(uris));
    }
    let params = Params::read(Some(Raw::of(&json!({ "notifications": filter })))).ok()?;
    let client = ClientSide { log_level: None, ..session.client() };
    let operation =
        Operation { method: "subscriptions/listen".into(), params, client, resume: None };
    // It may be hours later: whether he may still connect is asked each time.
    let access = context.gate.access(principal).ok()?;
    let mut call = context.gate.follow(&access, &session.seat, operation).await.ok()?;
    let acknowledged = async {
        loop {
            match call.next().await {
                Event::Subscription { method, params } => {
                    if method == "notifications/subscriptions/acknowledged" {
                        return Some(granted(&params));
                    }
                    tell(session, &method, &params);
                }
                Event::Done(_) => return None,
                _ => {}
            }
        }
    };
    let granted = tokio::time::timeout(ACKNOWLEDGED_WITHIN, acknowledged).await.ok()??;
    Some((call, granted))
}

fn granted(params: &Raw) -> Vec<String> {
    let read = || {
        let filter = Object::parse(params).ok()?.get("notifications")?;
        Object::parse(&filter).ok()?.get("resourceSubscriptions")?.read().ok()
    };
    read().unwrap_or_default()
}

fn tell(session: &Session, method: &str, params: &Raw) {
    let notice = match ListKind::read(method) {
        Some(kind) => Notice::ListChanged(kind),
        None if method == "notifications/resources/updated" => {
            let Ok(members) = Object::parse(params) else { return };
            let uri = members.get_str("uri").unwrap_or_default();
            let params = members.with(&[("_meta", None)]);
            Notice::Updated { uri, params }
        }
        None => return,
    };
    session.member.mailbox().push(notice, Keep::Always);
}
