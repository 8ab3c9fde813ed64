//! One modern request: begun or gone on with, told as one document or as a stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::asks;
use super::check::{self, Checked, Refusal};
use super::params;
use super::result;
use super::ticket::{Invalid, LARGEST_STATE, Rest, Ticket};
use super::work::Work;
use crate::audit::Incident;
use crate::bridge::{Ask, Event, Freshness, Outcome, Undeclared, is_covered};
use crate::client::call::{NotBegun, Ongoing, Patience};
use crate::client::front::{Arrival, Front};
use crate::client::reply::{Content, Frame, Frames, Reply, Status};
use crate::mcp::{Era, ErrorObject, Object, Params, Raw, Request, RequestId};
use crate::policy::{Operation, Resume};
use crate::server::{Hello, Internal};

/// How long a legacy server may go on asking before the client is told of what it has asked (checklist 5.14).
const GATHER_FOR: Duration = Duration::from_millis(30);

/// What a request has to say next.
enum Told {
    /// Something on the way.
    Message(Content),
    /// The answer.
    Answer(Status, Result<Raw, ErrorObject>),
}

/// Serves a request.
pub(super) async fn call(
    front: &Arc<Front>,
    arrival: &Arrival,
    request: Request,
    params: Params,
    checked: Checked,
) -> Reply {
    let Checked { caller } = checked;
    let operation = Operation { method: request.method, params, caller, resume: None };
    let request = Work {
        front: Arc::clone(front),
        principal: Arc::clone(&arrival.principal),
        id: request.id,
        operation,
        headers: arrival.headers.clone(),
        round: 0,
    };
    let keep_alive = Instant::now() + front.settings.keep_alive;
    let id = request.id.clone();
    let mut story = Box::pin(Story::begin(request));
    match timeout_at(keep_alive, &mut story).await {
        Ok((Told::Answer(status, outcome), _)) => Reply::answer(status, &id, &outcome),
        Ok((Told::Message(content), story)) => {
            let first = Frame { content, ..Frame::default() };
            let rest = story.map(|story| story.frames());
            let first = stream::once(async { first });
            let frames: Frames = match rest {
                Some(rest) => Box::pin(futures_util::StreamExt::chain(first, rest)),
                None => Box::pin(first),
            };
            Reply::Events { frames, session: None }
        }
        // Nothing yet: become a stream, which can be kept alive.
        Err(_) => {
            let frames = futures_util::FutureExt::into_stream(async move {
                let (told, story) = story.await;
                let first = Frame { content: told.content(&id), ..Frame::default() };
                let first = stream::once(async { first });
                match story {
                    Some(story) => futures_util::StreamExt::left_stream(
                        futures_util::StreamExt::chain(first, story.frames()),
                    ),
                    None => futures_util::StreamExt::right_stream(first),
                }
            });
            Reply::Events {
                frames: Box::pin(futures_util::StreamExt::flatten(frames)),
                session: None,
            }
        }
    }
}

/// A call whose answer is still to come.
struct Story {
    request: Work,
    ongoing: Option<Ongoing>,
    /// Asks that the client has not been told of.
    asks: Vec<Ask>,
    hello: Hello,
    /// What the client would have needed.
    undeclared: Option<Undeclared>,
}

impl Story {
    /// Everything up to the first thing to say.
    async fn begin(request: Work) -> (Told, Option<Self>) {
        match Self::open(request).await {
            Ok(mut story) => {
                let told = story.tell().await;
                let more = matches!(told, Told::Message(_));
                (told, more.then_some(story))
            }
            Err((status, outcome)) => (Told::Answer(status, outcome), None),
        }
    }

