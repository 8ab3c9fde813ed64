//! Batches, which 2025-03-26 alone has (2.20, 10.20, 10.21).

use crate::support::*;

fn request(id: Value, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method })
}

fn call(id: Value, tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool } })
}

#[tokio::test]
async fn a_batch_gets_one_answer_for_each_request() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::with(&served, "2025-03-26", json!({})).await;
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let batch = json!([
        request(json!(1), "ping"),
        note,
        call(json!("1"), "echo"),
        request(json!(2), "nope")
    ]);
    let reply = session.post(&batch).await.expect(200);
    let mut answers = reply.events().rest().await;
    answers.sort_by_key(|answer| answer["id"].to_string());
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(answers[0]["id"] == "1" && answers[0]["result"]["content"].is_array());
    assert!(answers[1]["id"] == 1 && answers[1]["result"] == json!({}));
    assert!(answers[2]["id"] == 2 && error(&answers[2]).0 == -32601);
}

#[tokio::test]
async fn a_batch_without_requests_is_202() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::with(&served, "2025-03-26", json!({})).await;
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" });
    session.post(&json!([note, note])).await.expect(202);
}

#[tokio::test]
async fn a_batch_of_answers_reaches_the_questions() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::with(&served, "2025-03-26", json!({ "sampling": {} })).await;
    let arguments = json!({ "kind": "sampling", "count": 2 });
    let mut events = session.begin(json!(1), "ask", arguments).await.expect(200).events();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let question = events.expect("sampling/createMessage").await;
        answers.push(json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "n": 1 } }));
    }
    session.post(&json!(answers)).await.expect(202);
    let answer = events.message().await.unwrap();
    assert_eq!(structured(&answer)["answers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn batches_that_cannot_be() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::with(&served, "2025-03-26", json!({})).await;
    let params = json!({ "protocolVersion": "2025-03-26", "capabilities": {} });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let long: Vec<Value> = (0..101).map(|id| request(json!(id), "ping")).collect();
    for batch in [
        json!([]),
        json!([initialize]),
        json!([request(json!(1), "ping"), 7]),
        json!([request(json!(1.5), "ping")]),
        json!([[request(json!(1), "ping")]]),
        json!(long),
        json!([request(json!(1), "ping"), request(json!(1), "ping")]),
    ] {
        let reply = session.post(&batch).await;
        assert_eq!(reply.status, 400, "{batch}");
        assert_eq!(error(&reply.json().await).0, -32600, "{batch}");
    }
}

/// 10.20: the session's revision decides, not the header; without a session nothing does.
#[tokio::test]
async fn other_revisions_refuse_batches() {
    let served = Mcpwrap::dev().start().await;
    let batch = json!([request(json!(1), "ping")]);
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let session = Session::with(&served, version, json!({})).await;
        for request in [
            session.request(&batch),
            session.request(&batch).without("mcp-protocol-version"),
            session.request(&batch).with("mcp-protocol-version", "2025-03-26"),
        ] {
            let answer = served.send(&request).await.expect(400).json().await;
            assert_eq!(error(&answer).0, -32600, "{version}");
        }
    }
    served.send(&Request::post(batch.to_string())).await.expect(400);
    let modern = Request::post(batch.to_string()).header("mcp-protocol-version", "2026-07-28");
    served.send(&modern).await.expect(400);
}
