//! Legacy sessions: the handshake, who may use one, how it ends, and which child it has.

use crate::support::*;

/// 2.1: one of ours is answered as asked, anything else with the newest legacy one, never with a modern one.
#[tokio::test]
async fn the_handshake_negotiates_the_revision() {
    let served = Mcpwrap::dev().start().await;
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
        ("nonsense", "2025-11-25"),
    ] {
        let session = Session::with(&served, asked, json!({})).await;
        assert_eq!(session.version, answered, "{asked}");
        assert_eq!(session.hello["result"]["serverInfo"]["name"], "fixture");
        assert_eq!(session.hello["result"]["instructions"], "be kind");
        assert!(text(&session.call("big", json!({ "bytes": 3 })).await) == "xxx");
    }
}

/// 6.23: a child that speaks only an older revision decides for its client.
#[tokio::test]
async fn an_old_child_decides_the_revision() {
    let served = Mcpwrap::dev().child(["--revision", "2025-03-26"]).start().await;
    let session = Session::with(&served, "2025-11-25", json!({})).await;
    assert_eq!(session.version, "2025-03-26");
}

/// 2.2: visible ASCII, at least 128 bits, never the same.
#[tokio::test]
async fn session_ids_are_long_visible_and_different() {
    let served = Mcpwrap::dev().start().await;
    let (one, other) = (Session::new(&served).await, Session::new(&served).await);
    assert!(one.id.len() >= 22 && one.id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
    assert_ne!(one.id, other.id);
}

/// 2.3, 2.7: unknown and ended sessions are 404 for every method; the second DELETE too.
#[tokio::test]
async fn dead_and_unknown_sessions_are_404() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let delete = |id: &str| Request::new("DELETE").header("mcp-session-id", id);
    served.send(&delete("0123456789abcdef0123456789abcdef")).await.expect(404);
    served.send(&delete(&session.id)).await.expect(204);
    served.send(&delete(&session.id)).await.expect(404);
    let reply = session.ask(json!(1), "tools/list", json!({})).await.expect(404);
    let answer = reply.json().await;
    assert_eq!((answer["id"].clone(), error(&answer).0), (json!(1), -32600));
    session.listening(None).send(served.at).await.expect(404);
    session.resume("1-1").await.expect(404);
    // A new handshake is all it takes.
    assert!(Session::new(&served).await.call("echo", json!({})).await["result"].is_object());
}

/// 2.7: the end of a session cancels its calls and ends its streams.
#[tokio::test]
async fn the_end_of_a_session_cancels_its_calls() {
    let served = Mcpwrap::dev().start().await;
    let (session, witness) = (Session::new(&served).await, Session::new(&served).await);
    let mut stream = session.listen().await;
    let hold = session.begin(json!(1), "hold", json!({ "key": "k" }));
    let end = async {
        witness.call("held", json!({ "count": 1 })).await;
        let delete = Request::new("DELETE").header("mcp-session-id", &session.id);
        served.send(&delete).await.expect(204);
        let seen = witness.call("journal", json!({ "until": "notifications/cancelled" })).await;
        assert!(structured(&seen)["lines"].to_string().contains("requestId"));
    };
    let (_, ()) = futures_util::future::join(hold, end).await;
    assert_eq!(stream.message().await, None);
}

/// 2.4, 10.2: without a session, in a way that no client takes for a modern answer.
#[tokio::test]
async fn a_request_without_a_session_is_400_and_does_not_look_modern() {
    let served = Mcpwrap::dev().start().await;
    let body = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" }).to_string();
    for version in ["", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut request = Request::post(body.clone());
        if !version.is_empty() {
            request = request.header("mcp-protocol-version", version);
        }
        let answer = served.send(&request).await.expect(400).json().await;
        assert_eq!(error(&answer).0, -32600, "{version}");
        assert_eq!(answer["id"], 3);
    }
}

/// 2.8: another version in the header is refused, a missing one tolerated.
#[tokio::test]
async fn the_version_header_must_fit_the_session() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::with(&served, "2025-06-18", json!({})).await;
    let list = session.request(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    served.send(&list).await.expect(200);
    served.send(&list.clone().without("mcp-protocol-version")).await.expect(200);
    // Clients in the field send another legacy revision than the negotiated one; that is tolerated.
    for other in ["2025-11-25", "2024-11-05"] {
        served.send(&list.clone().with("mcp-protocol-version", other)).await.expect(200);
    }
    for wrong in ["2026-07-28", "2025-06-19", "x", ""] {
        let reply = served.send(&list.clone().with("mcp-protocol-version", wrong)).await;
        assert_eq!(reply.status, 400, "{wrong}");
    }
}

