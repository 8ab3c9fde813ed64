//! The handshake of a legacy client: a new session, on a child that is told what this client can do.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::modern_subscription;
use super::session::{Beginning, Owner, Session};
use super::sessions::{Sessions, TooMany};
use super::stream::EventStream;
use super::translate;
use super::watched_uris::WatchedUris;
use crate::client::context::Arrival;
use crate::client::headers::session_id;
use crate::client::reply::{Content, Frame, Reply, Status};
use crate::client::settings::{ChildScope, LARGEST_INTRODUCTION};
use crate::gate::{Access, Role};
use crate::hex;
use crate::mcp::{Era, ErrorObject, Object, Params, ProtocolVersion, Raw, RequestId, codes};
use crate::server::{Hello, Profile};

/// What the client said.
pub(super) struct Wish {
    version: ProtocolVersion,
    capabilities: Raw,
    info: Option<Raw>,
}

/// Answers `initialize`; a slow start of the child becomes a stream with keep-alives.
pub(super) async fn initialize(
    sessions: &Arc<Sessions>,
    access: &Access,
    arrival: &Arrival,
    id: &RequestId,
    params: &Params,
) -> Reply {
    if let Some(name) = session_id(&arrival.headers)
        && sessions.find(name, access).is_some()
    {
        return Reply::bad(Some(id), codes::INVALID_REQUEST, "the session is initialized already");
    }
    let wish = match read(params) {
        Ok(wish) => wish,
        Err(message) => return Reply::bad(Some(id), codes::INVALID_PARAMS, message),
    };
    if !sessions.have_room_for(access.principal().user()) {
        return Reply::error(Status::TooMany, Some(id), too_many());
    }
    let name = match fresh_id() {
        Ok(name) => name,
        Err(error) => {
            return Reply::error(Status::Unavailable { retry_after: None }, Some(id), error);
        }
    };
    let begin = begin(Arc::clone(sessions), access.clone(), (name.clone(), None), wish);
    let mut begin = Box::pin(begin.map(|begun| match begun {
        Ok(result) => (Status::Ok, Ok(result)),
        Err((status, error)) => (status, Err(error)),
    }));
    match tokio::time::timeout(sessions.context().settings.keep_alive, &mut begin).await {
        Ok((status, outcome)) => {
            let content = Content::response(id, &outcome);
            let session = outcome.is_ok().then_some(name);
            Reply::Json { status, content, session }
        }
        Err(_) => {
            let id = id.clone();
            let frames = stream::once(begin.map(move |(_, outcome)| Frame {
                content: Content::response(&id, &outcome),
                ..Frame::default()
            }));
            Reply::Events { frames: frames.boxed(), session: Some(name) }
        }
    }
}

pub(super) fn too_many() -> ErrorObject {
    ErrorObject::internal("too many sessions; end one first")
}

/// Finds or starts the child that fits the client, and opens the session `name` on it, whose HTTP+SSE stream ends with
/// it.
pub(super) async fn begin(
    sessions: Arc<Sessions>,
    access: Access,
    (name, link): (String, Option<Arc<EventStream>>),
    wish: Wish,
) -> Result<Raw, (Status, ErrorObject)> {
    let context = Arc::clone(sessions.context());
    let own = match context.settings.scope {
        ChildScope::User => None,
        ChildScope::Session => Some(Arc::<str>::from(name.as_str())),
    };
    let profile = Profile::new(wish.version, &wish.capabilities, wish.info.clone());
    let account = context.accounts.of(access.principal().user());
    let introduction = wish.capabilities.len() + wish.info.as_ref().map_or(0, Raw::len);
    let share = Session::price(&account, introduction).or_else(|_| {
        sessions.make_room_for(access.principal().user());
        Session::price(&account, introduction)
    });
    let share = share.map_err(|short| (short.into(), ErrorObject::internal(short.to_string())))?;
    let seat = context.gate.seat(&access, &profile, own).await;
    let seat = seat.map_err(|refused| (refused.retry.into(), refused.error))?.of_session();
    let hello = seat.hello().clone();
    let (version, result) = introduce(&hello, wish.version);
    let Wish { capabilities, info, .. } = wish;
    let member = seat.join(Role::Session { capabilities: capabilities.clone() }, &account);
    let (watched, changes) = match hello.era() {
        Era::Legacy => (None, None),
        Era::Modern => {
            let (watched, changes) = WatchedUris::new();
            (Some(watched), Some(changes))
        }
    };
    let record = context.gate.record_session(&access, &name);
    let beginning =
        Beginning { version, capabilities, info, seat, member, record, watched, link, share };
    let session = Arc::new(Session::new(name, Owner::of(&access), beginning));
    if let Some(changes) = changes {
        let follow = modern_subscription::run(
            Arc::clone(&context),
            Arc::clone(access.principal()),
            Arc::downgrade(&session),
            hello,
            changes,
        );
        let stop = context.shutdown.clone();
        context.shutdown.spawn_work(async move {
            tokio::select! {
                () = follow => {}
                () = stop.finishing() => {}
            }
        });
    }
    let added = sessions.add(Arc::clone(&session)).inspect_err(|TooMany| {
        session.record.end("its user has too many");
    });
    added.map_err(|TooMany| (Status::TooMany, too_many()))?;
    Ok(result)
}

pub(super) fn read(params: &Params) -> Result<Wish, &'static str> {
    let raw = params.raw.as_ref().ok_or("initialize needs params")?;
    let members = Object::parse(raw).map_err(|_| "params repeat a member")?;
    let asked =
        members.get_str("protocolVersion").ok_or("params.protocolVersion must be a string")?;
    let capabilities = members
        .get("capabilities")
        .filter(Raw::is_object)
        .ok_or("params.capabilities must be an object")?;
    let info = members.get("clientInfo");
    if info.as_ref().is_some_and(|info| !info.is_object()) {
        return Err("params.clientInfo must be an object");
    }
    if capabilities.len() + info.as_ref().map_or(0, Raw::len) > LARGEST_INTRODUCTION {
        return Err("params.capabilities and params.clientInfo are too large");
    }
    // Whatever is not a legacy revision of ours is answered with the newest one (checklist 2.1).
    let version = ProtocolVersion::read(&asked)
        .filter(|version| version.era() == Era::Legacy)
        .unwrap_or(ProtocolVersion::NEWEST_LEGACY);
    Ok(Wish {
        version,
        capabilities: capabilities.detached(),
        info: info.map(|info| info.detached()),
    })
}

/// What the client is told: the server's own introduction, or one made from a modern server's.
fn introduce(hello: &Hello, asked: ProtocolVersion) -> (ProtocolVersion, Raw) {
    match hello.era() {
        // The child may have been told of a newer revision for another client; this one gets what it asked for
        // (checklist 2.1, 6.24).
        Era::Legacy if hello.version > asked => {
            let version = format!("\"{asked}\"");
            let changes = [("protocolVersion", Some(version.as_str()))];
            let result = Object::parse(&hello.result).map(|members| members.with(&changes));
            (asked, result.unwrap_or_else(|_| hello.result.clone()))
        }
        Era::Legacy => (hello.version, hello.result.clone()),
        Era::Modern => (asked, translate::initialize_result(hello, asked)),
    }
}

/// 128 random bits, as visible ASCII (checklist 2.2).
pub(super) fn fresh_id() -> Result<String, ErrorObject> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|_| ErrorObject::internal("no random numbers for a session id"))?;
    Ok(hex::encode(&bytes))
}
