//! `subscriptions/listen`: a stream that lasts, acknowledged first, every message tagged with the client's own
//! request id (checklist 3.46–3.48, 5.26–5.28, 6.29).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::check::{self, Checked, Refusal};
use super::filter::Filter;
use super::result;
use crate::auth::Principal;
use crate::bridge::{Child, Event, Member, Notice, Outcome, Role, Seat};
use crate::client::call::{NotBegun, Ongoing, Patience};
use crate::client::front::{Arrival, Front};
use crate::client::reply::{Content, Frame, Reply, Status};
use crate::mcp::{Era, ErrorObject, Object, Params, Raw, Request, RequestId, meta};
use crate::policy::{Caller, Operation};
use crate::server::{Hello, ListKind, Profile};

/// How long a subscription waits before it is opened again.
const REOPEN_AFTER: Duration = Duration::from_millis(250);

/// Opens a subscription.
pub(super) async fn listen(
    front: &Arc<Front>,
    arrival: &Arrival,
    request: Request,
    params: Params,
    checked: Checked,
) -> Reply {
    let refuse = |status, error| Reply::error(status, Some(&request.id), error);
    let Some(filter) = params.raw.as_ref().and_then(Filter::asked) else {
        let error =
            ErrorObject::invalid_params("params.notifications must be a subscription filter");
        return refuse(Status::BadRequest, error);
    };
    let Checked { caller } = checked;
    let mut listen = Listen {
        front: Arc::clone(front),
        principal: Arc::clone(&arrival.principal),
        id: request.id.clone(),
        operation: Operation { method: request.method, params, caller, resume: None },
        filter,
        honoured: Filter::default(),
        missed: VecDeque::new(),
        early: None,
        acknowledged: false,
        source: Source::None,
    };
    match listen.open().await {
        Ok(()) => Reply::Events { frames: Box::pin(listen.frames()), session: None },
        Err((status, error)) => refuse(status, error),
    }
}

struct Listen {
    front: Arc<Front>,
    principal: Arc<Principal>,
    id: RequestId,
    operation: Operation,
    filter: Filter,
    honoured: Filter,
    /// What a lost server may have left untold, still to be said.
    missed: VecDeque<Content>,
    /// What a modern server has said first.
    early: Option<Event>,
    /// Whether the client knows what is honoured.
    acknowledged: bool,
    source: Source,
}

/// Where the messages come from.
enum Source {
    None,
    /// A modern server's own subscription.
    Modern(Box<Ongoing>),
    /// What a legacy server tells everybody.
    Legacy {
        member: Member,
        _seat: Seat,
    },
}

enum Next {
    Message(Content),
    Lost,
    End,
}

impl Listen {
    async fn open(&mut self) -> Result<(), (Status, ErrorObject)> {
        let front = Arc::clone(&self.front);
        let refused = |refused: crate::policy::Refused| {
            (Status::Ok, ErrorObject::invalid_params(refused.to_string()))
        };
        let connect = front.policy.connect(&self.principal).map_err(refused)?;
        let Caller { capabilities, info, .. } = &self.operation.caller;
        let profile = Profile::of_modern(capabilities, info.clone());
        let gone = |why: crate::bridge::Unavailable| {
            let NotBegun { status, error } = NotBegun::from(why);
            (status, error)
        };
        let seat = front.pool.seat(&connect, &profile, None).await.map_err(gone)?;
        let child = front.pool.ready(&seat).await.map_err(gone)?;
        self.source = match child.hello().era() {
            Era::Modern => {
                if !self.filter.task_ids.is_empty() {
                    check::may_use_tasks(&self.operation.caller, child.hello())
                        .map_err(Refusal::into_parts)?;
                }
                Source::Modern(Box::new(self.follow(&seat).await?))
            }
            Era::Legacy => self.join(&child, seat).await,
        };
        Ok(())
    }

    /// Opens the modern server's own subscription. One that is refused at once is refused with the status that goes
    /// with it, not with a stream that acknowledges nothing.
    async fn follow(&mut self, seat: &Seat) -> Result<Ongoing, (Status, ErrorObject)> {
        let (front, operation) = (Arc::clone(&self.front), self.operation.clone());
        let begun = front.begin(&self.principal, seat, operation, Patience::Unlimited).await;
        let mut ongoing = begun.map_err(|failed| (failed.status, failed.error))?;
        match timeout(front.settings.keep_alive, ongoing.next()).await {
            Ok(Event::Done(Outcome::Error(error))) => {
                Err(result::error(error, &self.operation, Era::Modern))
            }
            first => {
                self.early = first.ok();
                Ok(ongoing)
            }
        }
    }

