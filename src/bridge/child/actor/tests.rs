//! The loop over streams of memory, with paused time: what a server writes against what its clients hear.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::super::super::event::{Ask, Event, Outcome};
use super::super::conversation::Conversation;
use super::super::testing::{HOLD_LIMIT, charged_actor, hello, permitted, tool};
use super::*;
use crate::mcp::Era;

mod losses;

const GRACE: Duration = Duration::from_secs(5);
const MAX_LINE: usize = 1024 * 1024;

/// The server's end of the streams.
struct Server {
    reader: BufReader<DuplexStream>,
    writer: DuplexStream,
}

/// A running loop, its handle, and the server behind it.
struct World {
    child: Child,
    server: Server,
    running: JoinHandle<End>,
}

// === impl World ===

impl World {
    fn new(era: Era) -> Self {
        Self::with_pipe(era, 64 * 1024)
    }

    /// `pipe` is how many bytes the server's stdin holds that nobody has read.
    fn with_pipe(era: Era, pipe: usize) -> Self {
        Self::charged(era, pipe, Account::unlimited())
    }

    /// The same, at the cost of this account.
    fn charged(era: Era, pipe: usize, account: Arc<Account>) -> Self {
        let (mut stdin, reader) = duplex(pipe);
        let (writer, stdout) = duplex(64 * 1024);
        let (child, mut actor) = charged_actor(1, hello(era), Arc::default(), account);
        let running = tokio::spawn(async move {
            let mut lines = Lines::new(stdout, MAX_LINE);
            let end = actor.run(&mut lines, &mut stdin, GRACE).await;
            actor.stop();
            actor.fail(&ErrorObject::internal("the child is gone")).await;
            end
        });
        let server = Server { reader: BufReader::new(reader), writer };
        Self { child, server, running }
    }

    /// Starts a call of this tool and waits until the server has it; returns the id that the server was given.
    async fn call(&mut self, name: &str, session: Option<u64>) -> (Conversation, u64) {
        let call = self.child.converse(tool(name, session), None);
        let line = self.server.read().await;
        assert_eq!(line["params"]["name"], name);
        (call, line["id"].as_u64().unwrap())
    }
}

// === impl Server ===

impl Server {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).await.unwrap();
        line
    }

    async fn read(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    async fn write(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        self.write(&message.to_string()).await;
    }

    async fn answer(&mut self, id: u64, result: &Value) {
        self.send(json!({ "id": id, "result": result })).await;
    }

    async fn ask(&mut self, id: u64) {
        let params = json!({ "message": "?" });
        self.send(json!({ "id": id, "method": "elicitation/create", "params": params })).await;
    }

    /// Waits until the loop has seen everything that was written so far.
    async fn is_heard(&mut self) {
        self.send(json!({ "id": "heard", "method": "ping" })).await;
        assert_eq!(self.read().await["id"], "heard");
    }
}

async fn asked(call: &mut Conversation) -> Ask {
    match call.next().await {
        Event::Ask(ask) => ask,
        other => panic!("{other:?}"),
    }
}

