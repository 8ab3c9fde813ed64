//! `subscriptions/listen`: a stream that lasts, acknowledged first, every message tagged with the client's own
//! request id (checklist 3.46–3.48, 5.26–5.28, 6.29).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::request::ClientRequest;
use super::result;
use super::subscription_filter::Filter;
use super::validate::{Rejected, may_use_tasks};
use crate::client::reply::{Content, Frame, Reply, Status};
use crate::gate::{Call, Event, Member, NotAdmitted, Notice, Outcome, Remaining, Role, Seat};
use crate::limits::Share;
use crate::mcp::{Era, ErrorObject, Object, Params, Raw, meta};
use crate::policy::{ClientSide, Operation};
use crate::server::Hello;

/// How long a subscription waits before it is opened again.
const REOPEN_AFTER: Duration = Duration::from_millis(250);

/// Opens a subscription.
pub(super) async fn listen(request: ClientRequest) -> Reply {
    let id = request.id.clone();
    let refuse = |status, error| Reply::error(status, Some(&id), error);
    let Some(filter) = request.operation.params.raw.as_ref().and_then(Filter::asked) else {
        let error =
            ErrorObject::invalid_params("params.notifications must be a subscription filter");
        return refuse(Status::BadRequest, error);
    };
    // Kept as it was asked for and as it is honoured.
    let uris = filter.resource_subscriptions.iter().chain(&filter.task_ids);
    let mut share = Share::of(&request.account());
    if let Err(short) = share.try_set(uris.map(|uri| 2 * uri.len()).sum()) {
        return Reply::short(Some(&id), short);
    }
    let mut listen = Listen {
        request,
        _share: share,
        filter,
        honoured: Filter::default(),
        missed: VecDeque::new(),
        early: None,
        acknowledged: false,
        feed: Feed::None,
    };
    match listen.open().await {
        Ok(()) => Reply::Events { frames: Box::pin(listen.frames()), session: None },
        Err((status, error)) => refuse(status, error),
    }
}

struct Listen {
    request: ClientRequest,
    /// What the filter costs.
    _share: Share,
    filter: Filter,
    honoured: Filter,
    /// What a lost server may have left untold, still to be said.
    missed: VecDeque<Content>,
    /// What a modern server has said first.
    early: Option<Event>,
    /// Whether the client knows what is honoured.
    acknowledged: bool,
    feed: Feed,
}

/// Where the messages come from.
enum Feed {
    None,
    /// A modern server's own subscription.
    Modern(Box<Call>),
    /// What a legacy server tells everybody.
    Legacy {
        member: Member,
        seat: Seat,
    },
}

enum Next {
    Message(Content),
    Lost,
    End,
}

impl Listen {
    async fn open(&mut self) -> Result<(), (Status, ErrorObject)> {
        // It may be hours later: whether he may still connect, and to which child, is asked each time.
        let principal = Arc::clone(self.request.access.principal());
        self.request.access = self.request.context.gate.access(&principal).map_err(refused)?;
        let seat = self.request.seat().await.map_err(refused)?;
        self.feed = match seat.hello().era() {
            Era::Modern => {
                if !self.filter.task_ids.is_empty() {
                    may_use_tasks(&self.request.operation.client, seat.hello())
                        .map_err(Rejected::into_parts)?;
                }
                Feed::Modern(Box::new(self.follow(&seat).await?))
            }
            Era::Legacy => self.join(seat).await,
        };
        Ok(())
    }

    /// Opens the modern server's own subscription. One that is refused at once is refused with the status that goes
    /// with it, not with a stream that acknowledges nothing.
    async fn follow(&mut self, seat: &Seat) -> Result<Call, (Status, ErrorObject)> {
        let ClientRequest { context, access, operation, .. } = &self.request;
        let begun = context.gate.listen(access, seat, operation.clone()).await;
        let mut call = begun.map_err(refused)?;
        match timeout(context.settings.keep_alive, call.next()).await {
            Ok(Event::Done(Outcome::Error(error))) => {
                Err(result::error(error, operation, Era::Modern))
            }
            first => {
                self.early = first.ok();
                Ok(call)
            }
        }
    }