/// 2.13: no second handshake within a session; 2.12: wrong handshakes say what is wrong.
#[tokio::test]
async fn handshakes_that_cannot_be() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let initialize = |params: Value| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        Request::post(body.to_string())
    };
    let good = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
    let again = initialize(good.clone()).header("mcp-session-id", &session.id);
    served.send(&again).await.expect(400);
    for wrong in [
        json!({}),
        json!({ "protocolVersion": 7, "capabilities": {} }),
        json!({ "protocolVersion": "2025-11-25" }),
        json!({ "protocolVersion": "2025-11-25", "capabilities": [] }),
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": "me" }),
    ] {
        let reply = served.send(&initialize(wrong.clone())).await;
        assert!(reply.header("mcp-session-id").is_none(), "{wrong}");
        let answer = reply.expect(400).json().await;
        assert_eq!(error(&answer).0, -32602, "{wrong}");
    }
    // 2.9: a client that sends the header with its handshake is not punished for it.
    served.send(&initialize(good).header("mcp-protocol-version", "2025-06-18")).await.expect(200);
}

/// 2.11: requests that overtake `notifications/initialized` are served.
#[tokio::test]
async fn a_request_before_initialized_is_served() {
    let served = Mcpwrap::dev().start().await;
    let reply = initialize(&served, "2025-11-25", json!({})).await.expect(200);
    let id = reply.header("mcp-session-id").unwrap().to_owned();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let request = Request::post(body.to_string()).header("mcp-session-id", id);
    assert!(served.send(&request).await.json().await["result"]["tools"].is_array());
}

/// 2.15: ping is answered while the session lives, whatever its child does.
#[tokio::test]
async fn ping_is_answered_though_the_child_is_deaf() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    session.call("deaf", json!({})).await;
    let answer = session.get("ping", json!({})).await;
    assert_eq!(answer["result"], json!({}));
}

/// 2.14: a session that nobody uses ends, and the child that it had for itself with it; 2.3.
#[tokio::test]
async fn an_idle_session_ends_and_frees_its_child() {
    let setup = Mcpwrap::dev().flags(["--session-idle", "1s", "--child-scope", "session"]);
    let served = setup.start().await;
    let session = Session::new(&served).await;
    let pid = session.pid().await;
    eventually("the child's end", || !is_alive(pid)).await;
    session.ask(json!(1), "ping", json!({})).await.expect(404);
}

/// 6.22: one child for all sessions of a user, or one for each session.
#[tokio::test]
async fn sessions_share_a_child_or_have_their_own() {
    let served = Mcpwrap::dev().start().await;
    let (one, other) = (Session::new(&served).await, Session::new(&served).await);
    assert_eq!(one.pid().await, other.pid().await);
    let served = Mcpwrap::dev().flags(["--child-scope", "session"]).start().await;
    let (one, other) = (Session::new(&served).await, Session::new(&served).await);
    assert_ne!(one.pid().await, other.pid().await);
}

/// 4.22: a child is told of what its client can do, and of nothing else.
#[tokio::test]
async fn a_child_is_told_of_its_clients_capabilities() {
    let served = Mcpwrap::dev().start().await;
    let (able, unable) = (Session::able(&served).await, Session::new(&served).await);
    assert_ne!(able.pid().await, unable.pid().await);
    for (session, capabilities) in [(&able, all_capabilities()), (&unable, json!({}))] {
        let seen = session.call("journal", json!({ "until": "\"initialize\"" })).await;
        let line = structured(&seen)["lines"][0].as_str().unwrap().to_owned();
        let greeting: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(greeting["params"]["capabilities"], capabilities);
    }
}

/// 2.23: an answer to nothing that was asked.
#[tokio::test]
async fn an_answer_that_was_never_asked_for_is_400() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    for id in [json!(1), json!(77), json!("1"), json!("x"), json!(-1)] {
        let body = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
        session.post(&body).await.expect(400);
    }
}

/// 2.14: a user has so many sessions and no more; one that ends makes room for another.
#[tokio::test]
async fn sessions_are_bounded_and_make_room() {
    const MOST: usize = 1024;
    let served = Mcpwrap::dev().start().await;
    let first = Session::new(&served).await;
    let open = || initialize(&served, "2025-11-25", json!({}));
    for _ in 0..MOST / 32 {
        let more = futures_util::future::join_all((0..32).map(|_| open())).await;
        for reply in more {
            assert!(reply.status == 200 || reply.status == 429);
        }
    }
    let refused = open().await.expect(429).json().await;
    assert!(error(&refused).1.contains("too many sessions"), "{refused}");
    assert_eq!(first.get("ping", json!({})).await["result"], json!({}));
    let end = Request::new("DELETE").header("mcp-session-id", &first.id);
    served.send(&end).await.expect(204);
    open().await.expect(200);
    open().await.expect(429);
}
