//! Nothing reaches a child but through the gate, and nothing passes it unrecorded (invariant 9 of the crate's
//! documentation).

use crate::support::*;

/// A `dev` that keeps an audit log, and the log.
struct Audited {
    served: Served,
    log: std::path::PathBuf,
    _dir: Scratch,
}

impl Audited {
    async fn start(mcpwrap: Mcpwrap) -> Self {
        let dir = Scratch::new();
        let log = dir.join("audit.log");
        let served = mcpwrap.flags(["--audit", log.to_str().unwrap()]).start().await;
        Self { served, log, _dir: dir }
    }

    /// The records of this event and method, as soon as there are so many.
    async fn records(&self, event: &str, method: &str, count: usize) -> Vec<Value> {
        let mut found = Vec::new();
        eventually(&format!("{count} records: {event} {method}"), || {
            found = self.all();
            found.retain(|record| record["event"] == event && record["method"] == method);
            found.len() >= count
        })
        .await;
        found
    }

    /// How the calls of a method ended, as soon as so many have.
    async fn endings(&self, method: &str, count: usize) -> Vec<Value> {
        let begun = self.records("begin", method, count).await;
        let of = |call: &Value| -> Option<Value> {
            let all = self.all();
            let end = all.iter().find(|one| one["event"] == "end" && one["call"] == *call)?;
            Some(end["outcome"].clone())
        };
        let mut endings = Vec::new();
        eventually(&format!("{count} ends of {method}"), || {
            endings = begun.iter().filter_map(|begin| of(&begin["call"])).collect();
            endings.len() == begun.len()
        })
        .await;
        endings
    }

    fn all(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// What the child has heard so far that holds this text.
async fn heard(client: &impl Client, text: &str, times: usize) -> usize {
    let seen = client.call("journal", json!({ "until": text, "times": times })).await;
    structured(&seen)["lines"].as_array().unwrap().len()
}

#[tokio::test]
async fn of_what_has_no_id_only_mcps_own_notifications_go_on_each_on_record() {
    let audited = Audited::start(Mcpwrap::dev()).await;
    let session = Session::new(&audited.served).await;
    for forged in ["tools/call", "resources/read", "notifications/made-up", "vendor/thing"] {
        session.notify(forged, json!({ "name": "echo", "arguments": { "forged": true } })).await;
    }
    session.notify("notifications/roots/list_changed", json!({})).await;
    assert_eq!(heard(&session, "notifications/roots/list_changed", 1).await, 1);
    for absent in ["forged", "made-up", "vendor/thing"] {
        assert_eq!(heard(&session, absent, 0).await, 0, "{absent}");
    }
    let told = audited.records("notification", "notifications/roots/list_changed", 1).await;
    assert_eq!(told.len(), 1);
    assert!(told[0]["who"]["user"].is_string() && told[0]["child"].is_u64(), "{told:?}");
    let text = json!(audited.all()).to_string();
    assert!(!text.contains("made-up") && !text.contains("vendor/thing"), "{text}");
}

#[tokio::test]
async fn an_answer_outside_any_call_is_on_record() {
    let audited = Audited::start(Mcpwrap::dev()).await;
    let session = Session::able(&audited.served).await;
    let mut stream = session.listen().await;
    session.call("later", json!({ "what": "ask" })).await;
    let question = stream.expect("elicitation/create").await;
    session.answer(&question, json!({ "action": "decline" })).await;
    assert_eq!(heard(&session, "\"action\":\"decline\"", 1).await, 1);
    let answers = audited.records("answer", "elicitation/create", 1).await;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["decision"], "not_asked");
    assert!(!answers[0].to_string().contains("decline"), "{answers:?}");
}

/// However often its server ends its turn, a legacy client's call is one pair; a modern client's is one for each request.
#[tokio::test]
async fn a_call_that_asks_ends_as_what_it_was() {
    let audited = Audited::start(Mcpwrap::dev().modern()).await;
    let session = Session::able(&audited.served).await;
    let mut events = session.begin(json!(1), "ask", json!({})).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    session.answer(&question, json!({ "action": "accept", "content": {} })).await;
    assert!(events.message().await.unwrap()["result"].is_object());
    assert_eq!(audited.endings("tools/call", 1).await, ["result"]);
    let modern = Modern::able(&audited.served);
    let turn = modern.call("ask", json!({})).await;
    assert_eq!(turn["result"]["resultType"], "input_required", "{turn}");
    assert_eq!(audited.endings("tools/call", 2).await, ["result", "suspended"]);
}

/// A call of a legacy server that waits for a client who never comes back ends as cancelled.
#[tokio::test]
async fn a_call_whose_client_stays_away_ends_as_cancelled() {
    let audited = Audited::start(Mcpwrap::dev().flags(["--sealed-ttl", "1s"])).await;
    let turn = Modern::able(&audited.served).call("ask", json!({})).await;
    assert_eq!(turn["result"]["resultType"], "input_required", "{turn}");
    assert_eq!(audited.endings("tools/call", 1).await, ["cancelled"]);
}

/// The list of tools is asked for once, whoever comes first, and under a name.
#[tokio::test]
async fn the_catalogue_is_read_once_and_on_record() {
    let audited = Audited::start(Mcpwrap::dev()).await;
    let modern = Modern::new(&audited.served);
    // What `dev` asked for its greeting is on record as well.
    audited.records("own_request", "tools/list", 1).await;
    let before = heard(&modern.session().await, "tools/list", 1).await;
    let calls = (0..16).map(|_| modern.call("echo", json!({})));
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer["result"].is_object(), "{answer}");
    }
    assert_eq!(heard(&modern, "tools/list", before + 1).await, before + 1);
    // Records are written in their order: with the last call's, all before it are there.
    audited.endings("tools/call", 16 + 2).await;
    assert_eq!(audited.records("own_request", "tools/list", before + 1).await.len(), before + 1);
}

