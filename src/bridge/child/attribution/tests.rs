//! Who is asked: the owner of a question for every mix of calls, and what becomes of one that is held.

use serde_json::{Value, json};
use tokio::time::advance;

use super::super::super::mailbox::Mailbox;
use super::super::super::trace::{Trace, Tracer};
use super::super::handle::{Child, Command};
use super::super::in_flight::InFlight;
use super::super::subscribers::{Member, Role, Subscribers};
use super::super::testing::{HOLD_LIMIT, hello, permitted, tool};
use super::*;
use crate::auth::Principal;
use crate::limits::{Account, Accounts, CALL, Share};
use crate::policy::Permitted;
use crate::redact::Redactor;
use crate::server::Incoming;

/// A child's state without its loop.
struct World {
    state: ChildState,
    subscribers: Arc<Subscribers>,
}

/// What a call is doing when the question comes.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    /// Nothing that a client knows of.
    Work,
    /// It was taken back and has not ended.
    Cancelled,
    /// It has asked, and waits for the answer alone.
    Awaits,
}

use Doing::{Awaits, Cancelled, Work};

// === impl World ===

impl World {
    fn new() -> Self {
        Self::charged(Account::unlimited())
    }

    /// The same, at the cost of this account.
    fn charged(account: Arc<Account>) -> Self {
        let subscribers = Arc::new(Subscribers::default());
        let in_flight = InFlight::new(100, account);
        let (_, inbox) = Child::new(1, hello(Era::Legacy), Vec::new(), in_flight);
        let tracer = Tracer::new(Trace::Off, Redactor::new());
        let state = ChildState::new(
            1,
            hello(Era::Legacy),
            Arc::clone(&subscribers),
            None,
            HOLD_LIMIT,
            &inbox,
            tracer,
        );
        Self { state, subscribers }
    }

    /// Adds a call that is sent whatever the others do.
    fn sent(&mut self, id: u64, permitted: Permitted) -> Arc<Mailbox<Event>> {
        self.subscribers.habits.was_quiet(permitted.operation());
        self.call(id, permitted)
    }

    fn call(&mut self, id: u64, permitted: Permitted) -> Arc<Mailbox<Event>> {
        let mailbox = Arc::new(Mailbox::default());
        // Counted as its handle would.
        self.state.in_flight.add(permitted.weight()).unwrap();
        self.state.command(Command::Call { id, permitted, mailbox: Arc::clone(&mailbox) });
        mailbox
    }

    fn answered(&mut self, id: u64) {
        self.state.incoming(Incoming::Response { id, outcome: Ok(Raw::empty_object()) });
    }

    fn asks(&mut self, id: i128) {
        self.asks_for(id, "elicitation/create", &json!({ "message": "?" }));
    }

    fn asks_for(&mut self, id: i128, method: &str, params: &Value) {
        let (id, params) = (RequestId::Integer(id), Some(Raw::of(params)));
        self.state.incoming(Incoming::Request { id, method: method.into(), params });
    }

