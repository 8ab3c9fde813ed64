//! One request of a session, from its first step to its answer, written to its stream.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::calls::Still;
use super::follow::{self, Honoured, Wanted};
use super::session::{Answer, Asked, Session};
use super::stream::EventStream;
use super::translate;
use crate::auth::Principal;
use crate::bridge::{Ask, AskKey, Event, Outcome, Remaining, refusal};
use crate::client::call::Patience;
use crate::client::front::Front;
use crate::client::reply::Content;
use crate::mcp::{Era, ErrorObject, Object, Raw, RequestId, codes};
use crate::policy::{LogLevel, Operation};
use crate::server::Internal;

/// Does what the request asks and writes the answer; a cancelled request gets none (checklist 2.36).
pub(super) async fn drive(
    front: Arc<Front>,
    principal: Arc<Principal>,
    session: Arc<Session>,
    id: RequestId,
    operation: Operation,
    stream: Arc<EventStream>,
) {
    let drive = Drive { front: &front, principal: &principal, session: &session, stream: &stream };
    if session.calls.begin(&id).is_none() {
        let taken = ErrorObject::new(codes::INVALID_REQUEST, "a request with this id is under way");
        stream.push(Content::response(&id, &Err(taken)));
        return;
    }
    let outcome = match operation.method.as_ref() {
        "ping" => Some(Ok(Raw::empty_object())),
        "logging/setLevel" => Some(drive.set_level(&operation).await),
        "resources/subscribe" => drive.subscribe(&id, operation).await,
        "resources/unsubscribe" => drive.unsubscribe(&id, operation).await,
        _ => drive.call(&id, operation).await,
    };
    session.calls.finished(&id);
    session.touch();
    if let Some(outcome) = outcome {
        stream.push(Content::response(&id, &outcome));
    }
}

struct Drive<'a> {
    front: &'a Front,
    principal: &'a Arc<Principal>,
    session: &'a Arc<Session>,
    stream: &'a Arc<EventStream>,
}

type Answers = mpsc::UnboundedSender<(AskKey, Answer)>;

