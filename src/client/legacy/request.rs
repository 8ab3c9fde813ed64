//! One request of a session, from its first step to its answer, written to its stream.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::calls::Still;
use super::session::{Answer, Asked, Session};
use super::stream::EventStream;
use super::translate;
use super::watched_uris::{Honoured, Wanted, WatchedUris};
use crate::audit::Ending;
use crate::client::context::Context;
use crate::client::reply::{Content, UNSENT_PAUSE};
use crate::gate::{
    Access, Ask, AskKey, Call, Event, NotAdmitted, Outcome, Remaining, Retry, stand_in_answer,
};
use crate::mcp::{Era, ErrorObject, Object, Raw, RequestId, codes};
use crate::policy::{LogLevel, Operation};

/// Does what the request asks and writes the answer; a cancelled request gets none (checklist 2.36).
pub(super) async fn serve(
    context: Arc<Context>,
    access: Access,
    session: Arc<Session>,
    (id, operation): (RequestId, Operation),
    stream: Arc<EventStream>,
) -> Served {
    let request = SessionRequest {
        context: &context,
        access: &access,
        session: &session,
        id: &id,
        stream: &stream,
        unsent: OnceLock::new(),
    };
    if session.calls.begin(&id).is_none() {
        let taken = ErrorObject::new(codes::INVALID_REQUEST, "a request with this id is under way");
        stream.push(Content::response(&id, &Err(taken)));
        return Served::Answered;
    }
    let outcome = match operation.method.as_ref() {
        "ping" => Some(Ok(Raw::empty_object())),
        "logging/setLevel" => request.set_level(operation).await,
        "resources/subscribe" => request.subscribe(operation).await,
        "resources/unsubscribe" => request.unsubscribe(operation).await,
        _ => request.call(operation).await,
    };
    session.calls.finished(&id);
    session.touch();
    if let Some(outcome) = outcome {
        stream.push(Content::response(&id, &outcome));
    }
    request.unsent.get().map_or(Served::Answered, |retry| Served::Unsent(*retry))
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// It has its answer, or needs none.
    Answered,
    /// It reached no server; when another try is worth it.
    Unsent(Retry),
}

struct SessionRequest<'a> {
    context: &'a Context,
    access: &'a Access,
    session: &'a Arc<Session>,
    id: &'a RequestId,
    stream: &'a Arc<EventStream>,
    /// Set once it is known that nothing of it left for a server.
    unsent: OnceLock<Retry>,
}

type Answers = mpsc::UnboundedSender<(AskKey, Answer)>;

