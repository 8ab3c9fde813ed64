//! Streams that outlive their connection: a legacy client that comes back misses nothing, within bounds.

use crate::support::*;

/// 2.21, 2.29, 2.30: the client hangs up in the middle of a call; the call goes on and can be resumed.
#[tokio::test]
async fn a_call_goes_on_without_its_client_and_can_be_resumed() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::able(&served).await;
    let mut events = session.begin(json!("c"), "ask", json!({})).await.expect(200).events();
    let (first, _) = events.event().await.unwrap();
    let (_, question) = events.tagged().await.unwrap();
    drop(events);
    session.answer(&question, json!({ "action": "accept", "content": { "n": 1 } })).await;
    let mut again = session.resume(&first.unwrap()).await.expect(200).events();
    // What followed comes again, then the end, then nothing.
    assert_eq!(again.expect("elicitation/create").await, question);
    let answer = again.message().await.unwrap();
    assert_eq!(answer["id"], "c");
    assert_eq!(structured(&answer)["answers"][0]["result"]["content"]["n"], 1);
    assert_eq!(again.message().await, None);
    // 3.42 is for modern clients: the child was never told to stop.
    let seen = session.call("journal", json!({ "until": "tools/call" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("notifications/cancelled"));
}

/// 2.31: a finished stream is replayed from where the client was, and ends.
#[tokio::test]
async fn the_tail_of_a_finished_stream_can_be_read_again() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let params = json!({
        "name": "progress", "arguments": { "steps": 4 }, "_meta": { "progressToken": 1 },
    });
    let mut events = session.ask(json!(1), "tools/call", params).await.expect(200).events();
    let mut all = Vec::new();
    while let Some((id, message)) = events.tagged().await {
        all.push((id.unwrap(), message));
    }
    assert_eq!(all.len(), 5);
    for (at, (id, _)) in all.iter().enumerate() {
        let again = session.resume(id).await.expect(200).events().rest().await;
        let expected: Vec<Value> = all[at + 1..].iter().map(|(_, m)| m.clone()).collect();
        assert_eq!(again, expected, "after {id}");
    }
}

/// 2.29, 2.30: ids are unique in the session, and a resume brings nothing of another stream.
#[tokio::test]
async fn a_resume_brings_nothing_of_another_stream() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut seen = std::collections::HashSet::new();
    let mut firsts = Vec::new();
    for call in 0..3 {
        let params = json!({
            "name": "progress", "arguments": { "steps": 2 }, "_meta": { "progressToken": call },
        });
        let mut events = session.ask(json!(call), "tools/call", params).await.expect(200).events();
        let (first, _) = events.event().await.unwrap();
        assert!(seen.insert(first.clone().unwrap()), "{first:?}");
        firsts.push(first.unwrap());
        while let Some((id, _)) = events.tagged().await {
            assert!(seen.insert(id.clone().unwrap()), "{id:?}");
        }
    }
    for (call, first) in firsts.iter().enumerate() {
        let again = session.resume(first).await.expect(200).events().rest().await;
        assert_eq!(again.len(), 3);
        assert_eq!(again[0]["params"]["progressToken"], call);
        assert_eq!(again[2]["id"], call);
    }
}

/// 2.31: an id that names nothing, or that belongs to another session.
#[tokio::test]
async fn an_unknown_last_event_id_is_400() {
    let served = Mcpwrap::dev().start().await;
    let (session, other) = (Session::new(&served).await, Session::new(&served).await);
    let params = json!({
        "name": "progress", "arguments": { "steps": 1 }, "_meta": { "progressToken": 1 },
    });
    let mut events = other.ask(json!(1), "tools/call", params).await.expect(200).events();
    let (foreign, _) = events.event().await.unwrap();
    for id in
        ["99-1", "0-99", "1-1", "garbage", "", "-", "18446744073709551616-0", &foreign.unwrap()]
    {
        let reply = session.resume(id).await;
        assert_eq!(reply.status, 400, "{id}");
        assert_eq!(error(&reply.json().await).0, -32600);
    }
}

/// 2.27, 10.17: an id with empty data comes first, but only where the revision knows it.
#[tokio::test]
async fn streams_begin_with_an_id_alone_since_2025_11_25() {
    let served = Mcpwrap::dev().start().await;
    for (version, primed) in [("2025-11-25", true), ("2025-06-18", false), ("2025-03-26", false)] {
        let session = Session::with(&served, version, json!({})).await;
        let params = json!({
            "name": "progress", "arguments": { "steps": 1 }, "_meta": { "progressToken": 1 },
        });
        let mut events = session.ask(json!(1), "tools/call", params).await.expect(200).events();
        let (id, data) = events.event().await.unwrap();
        assert!(id.is_some());
        assert_eq!(data.is_empty(), primed, "{version}: {data}");
    }
}

/// 2.19, 2.33: the newest GET has the stream; the one before ends.
#[tokio::test]
async fn a_second_get_takes_over_from_the_first() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut first = session.listen().await;
    let mut second = session.listen().await;
    assert_eq!(first.message().await, None);
    session.call("changed", json!({ "list": "tools" })).await;
    second.expect("notifications/tools/list_changed").await;
}

/// 2.19: no session, no stream; a client that takes no events gets none.
#[tokio::test]
async fn a_get_needs_a_session_and_must_accept_events() {
    let served = Mcpwrap::dev().start().await;
    let get = Request::new("GET").header("accept", "text/event-stream");
    let reply = served.send(&get).await.expect(405);
    assert_eq!(reply.header("allow"), Some("POST"));
    let session = Session::new(&served).await;
    let json = session.listening(None).with("accept", "application/json");
    served.send(&json).await.expect(406);
}

/// 2.32: what happens while nobody listens waits for the next GET, once.
#[tokio::test]
async fn changes_wait_for_a_client_that_is_not_listening() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    session.call("changed", json!({ "list": "tools" })).await;
    let (id, _) = stream.tagged().await.unwrap();
    drop(stream);
    session.call("changed", json!({ "list": "prompts" })).await;
    let mut again = session.resume(&id.unwrap()).await.expect(200).events();
    again.expect("notifications/prompts/list_changed").await;
}

/// 2.32: the store is bounded, and a resume that would need more is refused rather than served with a hole.
#[tokio::test]
async fn a_resume_that_the_store_has_lost_is_refused() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let params = json!({
        "name": "progress",
        "arguments": { "steps": 5, "bytes": 6 << 20 },
        "_meta": { "progressToken": 1 },
    });
    let mut events = session.ask(json!(1), "tools/call", params).await.expect(200).events();
    let (first, _) = events.event().await.unwrap();
    let all = events.rest().await;
    assert_eq!(all.last().unwrap()["id"], 1, "the answer arrives whatever else is dropped");
    session.resume(&first.unwrap()).await.expect(400);
}

/// What must arrive is not pushed out of the store by its own size: progress, then a large answer.
#[tokio::test]
async fn a_large_answer_does_not_push_its_stream_out_of_the_store() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    for _ in 0..5 {
        let params = json!({
            "name": "progress",
            "arguments": { "steps": 50, "bytes": 6 << 20 },
            "_meta": { "progressToken": 1 },
        });
        let all = session.ask(json!(1), "tools/call", params).await.events().rest().await;
        assert_eq!(text(all.last().unwrap()).len(), 6 << 20);
    }
}