    /// Starts the call, or goes on with the one that the request brings the answers for.
    async fn open(mut request: Work) -> Result<Self, (Status, Result<Raw, ErrorObject>)> {
        let failed = |not_begun: NotBegun| (not_begun.status, Err(not_begun.error));
        let invalid =
            |why: Invalid| (Status::Ok, Err(ErrorObject::invalid_params(why.to_string())));
        let front = Arc::clone(&request.front);
        let mut held = None;
        if request.operation.may_ask()
            && let Some(state) = request.operation.params.request_state.take()
        {
            let (keyring, principal) = (&front.keyring, &request.principal);
            let ticket = {
                let authority =
                    front.pool.authority(principal).map_err(|why| failed(why.into()))?;
                Ticket::open(&state, keyring, principal, &authority, &request.operation)
                    .inspect_err(|why| {
                        if *why == Invalid::Foreign {
                            front
                                .audit
                                .incident(&principal.as_ref().into(), &Incident::ForeignState);
                        }
                    })
                    .map_err(invalid)?
            };
            request.round = ticket.round;
            let responses = request.operation.params.input_responses.clone();
            match ticket.rest {
                Rest::Held(name) => {
                    let user = principal.user();
                    let waiting = front.parked.take(&name, user, ticket.round);
                    held =
                        Some((name, waiting.ok_or_else(|| invalid(Invalid::Broken))?, responses));
                }
                Rest::Portable(state) => {
                    request.operation.resume = Some(Resume { responses, state });
                }
                Rest::Again if !asks::any_accepted(responses.as_ref()) => {
                    return Err((Status::Ok, asks::declined(&request.operation)));
                }
                // The first call ended with an error, so this is a fresh one.
                Rest::Again => {}
            }
        }
        if let Some((name, waiting, responses)) = held {
            let answers = match asks::read_answers(&waiting.ongoing, responses.as_ref()) {
                Ok(answers) => answers,
                Err(error) => {
                    front.parked.put_back(name, waiting);
                    return Err((Status::Ok, Err(error)));
                }
            };
            let permitted = match front.permit(&request.principal, request.operation.clone()) {
                Ok(permitted) => permitted,
                Err(not_begun) => {
                    front.parked.put_back(name, waiting);
                    return Err(failed(not_begun));
                }
            };
            let mut ongoing = waiting.ongoing;
            ongoing.seat.slot().vouch(&request.principal);
            ongoing.conversation.taken_over_by(&permitted);
            let hello = ongoing.conversation.child().hello().clone();
            let asks = asks::give_answers(&mut ongoing, &answers, &request.operation);
            return Ok(Self { request, ongoing: Some(ongoing), asks, hello, undeclared: None });
        }
        let seat = request.seat().await.map_err(failed)?;
        let child = front.pool.ready(&seat).await.map_err(|why| failed(why.into()))?;
        let hello = child.hello().clone();
        if hello.era() == Era::Legacy {
            request.answer_for_legacy(&hello).map_or(Ok(()), Err)?;
            let level = request.operation.caller.log_level.filter(|_| hello.offers("logging"));
            if let Some(level) = level.and_then(|level| seat.subscribers().request_level(level)) {
                child.tell(Internal::SetLevel(level));
            }
        } else if request.operation.method.starts_with("tasks/") {
            check::may_use_tasks(&request.operation.caller, &hello)
                .map_err(Refusal::into_outcome)?;
        }
        if request.operation.method == "tools/call" {
            let name = request.operation.params.name.as_deref().unwrap_or_default();
            let params = request.operation.params.raw.as_ref();
            let known = child.catalogue(Freshness::Usual).await;
            if params::check(&request.headers, params, known.of(name)).is_err() {
                // The list may have changed unnoticed (checklist 3.14).
                let fresh = child.catalogue(Freshness::Now).await;
                params::check(&request.headers, params, fresh.of(name))
                    .map_err(|refusal| refusal.into_outcome())?;
            }
        }
        let (principal, operation) = (&request.principal, request.operation.clone());
        let ongoing = front.begin(principal, &seat, operation, Patience::Limited).await;
        let ongoing = Some(ongoing.map_err(failed)?);
        Ok(Self { request, ongoing, asks: Vec::new(), hello, undeclared: None })
    }

    /// The next thing to say.
    async fn tell(&mut self) -> Told {
        loop {
            let Some(ongoing) = &mut self.ongoing else {
                return Told::Answer(Status::Ok, Err(ErrorObject::internal("the call is over")));
            };
            // A legacy server that asked once may ask more before it falls silent.
            let gathering = !self.asks.is_empty() && self.hello.era() == Era::Legacy;
            let event = if gathering {
                match timeout_at(Instant::now() + GATHER_FOR, ongoing.next()).await {
                    Ok(event) => event,
                    Err(_) => return self.park(),
                }
            } else {
                ongoing.next().await
            };
            match event {
                Event::Progress(params) => {
                    if let Some(params) = self.request.progress(params) {
                        return message("notifications/progress", &params);
                    }
                }
                Event::Log(params) => {
                    if let Some(params) = self.request.log(params) {
                        return message("notifications/message", &params);
                    }
                }
                Event::Ask(ask) => self.asks.push(ask),
                Event::Withdrawn(key) => self.asks.retain(|ask| ask.key != key),
                Event::Suspended { state } => return self.suspend(state),
                Event::Undeclared(capability) => self.undeclared = Some(capability),
                Event::Subscription { .. } | Event::Recalled => {}
                Event::Done(Outcome::Error(error)) if self.may_open_urls(&error) => {
                    self.ongoing = None;
                    self.asks = asks::urls(&error);
                    return self.input_required(self.request.round + 1, Rest::Again);
                }
                Event::Done(outcome) => {
                    self.ongoing = None;
                    let (status, outcome) = self.finish(outcome);
                    return Told::Answer(status, outcome);
                }
            }
        }
    }

