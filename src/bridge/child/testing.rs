//! Children without a process, and what clients ask of them, for the tests of the bridge.

use std::sync::Arc;
use std::time::Duration;

use super::super::trace::Trace;
use super::actor::{Actor, Setup};
use super::handle::Child;
use super::subscribers::Subscribers;
use crate::auth::Principal;
use crate::limits::Account;
use crate::mcp::{Era, Params, ProtocolVersion, Raw};
use crate::policy::{ClientSide, Operation, Permitted, Policy};
use crate::redact::Redactor;
use crate::server::Hello;

/// How long a question is held, and a call kept apart.
pub(in super::super) const HOLD_LIMIT: Duration = Duration::from_secs(5);

/// The introduction of a server of this era that announces nothing.
pub(in super::super) fn hello(era: Era) -> Hello {
    let version = match era {
        Era::Legacy => ProtocolVersion::NEWEST_LEGACY,
        Era::Modern => ProtocolVersion::NEWEST_MODERN,
    };
    let (capabilities, result) = (Raw::empty_object(), Raw::empty_object());
    Hello { version, info: None, capabilities, result }
}

/// A child and its loop, which does not run yet.
pub(in super::super) fn actor(
    number: u64,
    hello: Hello,
    subscribers: Arc<Subscribers>,
) -> (Child, Actor) {
    charged_actor(number, hello, subscribers, Account::unlimited())
}

/// The same, at the cost of this account.
pub(in super::super) fn charged_actor(
    number: u64,
    hello: Hello,
    subscribers: Arc<Subscribers>,
    account: Arc<Account>,
) -> (Child, Actor) {
    let setup = Setup {
        number,
        given: Vec::new(),
        most_in_flight: 100,
        account,
        hold_limit: HOLD_LIMIT,
        roots: None,
        subscribers,
        trace: Trace::Off,
        name: "test".to_owned(),
        redactor: Redactor::new(),
    };
    Actor::new(hello, setup)
}

/// The handle of a child whose loop never runs.
pub(in super::super) fn child(number: u64, hello: Hello) -> Child {
    actor(number, hello, Arc::default()).0
}

/// A request of a client that can be asked for everything that is asked here.
pub(in super::super) fn permitted(
    method: &str,
    params: &(impl serde::Serialize + ?Sized),
    session: Option<u64>,
) -> Permitted {
    let capabilities = serde_json::json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let client = ClientSide {
        era: if session.is_some() { Era::Legacy } else { Era::Modern },
        capabilities: Raw::of(&capabilities),
        info: None,
        log_level: None,
        session,
    };
    let params = Params::read(Some(Raw::of(params))).unwrap();
    let operation = Operation { method: method.into(), params, client, resume: None };
    Policy::WholeServer.authorize(&Arc::new(Principal::local()), operation).unwrap()
}

/// A call of a tool that may ask.
pub(in super::super) fn tool(name: &str, session: Option<u64>) -> Permitted {
    permitted("tools/call", &serde_json::json!({ "name": name }), session)
}
