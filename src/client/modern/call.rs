//! One modern request: begun or gone on with, told as one document or as a stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::asks;
use super::param_headers;
use super::request::ClientRequest;
use super::request_state::{LARGEST_STATE, RequestState, Rest};
use super::result;
use super::retry::{self, Continuation, Early, refused};
use super::suspended_calls::SuspendedCalls;
use super::validate::{Rejected, may_use_tasks};
use crate::client::reply::{Content, Frame, Frames, Reply, Status};
use crate::gate::{Ask, Call, Event, Freshness, Outcome, Seat, Undeclared, is_covered};
use crate::mcp::{Era, ErrorObject, Object, Raw, RequestId};
use crate::server::Hello;

/// How long a legacy server may go on asking before the client is told of what it has asked (checklist 5.14).
const GATHER_FOR: Duration = Duration::from_millis(30);

/// How soon a call that has not left for its server is worth another try.
const UNSENT_PAUSE: Duration = Duration::from_secs(1);

/// What a request has to say next.
enum Told {
    /// Something on the way.
    Message(Content),
    /// The answer.
    Answer(Status, Result<Raw, ErrorObject>),
}

/// Serves a request.
pub(super) async fn call(request: ClientRequest, suspended: &Arc<SuspendedCalls>) -> Reply {
    let keep_alive = Instant::now() + request.context.settings.keep_alive;
    let id = request.id.clone();
    let mut story = Box::pin(Story::begin(request, Arc::clone(suspended)));
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
    request: ClientRequest,
    suspended: Arc<SuspendedCalls>,
    call: Option<Call>,
    /// Asks that the client has not been told of.
    asks: Vec<Ask>,
    hello: Hello,
    /// What the client would have needed.
    undeclared: Option<Undeclared>,
}

impl Story {
    /// Everything up to the first thing to say.
    async fn begin(request: ClientRequest, suspended: Arc<SuspendedCalls>) -> (Told, Option<Self>) {
        match Self::open(request, suspended).await {
            Ok(mut story) => {
                let told = story.tell().await;
                let more = matches!(told, Told::Message(_));
                (told, more.then_some(story))
            }
            Err((status, outcome)) => (Told::Answer(status, outcome), None),
        }
    }

    /// Starts the call, or goes on with the one that the request brings the answers for.
    async fn open(
        mut request: ClientRequest,
        suspended: Arc<SuspendedCalls>,
    ) -> Result<Self, Early> {
        match retry::unseal(&mut request, &suspended)? {
            Continuation::Suspended(name, waiting, responses) => {
                let (call, asks) =
                    retry::take_over(&request, &suspended, name, *waiting, responses.as_ref())?;
                let hello = call.hello().clone();
                Ok(Self { request, suspended, call: Some(call), asks, hello, undeclared: None })
            }
            Continuation::Fresh => Self::fresh(request, suspended).await,
        }
    }

    async fn fresh(request: ClientRequest, suspended: Arc<SuspendedCalls>) -> Result<Self, Early> {
        let seat = request.seat().await.map_err(refused)?;
        let hello = seat.hello().clone();
        if hello.era() == Era::Legacy {
            request.answer_for_legacy(&hello).map_or(Ok(()), Err)?;
        } else if request.operation.method.starts_with("tasks/") {
            may_use_tasks(&request.operation.client, &hello).map_err(Rejected::into_outcome)?;
        }
        if request.operation.method == "tools/call" {
            compare_headers(&request, &seat).await?;
        }
        let operation = request.operation.clone();
        let call = request.context.gate.call(&request.access, &seat, operation).await;
        let call = Some(call.map_err(refused)?);
        Ok(Self { request, suspended, call, asks: Vec::new(), hello, undeclared: None })
    }