    /// Subscribes to what the legacy server can report; the rest is left out (checklist 5.26).
    async fn join(&mut self, child: &Child, seat: Seat) -> Source {
        let hello = child.hello();
        self.honoured = Filter {
            tools_list_changed: self.filter.tools_list_changed
                && reports(hello, "tools", "listChanged"),
            prompts_list_changed: self.filter.prompts_list_changed
                && reports(hello, "prompts", "listChanged"),
            resources_list_changed: self.filter.resources_list_changed
                && reports(hello, "resources", "listChanged"),
            ..Filter::default()
        };
        let flags = [
            (self.honoured.tools_list_changed, ListKind::Tools),
            (self.honoured.prompts_list_changed, ListKind::Prompts),
            (self.honoured.resources_list_changed, ListKind::Resources),
        ];
        let lists = flags.into_iter().filter(|(on, _)| *on).map(|(_, kind)| kind).collect();
        let member = seat.subscribers().join(Role::Listen { lists });
        if reports(hello, "resources", "subscribe") {
            for uri in self.filter.resource_subscriptions.clone() {
                if self.subscribe(&seat, &member, &uri).await {
                    self.honoured.resource_subscriptions.push(uri);
                }
            }
        }
        Source::Legacy { member, _seat: seat }
    }

    async fn subscribe(&self, seat: &Seat, member: &Member, uri: &str) -> bool {
        let Some(operation) = self.about("resources/subscribe", uri) else { return false };
        let Ok(permitted) = self.front.permit(&self.principal, operation.clone()) else {
            return false;
        };
        member.subscribe(uri, permitted);
        let begun = self.front.begin(&self.principal, seat, operation, Patience::Limited).await;
        let Ok(mut ongoing) = begun else { return false };
        loop {
            match ongoing.next().await {
                Event::Done(Outcome::Result(_)) => return true,
                Event::Done(_) => {
                    member.unsubscribe(uri);
                    return false;
                }
                _ => {}
            }
        }
    }

    fn about(&self, method: &'static str, uri: &str) -> Option<Operation> {
        let params = Params::read(Some(Raw::of(&json!({ "uri": uri })))).ok()?;
        let caller = Caller { log_level: None, ..self.operation.caller.clone() };
        Some(Operation { method: method.into(), params, caller, resume: None })
    }

    fn frames(self) -> impl futures_core::Stream<Item = Frame> + Send {
        // A modern server acknowledges by itself; for a legacy one it is ours to say.
        let first = match &self.source {
            Source::Legacy { .. } => Some(self.acknowledged()),
            _ => None,
        };
        let start = (Some(self), first);
        stream::unfold(start, |(listen, first)| async move {
            let mut listen = listen?;
            if let Some(content) = first {
                return Some((Frame { content, ..Frame::default() }, (Some(listen), None)));
            }
            loop {
                if let Some(content) = listen.missed.pop_front() {
                    return Some((Frame { content, ..Frame::default() }, (Some(listen), None)));
                }
                match listen.next().await {
                    Next::Message(content) => {
                        return Some((Frame { content, ..Frame::default() }, (Some(listen), None)));
                    }
                    Next::Lost if !listen.front.shutdown.is_finishing() => {
                        // A server that is lost again and again is not asked in a tight loop.
                        tokio::time::sleep(REOPEN_AFTER).await;
                        if listen.open().await.is_err() {
                            let content = listen.ended();
                            return Some((Frame { content, ..Frame::default() }, (None, None)));
                        }
                        listen.catch_up();
                    }
                    Next::Lost | Next::End => {
                        let content = listen.ended();
                        return Some((Frame { content, ..Frame::default() }, (None, None)));
                    }
                }
            }
        })
    }

    async fn next(&mut self) -> Next {
        let shutdown = self.front.shutdown.clone();
        let principal = Arc::clone(&self.principal);
        tokio::select! {
            next = self.heard() => next,
            () = shutdown.finishing() => Next::End,
            _ = principal.ended() => Next::End,
        }
    }