    /// What was written to the server since the last look.
    fn written(&mut self) -> Vec<Value> {
        let out = std::mem::take(&mut self.state.out);
        let lines = String::from_utf8(out).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn methods_written(&mut self) -> Vec<String> {
        let name = |line: &Value| line["method"].as_str().unwrap_or("reply").to_owned();
        self.written().iter().map(name).collect()
    }

    /// Whose a question of now would be.
    fn owner(&self, params: &Value) -> Owner {
        let (id, params) = (RequestId::Integer(7), Some(Raw::of(params)));
        self.state.owner(&self.state.question(id, "elicitation/create".into(), params))
    }

    fn session(&self) -> Member {
        let capabilities = Raw::of(&json!({ "elicitation": {} }));
        self.subscribers.join(Role::Session { capabilities }, &Account::unlimited())
    }
}

fn ask_of(mailbox: &Mailbox<Event>) -> Option<AskKey> {
    match mailbox.take()? {
        Event::Ask(ask) => Some(ask.key),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_belongs_to_the_only_client_that_it_can_belong_to() {
    type Calls<'a> = &'a [(u64, Option<u64>, Doing)];
    let table: [(&str, Calls<'_>, Owner); 11] = [
        ("no call", &[], Owner::Nobody),
        ("the only call", &[(2, None, Work)], Owner::Call(2, Certainty::Call)),
        ("two unknown clients", &[(2, None, Work), (3, None, Work)], Owner::Unclear),
        ("two sessions", &[(2, Some(1), Work), (3, Some(2), Work)], Owner::Unclear),
        ("a session and an unknown client", &[(2, Some(1), Work), (3, None, Work)], Owner::Unclear),
        (
            "two calls of one session",
            &[(2, Some(1), Work), (3, Some(1), Work)],
            Owner::Call(3, Certainty::Session),
        ),
        (
            "one session, the newer call cancelled",
            &[(2, Some(1), Work), (3, Some(1), Cancelled)],
            Owner::Call(2, Certainty::Session),
        ),
        (
            "another client's cancelled call",
            &[(2, Some(1), Work), (3, Some(2), Cancelled)],
            Owner::Unclear,
        ),
        ("a cancelled call alone", &[(2, None, Cancelled)], Owner::Call(2, Certainty::Call)),
        ("a call that has asked all", &[(2, None, Awaits)], Owner::Nobody),
        (
            "one that works, one that has asked all",
            &[(2, Some(1), Awaits), (3, Some(2), Work)],
            Owner::Call(3, Certainty::Call),
        ),
    ];
    for (name, calls, owner) in table {
        let mut world = World::new();
        // Those that wait for answers come first: while another one works nobody would know who asks.
        for (id, session, doing) in calls {
            world.sent(*id, tool("t", *session));
            match doing {
                Work => {}
                Cancelled => {
                    world.state.command(Command::Cancel { call: *id, reason: "gone".to_owned() });
                }
                Awaits => {
                    world.asks(1);
                    advance(Duration::from_secs(1)).await;
                }
            }
        }
        assert_eq!(world.owner(&json!({})), owner, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_ask_is_no_candidate() {
    let mut world = World::new();
    world.sent(2, permitted("tools/list", &json!({}), None));
    assert_eq!(world.owner(&json!({})), Owner::Nobody);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_named_decides() {
    let mut world = World::new();
    world.sent(2, tool("t", None));
    world.sent(3, permitted("tasks/result", &json!({ "taskId": "a" }), None));
    world.sent(4, permitted("tasks/result", &json!({ "taskId": "b" }), None));
    let tagged = |task: &str| json!({ "_meta": { "io.modelcontextprotocol/related-task": { "taskId": task } } });
    assert_eq!(world.owner(&tagged("b")), Owner::Call(4, Certainty::Call));
    assert_eq!(world.owner(&tagged("c")), Owner::Nobody, "a tag is never guessed round");
}

#[tokio::test(start_paused = true)]
async fn a_held_question_goes_to_the_call_that_is_left() {
    let mut world = World::new();
    let (first, second) = (world.sent(2, tool("a", None)), world.sent(3, tool("b", None)));
    world.asks(70);
    assert!(first.take().is_none() && second.take().is_none(), "nobody is asked by guessing");
    let third = world.sent(4, tool("c", None));
    assert_eq!(world.methods_written(), ["tools/call"; 3], "a later call does not wait");

    world.answered(2);
    assert!(matches!(first.take(), Some(Event::Done(_))));
    let key = ask_of(&second).expect("the later call did not make it ask");
    assert!(third.take().is_none() && world.written().is_empty());

    let outcome = Ok(Raw::of(&json!({ "action": "accept" })));
    world.state.command(Command::Answer { call: 3, key, outcome });
    let written = world.written();
    assert_eq!(written[0]["id"], 70);
    assert_eq!(written[0]["result"]["action"], "accept");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_stays_unclear_is_refused_in_time() {
    let mut world = World::new();
    let (first, second) = (world.sent(2, tool("a", None)), world.sent(3, tool("b", None)));
    world.asks(70);
    world.written();
    assert!(world.state.needs_ticks());
    let moment = Duration::from_millis(1);
    advance(HOLD_LIMIT - moment).await;
    world.state.tick();
    assert!(world.written().is_empty());
    advance(moment).await;
    world.state.tick();
    let written = world.written();
    assert_eq!(written[0]["id"], 70);
    let why = written[0]["error"]["message"].as_str().unwrap();
    assert!(why.contains("it cannot be told which of them asks"), "{why}");
    assert!(first.take().is_none() && second.take().is_none());
    assert!(!world.state.needs_ticks());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_taken_back_is_asked_of_nobody() {
    let mut world = World::new();
    let (first, second) = (world.sent(2, tool("a", None)), world.sent(3, tool("b", None)));
    world.asks(70);
    world.state.incoming(Incoming::Cancelled { id: RequestId::Integer(70) });
    world.answered(2);
    assert!(matches!(first.take(), Some(Event::Done(_))));
    assert!(second.take().is_none());

    world.asks(71);
    let key = ask_of(&second).unwrap();
    world.state.incoming(Incoming::Cancelled { id: RequestId::Integer(71) });
    assert!(matches!(second.take(), Some(Event::Withdrawn(own)) if own == key));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_that_may_be_the_owner_is_asked_nothing() {
    let mut world = World::new();
    let mailbox = world.sent(2, tool("a", None));
    world.state.command(Command::Cancel { call: 2, reason: "gone".to_owned() });
    world.written();
    world.asks(70);
    assert_eq!(world.written()[0]["result"]["action"], "cancel");
    assert!(mailbox.take().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_left_with_a_call_that_ended_was_another_ones() {
    let mut world = World::new();
    let first = world.sent(2, tool("a", Some(1)));
    let second = world.sent(3, tool("b", Some(1)));
    world.asks(70);
    assert!(first.take().is_none());
    assert!(ask_of(&second).is_some(), "the newest call of the session");
    world.answered(3);
    assert!(matches!(second.take(), Some(Event::Done(_))));
    assert!(ask_of(&first).is_some(), "a call that asked cannot end unanswered");
}

#[tokio::test(start_paused = true)]
async fn calls_of_two_clients_that_could_ask_are_kept_apart() {
    let mut world = World::new();
    world.call(2, tool("a", Some(1)));
    world.call(3, tool("a", Some(1)));
    assert_eq!(world.methods_written(), ["tools/call"; 2], "one client's calls are not");
    world.call(4, tool("a", Some(2)));
    assert!(world.written().is_empty());
    // It has ended without a question, so that one is not expected of it.
    world.answered(2);
    assert_eq!(world.methods_written(), ["tools/call"]);

    world.call(5, tool("b", Some(1)));
    world.call(6, tool("b", Some(2)));
    assert_eq!(world.methods_written(), ["tools/call"]);
    let moment = Duration::from_millis(1);
    advance(HOLD_LIMIT - moment).await;
    world.state.tick();
    assert!(world.written().is_empty());
    // A call that cannot ask passes the one that waits.
    world.call(7, tool("a", Some(3)));
    assert_eq!(world.methods_written(), ["tools/call"]);
    advance(moment).await;
    world.state.tick();
    assert_eq!(world.methods_written(), ["tools/call"], "no call waits for longer");
}

#[tokio::test(start_paused = true)]
async fn outside_any_call_the_only_session_is_asked_or_nobody() {
    let mut world = World::new();
    world.asks(70);
    world.asks_for(71, "sampling/createMessage", &json!({}));
    world.asks_for(72, "roots/list", &json!({}));
    let written = world.written();
    assert_eq!(written[0]["result"]["action"], "cancel");
    assert_eq!(written[1]["error"]["code"], -1);
    assert_eq!(written[2]["result"]["roots"], json!([]));

    let session = world.session();
    world.asks(73);
    let Some(Notice::Ask { ask, .. }) = session.mailbox().take() else { panic!("not asked") };
    world.asks_for(74, "sampling/createMessage", &json!({}));
    assert_eq!(world.written()[0]["id"], 74, "it never said that it could");
    let outcome = Ok(Raw::of(&json!({ "action": "accept" })));
    world.state.command(Command::AnswerOutside { key: ask.key, outcome });
    assert_eq!(world.written()[0]["id"], 73);

    let _second = world.session();
    world.asks(75);
    assert_eq!(world.written()[0]["result"]["action"], "cancel");
    assert!(session.mailbox().take().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_charged_until_it_is_answered_and_refused_where_there_is_no_room() {
    let account = Accounts::of_many(usize::MAX, 4 * CALL).of(Principal::local().user());
    let mut world = World::charged(Arc::clone(&account));
    let mailbox = world.sent(2, tool("a", None));
    world.written();
    let mut others = Share::of(&account);
    others.set(4 * CALL);
    world.asks(70);
    let written = world.written();
    assert_eq!(written[0]["id"], 70);
    let why = written[0]["error"]["message"].as_str().unwrap();
    assert!(why.contains("leaves no room for the question"), "{why}");
    assert!(mailbox.take().is_none());

    others.set(0);
    world.asks(71);
    let key = ask_of(&mailbox).unwrap();
    let params = Raw::of(&json!({ "message": "?" })).len();
    assert_eq!(account.held(), CALL + params, "its client may take long to answer");
    let outcome = Ok(Raw::of(&json!({ "action": "accept" })));
    world.state.command(Command::Answer { call: 2, key, outcome });
    assert_eq!((world.written()[0]["id"].clone(), account.held()), (json!(71), CALL));
}

/// Its server would wait in vain.
#[tokio::test(start_paused = true)]
async fn a_question_that_its_reader_has_no_place_for_is_refused() {
    let mut world = World::new();
    let mailbox = world.sent(2, tool("a", None));
    world.written();
    while mailbox.push(Event::Recalled, Keep::Always) == Pushed::Kept {}
    world.asks(70);
    assert_eq!(world.written()[0]["id"], 70);
    assert!(std::iter::from_fn(|| mailbox.take()).all(|event| matches!(event, Event::Recalled)));
}

#[tokio::test(start_paused = true)]
async fn a_question_outside_any_call_ends_with_its_child() {
    let mut world = World::new();
    let session = world.session();
    world.asks(70);
    let Some(Notice::Ask { ask, .. }) = session.mailbox().take() else { panic!("not asked") };
    world.state.fail(&ErrorObject::internal("gone"));
    let Some(Notice::Withdrawn { key, .. }) = session.mailbox().take() else { panic!("kept") };
    assert_eq!(key, ask.key);
}