async fn result(call: &mut Conversation) -> String {
    match call.next().await {
        Event::Done(Outcome::Result(result)) => result.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn is_lost(call: &mut Conversation) -> bool {
    matches!(call.next().await, Event::Done(Outcome::Lost(_)))
}

fn accepted() -> Result<Raw, ErrorObject> {
    Ok(Raw::of(&json!({ "action": "accept" })))
}

#[tokio::test(start_paused = true)]
async fn ids_of_every_type_come_back_as_they_were() {
    let ids = [
        "0",
        "7",
        "-3",
        "9007199254740993",
        "18446744073709551616",
        r#""7""#,
        r#""a""#,
        r#""""#,
        r#""a\"b\\c\n""#,
        r#""é ☃""#,
    ];
    let mut world = World::new(Era::Legacy);
    let (mut call, own) = world.call("t", None).await;
    for id in ids {
        let ask = r#""method":"elicitation/create","params":{"message":"?"}"#;
        world.server.write(&format!(r#"{{"jsonrpc":"2.0","id":{id},{ask}}}"#)).await;
        let ask = asked(&mut call).await;
        call.answer(&ask.key, accepted());
        let line = world.server.line().await;
        assert!(line.contains(&format!(r#""id":{id},"#)), "{id}: {line}");
    }
    // These are no ids, so there is nothing to be answered.
    for id in ["1.5", "1e3", "null", "true", "[1]", "{}"] {
        world.server.write(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)).await;
    }
    world.server.is_heard().await;
    world.server.answer(own, &json!({ "n": 1 })).await;
    assert_eq!(result(&mut call).await, r#"{"n":1}"#);
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_calls_in_any_order() {
    let mut world = World::new(Era::Legacy);
    let mut calls = Vec::new();
    for name in ["a", "b", "c"] {
        calls.push(world.call(name, Some(1)).await);
    }
    for at in [2, 0, 1] {
        let (call, id) = &mut calls[at];
        world.server.answer(*id, &json!({ "n": at })).await;
        // A second answer is nobody's.
        world.server.answer(*id, &json!({ "n": "again" })).await;
        assert_eq!(result(call).await, format!(r#"{{"n":{at}}}"#));
    }
    let (mut call, id) = world.call("d", Some(1)).await;
    world.server.send(json!({ "id": id.to_string(), "result": { "n": "text" } })).await;
    assert_eq!(result(&mut call).await, r#"{"n":"text"}"#);
}

#[tokio::test(start_paused = true)]
async fn progress_tokens_come_back_as_they_were() {
    let mut world = World::new(Era::Legacy);
    for token in ["7", "18446744073709551616", "1.5", r#""7""#, r#""a\"b\\""#] {
        let params = format!(r#"{{"name":"t","_meta":{{"progressToken":{token}}}}}"#);
        let params: &serde_json::value::RawValue = serde_json::from_str(&params).unwrap();
        let mut call = world.child.converse(permitted("tools/call", params, Some(1)), None);
        let id = world.server.read().await["id"].as_u64().unwrap();
        let params = json!({ "progressToken": id, "progress": 1 });
        world.server.send(json!({ "method": "notifications/progress", "params": params })).await;
        let Event::Progress(params) = call.next().await else { panic!("{token}") };
        assert!(params.as_str().contains(&format!(r#""progressToken":{token}"#)), "{params:?}");
        world.server.answer(id, &json!({})).await;
        assert_eq!(result(&mut call).await, "{}");
    }
}

/// Progress is a sign of life: it moves the deadline, as often as there are idle limits in the longest call.
#[tokio::test(start_paused = true)]
async fn progress_moves_the_deadline_and_not_for_ever() {
    const IDLE: Duration = Duration::from_secs(10);
    let mut world = World::new(Era::Legacy);
    let params = json!({ "name": "t", "_meta": { "progressToken": 1 } });
    let begun = Instant::now();
    let mut call = world.child.converse(permitted("tools/call", &params, Some(1)), Some(IDLE));
    let id = world.server.read().await["id"].as_u64().unwrap();
    let mut steps = 0;
    let event = loop {
        tokio::time::advance(IDLE - Duration::from_secs(1)).await;
        steps += 1;
        let params = json!({ "progressToken": id, "progress": steps });
        world.server.send(json!({ "method": "notifications/progress", "params": params })).await;
        world.server.is_heard().await;
        match call.next().await {
            Event::Progress(_) => {}
            event => break event,
        }
    };
    assert!(matches!(event, Event::Done(Outcome::Lost(_))), "{event:?}");
    assert!(steps > 5 && begun.elapsed() >= 6 * IDLE, "{steps} in {:?}", begun.elapsed());
    assert!(begun.elapsed() <= 7 * IDLE, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_loses_progress_and_nothing_else() {
    let mut world = World::new(Era::Legacy);
    let params = json!({ "name": "t", "_meta": { "progressToken": "mine" } });
    let mut call = world.child.converse(permitted("tools/call", &params, Some(1)), None);
    let id = world.server.read().await["id"].as_u64().unwrap();
    for step in 0..1000 {
        let params = json!({ "progressToken": id, "progress": step });
        world.server.send(json!({ "method": "notifications/progress", "params": params })).await;
    }
    world.server.ask(70).await;
    world.server.is_heard().await;
    let mut heard = 0;
    let ask = loop {
        match call.next().await {
            Event::Progress(params) => {
                assert!(params.as_str().contains(r#""progressToken":"mine""#));
                heard += 1;
            }
            Event::Ask(ask) => break ask,
            other => panic!("{other:?}"),
        }
    };
    assert!((1..1000).contains(&heard), "{heard}");
    call.answer(&ask.key, accepted());
    assert_eq!(world.server.read().await["id"], 70);
    world.server.answer(id, &json!({})).await;
    assert_eq!(result(&mut call).await, "{}");
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_by_its_owner_or_refused() {
    let mut world = World::new(Era::Legacy);
    world.server.ask(70).await;
    assert_eq!(world.server.read().await["result"]["action"], "cancel", "nobody is there");

    let (mut first, id) = world.call("a", None).await;
    world.server.ask(71).await;
    let ask = asked(&mut first).await;
    call_answers(&mut first, &ask, &mut world.server, 71).await;
    world.server.answer(id, &json!({})).await;
    result(&mut first).await;

    // Both have ended without a question once, so that they are not kept apart.
    for name in ["b", "c"] {
        let (mut call, id) = world.call(name, None).await;
        world.server.answer(id, &json!({})).await;
        result(&mut call).await;
    }
    let (mut one, id) = world.call("b", None).await;
    let (mut other, _) = world.call("c", None).await;
    world.server.ask(72).await;
    world.server.is_heard().await;
    world.server.answer(id, &json!({})).await;
    assert_eq!(result(&mut one).await, "{}");
    let ask = asked(&mut other).await;
    call_answers(&mut other, &ask, &mut world.server, 72).await;

    let (_third, _) = world.call("b", None).await;
    world.server.ask(73).await;
    let begun = Instant::now();
    assert_eq!(world.server.read().await["error"]["code"], -32603, "it stayed unclear");
    let held = begun.elapsed();
    assert!(held >= HOLD_LIMIT && held <= HOLD_LIMIT + TICK, "{held:?}");
}

async fn call_answers(call: &mut Conversation, ask: &Ask, server: &mut Server, id: u64) {
    call.answer(&ask.key, accepted());
    let line = server.read().await;
    assert_eq!((&line["id"], &line["result"]["action"]), (&json!(id), &json!("accept")));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_client_is_gone_is_cancelled_in_both_eras() {
    for era in [Era::Legacy, Era::Modern] {
        let mut world = World::new(era);
        let (call, id) = world.call("t", None).await;
        drop(call);
        let line = world.server.read().await;
        assert_eq!(line["method"], "notifications/cancelled");
        assert_eq!(line["params"]["requestId"], id);
        // Its late answer is nobody's.
        world.server.answer(id, &json!({})).await;

        let (mut call, id) = world.call("t", None).await;
        call.canceller().cancel();
        assert!(matches!(call.next().await, Event::Done(Outcome::Cancelled)));
        assert_eq!(world.server.read().await["params"]["requestId"], id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_leaves_no_question_open() {
    let mut world = World::new(Era::Legacy);
    let (mut call, _) = world.call("t", None).await;
    world.server.ask(70).await;
    asked(&mut call).await;
    drop(call);
    assert_eq!(world.server.read().await["method"], "notifications/cancelled");
    let line = world.server.read().await;
    assert!(line["id"] == 70 && line["error"].is_object(), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_modern_server_is_sent_the_call_again_or_hears_no_more_of_it() {
    let mut world = World::new(Era::Modern);
    let needs = json!({
        "resultType": "input_required",
        "inputRequests": { "k": { "method": "elicitation/create", "params": { "message": "?" } } },
        "requestState": "s",
    });
    let (mut call, id) = world.call("t", None).await;
    world.server.answer(id, &needs).await;
    let ask = asked(&mut call).await;
    assert!(matches!(call.next().await, Event::TurnEnded { state: Some(state) } if state == "s"));
    call.proceed();
    call.answer(&ask.key, accepted());
    let again = world.server.read().await;
    assert_eq!(again["params"]["inputResponses"]["k"]["action"], "accept");
    assert_eq!(again["params"]["requestState"], "s");

    world.server.answer(again["id"].as_u64().unwrap(), &needs).await;
    asked(&mut call).await;
    call.next().await;
    // The server has ended its turn, so there is nothing to be cancelled.
    drop(call);
    let (_next, _) = world.call("u", None).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_still_heard() {
    let mut world = World::with_pipe(Era::Legacy, 64);
    let (mut first, id) = world.call("a", Some(1)).await;
    let padding = "x".repeat(MOST_UNWRITTEN + 1);
    let params = json!({ "name": "big", "arguments": { "padding": padding } });
    let mut big = world.child.converse(permitted("tools/call", &params, Some(1)), None);
    // The next command waits, as too much is unwritten.
    let mut small = world.child.converse(tool("c", Some(1)), None);
    world.server.answer(id, &json!({ "n": 1 })).await;
    assert_eq!(result(&mut first).await, r#"{"n":1}"#);

    for (call, name) in [(&mut big, "big"), (&mut small, "c")] {
        let line = world.server.read().await;
        assert_eq!(line["params"]["name"], name);
        world.server.answer(line["id"].as_u64().unwrap(), &json!({})).await;
        assert_eq!(result(call).await, "{}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_lets_calls_end() {
    let mut world = World::new(Era::Legacy);
    let (mut call, id) = world.call("t", None).await;
    world.child.close();
    world.server.is_heard().await;
    world.server.answer(id, &json!({})).await;
    assert_eq!(result(&mut call).await, "{}");
    assert!(matches!(world.running.await.unwrap(), End::Closed));
    world.child.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_no_longer_than_its_grace() {
    let mut world = World::new(Era::Legacy);
    let (mut call, _) = world.call("t", None).await;
    let begun = Instant::now();
    world.child.close();
    assert!(matches!(world.running.await.unwrap(), End::Closed));
    assert_eq!(begun.elapsed(), GRACE);
    assert!(is_lost(&mut call).await);
}