    async fn heard(&mut self) -> Next {
        loop {
            match &mut self.source {
                Source::None => return Next::End,
                Source::Modern(ongoing) => {
                    let event = match self.early.take() {
                        Some(event) => event,
                        None => ongoing.next().await,
                    };
                    match event {
                        Event::Subscription { method, params } => {
                            if method == "notifications/subscriptions/acknowledged" {
                                self.honoured = Filter::honoured(&params);
                                if std::mem::replace(&mut self.acknowledged, true) {
                                    continue;
                                }
                            }
                            if self.filter.allows(&method) {
                                return Next::Message(self.tagged(&method, &params));
                            }
                        }
                        Event::Done(Outcome::Lost(_)) => return Next::Lost,
                        Event::Done(_) => return Next::End,
                        _ => {}
                    }
                }
                Source::Legacy { member, .. } => match member.mailbox().next().await {
                    Notice::ListChanged(kind) => {
                        return Next::Message(self.tagged(kind.method(), &Raw::empty_object()));
                    }
                    Notice::Updated { params, .. } => {
                        let method = "notifications/resources/updated";
                        return Next::Message(self.tagged(method, &params));
                    }
                    Notice::Gone => return Next::Lost,
                    Notice::Log { .. }
                    | Notice::Ask(_)
                    | Notice::Withdrawn(_)
                    | Notice::Other(_) => {}
                },
            }
        }
    }

    /// A change of every list and resource that was honoured, after the server was replaced (checklist 4.31).
    fn catch_up(&mut self) {
        let flags = [
            (self.honoured.tools_list_changed, ListKind::Tools),
            (self.honoured.prompts_list_changed, ListKind::Prompts),
            (self.honoured.resources_list_changed, ListKind::Resources),
        ];
        let kinds = flags.into_iter().filter(|(on, _)| *on).map(|(_, kind)| kind);
        let lists = kinds.map(|kind| self.tagged(kind.method(), &Raw::empty_object()));
        let updates = self.honoured.resource_subscriptions.iter().map(|uri| {
            let params = Raw::of(&json!({ "uri": uri }));
            self.tagged("notifications/resources/updated", &params)
        });
        self.missed = lists.chain(updates).collect();
    }

    fn acknowledged(&self) -> Content {
        let mut notifications = serde_json::Map::new();
        let flags = [
            ("toolsListChanged", self.honoured.tools_list_changed),
            ("promptsListChanged", self.honoured.prompts_list_changed),
            ("resourcesListChanged", self.honoured.resources_list_changed),
        ];
        for (name, _) in flags.into_iter().filter(|(_, on)| *on) {
            notifications.insert(name.to_owned(), Value::Bool(true));
        }
        if !self.honoured.resource_subscriptions.is_empty() {
            let uris = json!(self.honoured.resource_subscriptions);
            notifications.insert("resourceSubscriptions".to_owned(), uris);
        }
        let params = Raw::of(&json!({ "notifications": notifications }));
        self.tagged("notifications/subscriptions/acknowledged", &params)
    }

    fn tagged(&self, method: &str, params: &Raw) -> Content {
        Content::notification(method, Some(&self.with_id(params)))
    }

    /// The end in peace: the result, tagged like everything else.
    fn ended(&self) -> Content {
        let result = Raw::of(&json!({ "resultType": "complete" }));
        Content::response(&self.id, &Ok(self.with_id(&result)))
    }

    fn with_id(&self, params: &Raw) -> Raw {
        let empty = Raw::empty_object();
        let Ok(members) = Object::parse(params) else { return params.clone() };
        let own = members.get("_meta").unwrap_or_else(|| empty.clone());
        let id = self.id.to_json();
        match Object::parse(&own) {
            Ok(own) => {
                let own = own.with(&[(meta::SUBSCRIPTION_ID, Some(&id))]);
                members.with(&[("_meta", Some(own.as_str()))])
            }
            Err(_) => params.clone(),
        }
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        // Whoever was the last to want a resource of a legacy server says so.
        let Source::Legacy { member, _seat: seat } = &self.source else { return };
        for uri in member.uris() {
            let nobody = member.unsubscribe(&uri) == crate::bridge::Remaining::Nobody;
            let operation = self.about("resources/unsubscribe", &uri).filter(|_| nobody);
            let Some((child, operation)) = seat.slot().child().zip(operation) else { continue };
            if let Ok(permitted) = self.front.permit(&self.principal, operation) {
                child.call_and_forget(permitted);
            }
        }
    }
}

fn reports(hello: &Hello, capability: &str, flag: &str) -> bool {
    Object::parse(&hello.capabilities)
        .ok()
        .and_then(|all| all.get(capability))
        .and_then(|own| Object::parse(&own).ok()?.get(flag))
        .is_some_and(|flag| flag.as_str() == "true")
}