    /// The next thing to say.
    async fn tell(&mut self) -> Told {
        loop {
            let Some(call) = &mut self.call else {
                return Told::Answer(Status::Ok, Err(ErrorObject::internal("the call is over")));
            };
            // A legacy server that asked once may ask more before it falls silent.
            let gathering = !self.asks.is_empty() && self.hello.era() == Era::Legacy;
            let event = if gathering {
                match timeout_at(Instant::now() + GATHER_FOR, call.next()).await {
                    Ok(event) => event,
                    Err(_) => return self.keep(),
                }
            } else {
                call.next().await
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
                Event::TurnEnded { state } => return self.suspend(state),
                Event::Undeclared(capability) => self.undeclared = Some(capability),
                Event::Subscription { .. } | Event::Recalled => {}
                Event::Done(Outcome::Error(error)) if self.may_open_urls(&error) => {
                    self.call = None;
                    self.asks = asks::urls(&error);
                    return self.input_required(self.request.round + 1, Rest::Again);
                }
                Event::Done(outcome) => {
                    self.call = None;
                    let (status, outcome) = self.finish(outcome);
                    return Told::Answer(status, outcome);
                }
            }
        }
    }

    /// Whether the legacy server wants URLs to be opened first, and the client can do that (checklist 5.22).
    fn may_open_urls(&self, error: &ErrorObject) -> bool {
        let capabilities = &self.request.operation.client.capabilities;
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
                    && !asks::can_open_urls(&operation.client) =>
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
            // Proxies and clients send again what was answered with a 503: only what has not left may be.
            Outcome::Lost(error) => (Status::Ok, Err(error)),
            Outcome::Unsent(error) => {
                (Status::Unavailable { retry_after: Some(UNSENT_PAUSE) }, Err(error))
            }
            Outcome::Cancelled => (Status::Ok, Err(ErrorObject::internal("cancelled"))),
        }
    }

    /// The legacy server waits: so does the call, and the client is told what for.
    fn keep(&mut self) -> Told {
        let Some(call) = self.call.take() else {
            return Told::Answer(Status::Ok, Err(ErrorObject::internal("the call is over")));
        };
        let round = self.request.round + 1;
        let lifetime = self.request.context.settings.suspended_for;
        let user = self.request.access.principal().user();
        match self.suspended.put(user, round, lifetime, call) {
            Ok(name) => self.input_required(round, Rest::Held(name)),
            Err(_) => {
                // It has left for the server, so nobody may be invited to send it again.
                let error =
                    ErrorObject::internal("too many calls wait for answers; it was cancelled");
                Told::Answer(Status::Ok, Err(error))
            }
        }
    }

    /// The modern server has ended its turn; its state travels with the client.
    fn suspend(&mut self, state: Option<String>) -> Told {
        self.call = None;
        if state.as_ref().is_some_and(|state| state.len() > LARGEST_STATE) {
            let error = ErrorObject::internal("the server's requestState is too large");
            return Told::Answer(Status::Ok, Err(error));
        }
        self.input_required(self.request.round + 1, Rest::Portable(state))
    }

    fn input_required(&self, round: u32, rest: Rest) -> Told {
        let ClientRequest { context, access, operation, .. } = &self.request;
        let (principal, authority) = (access.principal(), access.authority());
        let lifetime = context.settings.suspended_for;
        let state = RequestState::new(principal, authority, operation, round, lifetime, rest);
        let Ok(state) = state.seal(&context.keyring) else {
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

/// Refuses a call whose headers say something else than its arguments.
async fn compare_headers(request: &ClientRequest, seat: &Seat) -> Result<(), Early> {
    let gate = &request.context.gate;
    let name = request.operation.params.name.as_deref().unwrap_or_default();
    let params = request.operation.params.raw.as_ref();
    let known = gate.catalogue(&request.access, seat, Freshness::Usual).await.map_err(refused)?;
    if param_headers::check(&request.headers, params, known.of(name)).is_ok() {
        return Ok(());
    }
    // The list may have changed unnoticed (checklist 3.14).
    let fresh = gate.catalogue(&request.access, seat, Freshness::Now).await.map_err(refused)?;
    param_headers::check(&request.headers, params, fresh.of(name)).map_err(Rejected::into_outcome)
}