impl Drive<'_> {
    /// Forwards a call and tells its story; `None` when the client cancelled it.
    async fn call(&self, id: &RequestId, operation: Operation) -> Option<Answer> {
        let (front, session) = (self.front, self.session);
        let method = operation.method.clone();
        let begun = front.begin(self.principal, &session.seat, operation, Patience::Limited).await;
        let mut ongoing = match begun {
            Ok(ongoing) => ongoing,
            Err(not_begun) => return Some(Err(not_begun.error)),
        };
        if session.calls.sent(id, ongoing.conversation.canceller()) == Still::Recalled {
            return None;
        }
        // At most one answer for each ask, so the asks bound the queue.
        let (sender, mut answers) = mpsc::unbounded_channel();
        let mut asked: HashMap<AskKey, u64> = HashMap::new();
        let outcome = loop {
            let event = tokio::select! {
                event = ongoing.next() => event,
                Some((key, answer)) = answers.recv() => {
                    asked.remove(&key);
                    ongoing.conversation.answer(&key, answer);
                    continue;
                }
            };
            match event {
                Event::Done(outcome) => break outcome,
                Event::Progress(params) => self.tell("notifications/progress", &params),
                Event::Log(params) => self.log(&params),
                Event::Ask(ask) => match self.ask(&ask, sender.clone()) {
                    Some(number) => {
                        asked.insert(Arc::clone(&ask.key), number);
                    }
                    None => ongoing.conversation.answer(&ask.key, refusal(&ask.method)),
                },
                Event::Withdrawn(key) => {
                    if let Some(number) = asked.remove(&key) {
                        self.withdraw(number);
                    }
                }
                Event::Suspended { .. } => ongoing.conversation.proceed(),
                // Subscriptions are for modern clients, and a recalled call arrives as `Done`.
                Event::Subscription { .. } | Event::Recalled | Event::Undeclared(_) => {}
            }
        };
        for number in asked.into_values() {
            self.withdraw(number);
        }
        let modern = ongoing.conversation.child().hello().era() == Era::Modern;
        match outcome {
            Outcome::Result(result) if modern => {
                Some(translate::result(&method, &result, session.version))
            }
            Outcome::Result(result) => Some(Ok(result)),
            Outcome::Error(error) if modern => Some(Err(translate::error(error))),
            Outcome::Error(error) | Outcome::Lost(error) => Some(Err(error)),
            Outcome::Cancelled => None,
        }
    }

    async fn set_level(&self, operation: &Operation) -> Answer {
        let level = operation
            .params
            .raw
            .as_ref()
            .and_then(|raw| Object::parse(raw).ok()?.get("level")?.read::<LogLevel>().ok())
            .ok_or_else(|| ErrorObject::invalid_params("params.level must be a log level"))?;
        let child = self.front.pool.ready(&self.session.seat).await;
        let child = child.map_err(|why| ErrorObject::internal(why.message))?;
        let most_verbose = self.session.set_level(level);
        // A modern server learns the level with each request.
        if child.hello().era() == Era::Modern {
            return Ok(Raw::empty_object());
        }
        let limit = self.front.settings.call_timeout;
        match child.ask(Internal::SetLevel(most_verbose), limit).await {
            Outcome::Result(result) => Ok(result),
            Outcome::Error(error) | Outcome::Lost(error) => Err(error),
            Outcome::Cancelled => Err(ErrorObject::internal("the call was cancelled")),
        }
    }

    async fn subscribe(&self, id: &RequestId, operation: Operation) -> Option<Answer> {
        let Some(uri) = operation.params.uri.clone() else {
            return Some(Err(ErrorObject::invalid_params("params.uri must be a string")));
        };
        if !self.session.member.has_room_for(&uri) {
            return Some(Err(ErrorObject::invalid_params(
                "the session has too many subscriptions, or the uri is too long",
            )));
        }
        if let Some(follow) = &self.session.follow {
            return Some(match follow::change(follow, &uri, Wanted::Yes).await {
                Honoured::Yes => Ok(Raw::empty_object()),
                Honoured::No => Err(ErrorObject::invalid_params(
                    "the server does not report changes of this resource",
                )),
            });
        }
        let permitted = match self.front.permit(self.principal, operation.clone()) {
            Ok(permitted) => permitted,
            Err(refused) => return Some(Err(refused.error)),
        };
        // Remembered first: the server may report a change before it answers.
        self.session.member.subscribe(&uri, permitted);
        let answer = self.call(id, operation).await;
        if !matches!(answer, Some(Ok(_))) {
            self.session.member.unsubscribe(&uri);
        }
        answer
    }

    async fn unsubscribe(&self, id: &RequestId, operation: Operation) -> Option<Answer> {
        let Some(uri) = operation.params.uri.clone() else {
            return Some(Err(ErrorObject::invalid_params("params.uri must be a string")));
        };
        if let Some(follow) = &self.session.follow {
            follow::change(follow, &uri, Wanted::No).await;
            return Some(Ok(Raw::empty_object()));
        }
        match self.session.member.unsubscribe(&uri) {
            // Another client of this user still wants it.
            Remaining::Others => Some(Ok(Raw::empty_object())),
            Remaining::Nobody => self.call(id, operation).await,
        }
    }

    /// Asks the client; `None` when its revision has no words for the question.
    fn ask(&self, ask: &Ask, answers: Answers) -> Option<u64> {
        let params = match self.follows_modern() {
            true => translate::ask(&ask.method, ask.params.as_ref(), self.session.version)?,
            false => ask.params.clone(),
        };
        let asked = Asked::Call { key: Arc::clone(&ask.key), answers };
        let number = self.session.ask(asked);
        let id = RequestId::from(number);
        self.stream.push(Content::request(&id, &ask.method, params.as_ref()));
        Some(number)
    }

    fn follows_modern(&self) -> bool {
        self.session.follow.is_some()
    }

    fn withdraw(&self, number: u64) {
        self.session.forget_ask(number);
        let params = Raw::of(&serde_json::json!({ "requestId": number }));
        self.stream.push(Content::notification("notifications/cancelled", Some(&params)));
    }

    fn tell(&self, method: &str, params: &Raw) {
        self.stream.push_if_room(Content::notification(method, Some(params)));
    }

    fn log(&self, params: &Raw) {
        let level = Object::parse(params).ok().and_then(|members| members.get("level"));
        let level = level.and_then(|level| level.read::<LogLevel>().ok());
        if level.is_some_and(|level| self.session.wants(level)) {
            self.tell("notifications/message", params);
        }
    }
}