impl SessionRequest<'_> {
    /// Forwards a call and tells its story; `None` when the client cancelled it.
    async fn call(&self, operation: Operation) -> Option<Answer> {
        let method = operation.method.clone();
        // A modern server means something else by the same names (checklist 9.10).
        if self.follows_modern() && method.starts_with("tasks/") {
            return Some(Err(ErrorObject::method_not_found(&method)));
        }
        let call = self.context.gate.call(self.access, &self.session.seat, operation).await;
        self.tell_of(&method, call).await
    }

    /// Tells the story of a call, if it began.
    async fn tell_of(&self, method: &str, call: Result<Call, NotAdmitted>) -> Option<Answer> {
        let session = self.session;
        let mut call = match call {
            Ok(call) => call,
            Err(refused) => return Some(Err(self.refused(refused))),
        };
        if session.calls.sent(self.id, call.canceller()) == Still::Recalled {
            return None;
        }
        // At most one answer for each ask, so the asks bound the queue.
        let (sender, mut answers) = mpsc::unbounded_channel();
        let mut asked: HashMap<AskKey, u64> = HashMap::new();
        let outcome = loop {
            let event = tokio::select! {
                event = call.next() => event,
                Some((key, answer)) = answers.recv() => {
                    asked.remove(&key);
                    call.answer(&key, answer);
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
                    None => call.answer(&ask.key, stand_in_answer(&ask.method)),
                },
                Event::Withdrawn(key) => {
                    if let Some(number) = asked.remove(&key) {
                        self.withdraw(number);
                    }
                }
                Event::TurnEnded { .. } => call.proceed(),
                // Subscriptions are for modern clients, and a recalled call arrives as `Done`.
                Event::Subscription { .. } | Event::Recalled | Event::Undeclared(_) => {}
            }
        };
        for number in asked.into_values() {
            self.withdraw(number);
        }
        let modern = call.hello().era() == Era::Modern;
        match outcome {
            Outcome::Result(result) if modern => {
                Some(translate::result(method, &result, session.version))
            }
            Outcome::Result(result) => Some(Ok(result)),
            Outcome::Error(error) if modern => Some(Err(translate::error(error))),
            Outcome::Error(error) | Outcome::Lost(error) => Some(Err(error)),
            Outcome::Unsent(error) => Some(Err(self.never_left(error))),
            Outcome::Cancelled => None,
        }
    }

    async fn set_level(&self, operation: Operation) -> Option<Answer> {
        let level = operation
            .params
            .raw
            .as_ref()
            .and_then(|raw| Object::parse(raw).ok()?.get("level")?.read::<LogLevel>().ok());
        let Some(level) = level else {
            return Some(Err(ErrorObject::invalid_params("params.level must be a log level")));
        };
        let session = self.session;
        let wish = (&session.member, level);
        let set = self.context.gate.set_level(self.access, &session.seat, wish, operation).await;
        if set.is_ok() {
            session.set_level(level);
        }
        match set {
            Ok(Outcome::Result(result)) => Some(Ok(result)),
            Ok(Outcome::Error(error) | Outcome::Lost(error)) => Some(Err(error)),
            Ok(Outcome::Unsent(error)) => Some(Err(self.never_left(error))),
            Ok(Outcome::Cancelled) => None,
            Err(refused) => Some(Err(self.refused(refused))),
        }
    }

    async fn subscribe(&self, operation: Operation) -> Option<Answer> {
        let Some(uri) = operation.params.uri.clone() else {
            return Some(Err(ErrorObject::invalid_params("params.uri must be a string")));
        };
        if !self.session.member.has_room_for(&uri) {
            return Some(Err(ErrorObject::invalid_params(
                "the session has too many subscriptions, or the uri is too long",
            )));
        }
        if let Some(watched) = &self.session.watched {
            return Some(self.watch(watched, &uri, Wanted::Yes, operation).await);
        }
        let (gate, session, method) = (&self.context.gate, self.session, operation.method.clone());
        let call = gate.subscribe(self.access, &session.seat, &session.member, operation).await;
        self.tell_of(&method, call).await
    }

    async fn unsubscribe(&self, operation: Operation) -> Option<Answer> {
        let Some(uri) = operation.params.uri.clone() else {
            return Some(Err(ErrorObject::invalid_params("params.uri must be a string")));
        };
        if let Some(watched) = &self.session.watched {
            return Some(self.watch(watched, &uri, Wanted::No, operation).await);
        }
        match self.session.member.unsubscribe(&uri) {
            // Another client of this user still wants it.
            Remaining::Others => Some(Ok(Raw::empty_object())),
            Remaining::Nobody => self.call(operation).await,
        }
    }

    /// Changes what is followed of a modern server, which has one subscription for the whole session.
    async fn watch(
        &self,
        watched: &WatchedUris,
        uri: &str,
        wanted: Wanted,
        operation: Operation,
    ) -> Answer {
        let gate = &self.context.gate;
        let admitted = gate.admit_for(self.access, &self.session.seat, operation).await;
        let admitted = admitted.map_err(|refused| self.refused(refused))?;
        let answer = match (watched.change(uri, wanted).await, wanted) {
            (Some(Honoured::Yes), _) | (Some(Honoured::No), Wanted::No) => Ok(Raw::empty_object()),
            (Some(Honoured::NoRoom(short)), _) => Err(ErrorObject::internal(short.to_string())),
            (Some(Honoured::No), Wanted::Yes) => {
                let text = "the server does not report changes of this resource";
                Err(ErrorObject::invalid_params(text))
            }
            (None, _) => {
                Err(ErrorObject::internal("the server did not take the change in time; try again"))
            }
        };
        admitted.end(if answer.is_ok() { Ending::Result } else { Ending::Error });
        answer
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

    /// What a client is told of a request that reached no server.
    fn refused(&self, why: NotAdmitted) -> ErrorObject {
        let _ = self.unsent.set(why.retry);
        match why.retry {
            // The answer may have become a stream, where no status can say it.
            Retry::Time(_) => why.error.with_data(&serde_json::json!({ "outcome": "unsent" })),
            Retry::People | Retry::NewSession => why.error,
        }
    }

    /// The same of one whose server was gone before it left.
    fn never_left(&self, error: ErrorObject) -> ErrorObject {
        let _ = self.unsent.set(Retry::Time(Some(UNSENT_PAUSE)));
        error
    }

    fn follows_modern(&self) -> bool {
        self.session.watched.is_some()
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