    /// Subscribes to what the legacy server can report; the rest is left out (checklist 5.26).
    async fn join(&mut self, seat: Seat) -> Feed {
        let account = self.request.account();
        let hello = seat.hello();
        self.honoured = Filter {
            tools_list_changed: self.filter.tools_list_changed
                && reports(hello, "tools", "listChanged"),
            prompts_list_changed: self.filter.prompts_list_changed
                && reports(hello, "prompts", "listChanged"),
            resources_list_changed: self.filter.resources_list_changed
                && reports(hello, "resources", "listChanged"),
            ..Filter::default()
        };
        let member = seat.join(Role::Listen { lists: self.honoured.lists().collect() }, &account);
        if reports(hello, "resources", "subscribe") {
            for uri in self.filter.resource_subscriptions.clone() {
                if self.subscribe(&seat, &member, &uri).await {
                    self.honoured.resource_subscriptions.push(uri);
                }
            }
        }
        Feed::Legacy { member, seat }
    }

    async fn subscribe(&self, seat: &Seat, member: &Member, uri: &str) -> bool {
        let Some(operation) = self.about("resources/subscribe", uri) else { return false };
        let ClientRequest { context, access, .. } = &self.request;
        let Ok(mut call) = context.gate.subscribe(access, seat, member, operation).await else {
            return false;
        };
        loop {
            if let Event::Done(outcome) = call.next().await {
                return matches!(outcome, Outcome::Result(_));
            }
        }
    }

    fn about(&self, method: &'static str, uri: &str) -> Option<Operation> {
        let params = Params::read(Some(Raw::of(&json!({ "uri": uri })))).ok()?;
        let client = ClientSide { log_level: None, ..self.request.operation.client.clone() };
        Some(Operation { method: method.into(), params, client, resume: None })
    }

    fn frames(self) -> impl futures_core::Stream<Item = Frame> + Send {
        // A modern server acknowledges by itself; for a legacy one it is ours to say.
        let first = match &self.feed {
            Feed::Legacy { .. } => Some(self.acknowledged()),
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
                    Next::Lost if !listen.request.context.shutdown.is_finishing() => {
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
        let shutdown = self.request.context.shutdown.clone();
        let principal = Arc::clone(self.request.access.principal());
        tokio::select! {
            next = self.heard() => next,
            () = shutdown.finishing() => Next::End,
            _ = principal.ended() => Next::End,
        }
    }

    async fn heard(&mut self) -> Next {
        loop {
            match &mut self.feed {
                Feed::None => return Next::End,
                Feed::Modern(call) => {
                    let event = match self.early.take() {
                        Some(event) => event,
                        None => call.next().await,
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
                        Event::Done(Outcome::Lost(_) | Outcome::Unsent(_)) => return Next::Lost,
                        Event::Done(_) => return Next::End,
                        _ => {}
                    }
                }
                Feed::Legacy { member, .. } => match member.mailbox().next().await {
                    Notice::ListChanged(kind) => {
                        return Next::Message(self.tagged(kind.method(), &Raw::empty_object()));
                    }
                    Notice::Updated { params, .. } => {
                        let method = "notifications/resources/updated";
                        return Next::Message(self.tagged(method, &params));
                    }
                    Notice::Gone => return Next::Lost,
                    Notice::Restarted
                    | Notice::Log { .. }
                    | Notice::Ask { .. }
                    | Notice::Withdrawn { .. }
                    | Notice::Other(_) => {}
                },
            }
        }
    }

    /// A change of every list and resource that was honoured, after the server was replaced (checklist 4.31).
    fn catch_up(&mut self) {
        let lists =
            self.honoured.lists().map(|kind| self.tagged(kind.method(), &Raw::empty_object()));
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
        Content::response(&self.request.id, &Ok(self.with_id(&result)))
    }

    fn with_id(&self, params: &Raw) -> Raw {
        let empty = Raw::empty_object();
        let Ok(members) = Object::parse(params) else { return params.clone() };
        let own = members.get("_meta").unwrap_or_else(|| empty.clone());
        let id = self.request.id.to_json();
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
        let Feed::Legacy { member, seat } = &self.feed else { return };
        let ClientRequest { context, access, .. } = &self.request;
        for uri in member.uris() {
            let nobody = member.unsubscribe(&uri) == Remaining::Nobody;
            if let Some(operation) = self.about("resources/unsubscribe", &uri).filter(|_| nobody) {
                context.gate.say_farewell(access, seat, operation);
            }
        }
    }
}

fn refused(why: NotAdmitted) -> (Status, ErrorObject) {
    (why.retry.into(), why.error)
}

fn reports(hello: &Hello, capability: &str, flag: &str) -> bool {
    Object::parse(&hello.capabilities)
        .ok()
        .and_then(|all| all.get(capability))
        .and_then(|own| Object::parse(&own).ok()?.get(flag))
        .is_some_and(|flag| flag.as_str() == "true")
}