/// A level is judged and recorded before anything changes, whoever shares the child.
#[tokio::test]
async fn a_log_level_is_a_call_on_record() {
    for mcpwrap in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let audited = Audited::start(mcpwrap).await;
        let session = Session::new(&audited.served).await;
        let answer = session.get("logging/setLevel", json!({ "level": "debug" })).await;
        assert_eq!(answer["result"], json!({}));
        assert_eq!(audited.endings("logging/setLevel", 1).await, ["result"]);
    }
}

/// A legacy client's subscription at a modern server is on record under its own name, granted or not.
#[tokio::test]
async fn a_subscription_in_the_other_era_is_on_record() {
    let audited = Audited::start(Mcpwrap::dev().modern()).await;
    let session = Session::new(&audited.served).await;
    let answer = session.get("resources/subscribe", json!({ "uri": "test://a" })).await;
    assert_eq!(answer["result"], json!({}), "{answer}");
    let begun = audited.records("begin", "resources/subscribe", 1).await;
    assert_eq!(begun[0]["target"], "test://a");
    assert_eq!(audited.endings("resources/subscribe", 1).await, ["result"]);
}

/// A subscription that its client drops is taken back on record, and one that it opens anew at once stands.
#[tokio::test]
async fn a_subscription_that_is_opened_anew_at_once_stands() {
    let audited = Audited::start(Mcpwrap::dev()).await;
    let modern = Modern::new(&audited.served);
    let filter = json!({ "resourceSubscriptions": ["test://a"] });
    const ROUNDS: usize = 5;
    let mut events = modern.listen(json!(0), filter.clone()).await;
    for round in 1..=ROUNDS {
        drop(events);
        assert_eq!(heard(&modern, "resources/unsubscribe", round).await, round);
        events = modern.listen(json!(round), filter.clone()).await;
        events.expect("notifications/subscriptions/acknowledged").await;
        modern.call("updated", json!({ "uri": "test://a" })).await;
        events.expect("notifications/resources/updated").await;
    }
    let endings = audited.endings("resources/unsubscribe", ROUNDS).await;
    assert!(endings.iter().all(|ending| ending == "result"), "{endings:?}");
}

/// What a successor is told of its predecessor's sessions is on record too.
#[tokio::test]
async fn what_a_successor_is_told_again_is_on_record() {
    let dir = Scratch::new();
    let file = dir.join("tools");
    std::fs::write(&file, "before").unwrap();
    let path = file.to_str().unwrap();
    let mcpwrap = Mcpwrap::dev().child(["--tools", path]).flags(["--watch", path]);
    let audited = Audited::start(mcpwrap).await;
    let session = Session::new(&audited.served).await;
    let mut stream = session.listen().await;
    session.get("logging/setLevel", json!({ "level": "notice" })).await;
    session.get("resources/subscribe", json!({ "uri": "test://a" })).await;
    std::fs::write(&file, "after").unwrap();
    stream.expect("notifications/tools/list_changed").await;
    let told = audited.records("replay", "resources/subscribe", 1).await;
    assert_eq!(told[0]["target"], "test://a");
    audited.records("own_request", "logging/setLevel", 1).await;
    let begun = audited.records("begin", "resources/subscribe", 1).await;
    assert_ne!(told[0]["child"], begun[0]["child"], "it is another child");
}