    /// Whether the legacy server wants URLs to be opened first, and the client can do that (checklist 5.22).
    fn may_open_urls(&self, error: &ErrorObject) -> bool {
        let capabilities = &self.request.operation.caller.capabilities;
        let urls = asks::urls(error);
        asks::needs_urls(error, &self.hello)
            && !urls.is_empty()
            && urls.iter().all(|ask| is_covered(ask, capabilities))
    }

    fn finish(&self, outcome: Outcome) -> (Status, Result<Raw, ErrorObject>) {
        let operation = &self.request.operation;
        match outcome {
            Outcome::Result(raw) => (Status::Ok, result::result(&raw, operation, &self.hello)),
            Outcome::Error(error)
                if self.undeclared.is_none()
                    && asks::needs_urls(&error, &self.hello)
                    && !asks::can_open_urls(&operation.caller) =>
            {
                let missing = json!({ "elicitation": { "url": {} } });
                (Status::BadRequest, Err(asks::missing(&missing)))
            }
            Outcome::Error(_) if self.undeclared.is_some() => {
                let needed = self.undeclared.as_ref().map(|Undeclared(needed)| needed);
                (Status::BadRequest, Err(asks::missing(&json!(needed))))
            }
            Outcome::Error(error) => {
                let (status, error) = result::error(error, operation, self.hello.era());
                (status, Err(error))
            }
            Outcome::Lost(error) => (Status::Unavailable { retry_after: None }, Err(error)),
            Outcome::Cancelled => (Status::Ok, Err(ErrorObject::internal("cancelled"))),
        }
    }

    /// The legacy server waits: so does the conversation, and the client is told what for.
    fn park(&mut self) -> Told {
        let Some(ongoing) = self.ongoing.take() else {
            return Told::Answer(Status::Ok, Err(ErrorObject::internal("the call is over")));
        };
        let round = self.request.round + 1;
        let lifetime = self.request.front.settings.parked_for;
        let user = self.request.principal.user();
        match self.request.front.parked.park(user, round, lifetime, ongoing) {
            Ok(name) => self.input_required(round, Rest::Held(name)),
            Err(_) => {
                let error = ErrorObject::internal("too many calls wait for answers");
                Told::Answer(Status::TooMany, Err(error))
            }
        }
    }

    /// The modern server has ended its turn; its state travels with the client.
    fn suspend(&mut self, state: Option<String>) -> Told {
        self.ongoing = None;
        if state.as_ref().is_some_and(|state| state.len() > LARGEST_STATE) {
            let error = ErrorObject::internal("the server's requestState is too large");
            return Told::Answer(Status::Ok, Err(error));
        }
        self.input_required(self.request.round + 1, Rest::Portable(state))
    }

    fn input_required(&self, round: u32, rest: Rest) -> Told {
        let Work { front, principal, operation, .. } = &self.request;
        let lifetime = front.settings.parked_for;
        let authority = front.pool.authority(principal).unwrap_or_default();
        let ticket = Ticket::new(principal, &authority, operation, round, lifetime, rest);
        let Ok(state) = ticket.seal(&front.keyring) else {
            let error = ErrorObject::internal("the state of the call could not be sealed");
            return Told::Answer(Status::Ok, Err(error));
        };
        let mut result = format!(r#"{{"resultType":"input_required","requestState":"{state}""#);
        if !self.asks.is_empty() {
            let requests: Vec<(String, String)> = self.asks.iter().map(asks::request_of).collect();
            let members: Vec<(&str, Option<&str>)> = requests
                .iter()
                .map(|(key, request)| (key.as_str(), Some(request.as_str())))
                .collect();
            if let Ok(empty) = Object::parse(&Raw::empty_object()) {
                result.push_str(r#","inputRequests":"#);
                result.push_str(empty.with(&members).as_str());
            }
        }
        result.push('}');
        let outcome = Raw::parse(result)
            .map_err(|_| ErrorObject::internal("the server asked something that is no json"));
        Told::Answer(Status::Ok, outcome)
    }

    fn frames(self) -> Frames {
        Box::pin(stream::unfold(Some(self), |story| async move {
            let mut story = story?;
            let told = story.tell().await;
            let content = told.content(&story.request.id);
            let more = matches!(told, Told::Message(_)).then_some(story);
            Some((Frame { content, ..Frame::default() }, more))
        }))
    }
}

impl Told {
    fn content(&self, id: &RequestId) -> Content {
        match self {
            Self::Message(content) => content.clone(),
            Self::Answer(_, outcome) => Content::response(id, outcome),
        }
    }
}

fn message(method: &str, params: &Raw) -> Told {
    Told::Message(Content::notification(method, Some(params)))
}
