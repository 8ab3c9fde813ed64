//! A legacy client and a modern child: its `input_required` becomes requests on the POST stream (6.1 to 6.21).

use crate::support::*;

/// 6.6: all rounds within one call, asked and answered on its stream.
#[tokio::test]
async fn input_required_becomes_requests_on_the_stream() {
    let served = Mcpwrap::dev().modern().start().await;
    let session = Session::able(&served).await;
    let arguments = json!({ "rounds": 2, "count": 2 });
    let mut events = session.begin(json!("c"), "ask", arguments).await.expect(200).events();
    for round in 1..=2 {
        let mut questions = Vec::new();
        for _ in 0..2 {
            questions.push(events.expect("elicitation/create").await);
        }
        assert_ne!(questions[0]["id"], questions[1]["id"]);
        for question in &questions {
            assert_eq!(question["params"]["mode"], "form", "6.10");
            let result = json!({ "action": "accept", "content": { "n": round } });
            session.answer(question, result).await;
        }
    }
    let answer = events.message().await.unwrap();
    assert_eq!(answer["id"], "c");
    assert_eq!(structured(&answer)["requestState"], "state 2");
    let responses = &structured(&answer)["inputResponses"];
    assert_eq!(responses["own-1-2"]["content"]["n"], 2, "{responses}");
    assert!(answer["result"]["resultType"].is_null(), "6.11");
}

/// 6.7: a state without questions means "call again", not "ask".
#[tokio::test]
async fn a_state_without_questions_is_sent_again() {
    let served = Mcpwrap::dev().modern().start().await;
    let session = Session::new(&served).await;
    let answer = session.call("ask", json!({ "silently": true, "rounds": 3 })).await;
    assert_eq!(structured(&answer)["requestState"], "state 3");
    assert!(structured(&answer)["inputResponses"].is_null());
}

/// 6.10: URL elicitations get the id that the older revision wants; those before it no mode.
#[tokio::test]
async fn questions_are_put_in_the_words_of_the_revision() {
    let served = Mcpwrap::dev().modern().start().await;
    let newest = Session::able(&served).await;
    let arguments = json!({ "kind": "url" });
    let mut events = newest.begin(json!(1), "ask", arguments).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    assert!(question["params"]["elicitationId"].is_string(), "{question}");
    let older = Session::with(&served, "2025-06-18", json!({ "elicitation": {} })).await;
    let mut events = older.begin(json!(1), "ask", json!({})).await.expect(200).events();
    assert!(events.expect("elicitation/create").await["params"]["mode"].is_null());
}

/// 6.1, 6.11: the handshake and results without what only modern clients know.
#[tokio::test]
async fn a_legacy_client_sees_nothing_modern() {
    let served = Mcpwrap::dev().modern().start().await;
    let session = Session::new(&served).await;
    assert_eq!(session.version, "2025-11-25");
    assert_eq!(session.hello["result"]["serverInfo"]["name"], "fixture");
    assert_eq!(session.hello["result"]["instructions"], "be kind");
    for (method, params) in [
        ("tools/list", json!({})),
        ("resources/read", json!({ "uri": "test://a" })),
        ("tools/call", json!({ "name": "big", "arguments": { "bytes": 100_000 } })),
    ] {
        let answer = session.get(method, params).await;
        let result = answer["result"].as_object().unwrap();
        for name in ["resultType", "ttlMs", "cacheScope"] {
            assert!(!result.contains_key(name), "{method} {name}");
        }
    }
    assert_eq!(error(&session.get("nonsense", json!({})).await).0, -32601);
}

/// 4.27: each request says who really calls, what he can do and at which level he wants to hear.
#[tokio::test]
async fn each_request_carries_the_clients_own_meta() {
    let served = Mcpwrap::dev().modern().start().await;
    let session = Session::able(&served).await;
    session.get("logging/setLevel", json!({ "level": "warning" })).await;
    let answer = session.call("echo", json!({})).await;
    let meta = &structured(&answer)["params"]["_meta"];
    let key = |name: &str| &meta[format!("io.modelcontextprotocol/{name}")];
    assert_eq!(key("protocolVersion"), "2026-07-28");
    assert_eq!(*key("clientCapabilities"), all_capabilities());
    assert_eq!(key("clientInfo")["name"], "it");
    assert_eq!(key("logLevel"), "warning");
}

/// 6.14: progress and log messages on the stream of the call.
#[tokio::test]
async fn progress_and_logs_of_a_modern_child_arrive() {
    let served = Mcpwrap::dev().modern().start().await;
    let session = Session::new(&served).await;
    session.get("logging/setLevel", json!({ "level": "info" })).await;
    let arguments = json!({ "level": "info", "text": "x", "count": 2 });
    let said = session.begin(json!(1), "log", arguments).await.expect(200).events().rest().await;
    assert_eq!(said.len(), 3);
    let params = json!({
        "name": "progress", "arguments": { "steps": 2 }, "_meta": { "progressToken": "t" },
    });
    let said = session.ask(json!(2), "tools/call", params).await.events().rest().await;
    assert_eq!(said[1]["params"]["progressToken"], "t");
}

/// 6.15: cancelling while the client is being asked withdraws the questions.
#[tokio::test]
async fn cancelling_between_rounds_withdraws_the_questions() {
    let served = Mcpwrap::dev().modern().start().await;
    let session = Session::able(&served).await;
    let mut events = session.begin(json!(9), "ask", json!({})).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    session.notify("notifications/cancelled", json!({ "requestId": 9 })).await;
    let withdrawn = events.expect("notifications/cancelled").await;
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    assert_eq!(events.message().await, None);
}
