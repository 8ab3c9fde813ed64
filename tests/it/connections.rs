//! Connections that go away, fall silent or do not read: what that means for the call, and for nobody else.
use mcpwrap::mcp::Era;

use crate::support::*;

/// 3.42, 5.31: a modern client that hangs up takes its call back, as a document or as a stream.
#[tokio::test]
async fn a_modern_client_that_hangs_up_cancels() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.flags(["--keep-alive", "300ms"]).start().await;
        let modern = Modern::new(&served);
        let body = modern.body(json!(1), "tools/call", json!({ "name": "hold" }));
        let waiting = modern.request(&body).send_only(served.at).await;
        modern.call("held", json!({ "count": 1 })).await;
        drop(waiting);
        modern.call("journal", json!({ "until": "notifications/cancelled" })).await;
        let stream = modern.request(&body).send(served.at).await.expect(200).events();
        modern.call("held", json!({ "count": 1 })).await;
        drop(stream);
        modern.call("journal", json!({ "until": "notifications/cancelled", "times": 2 })).await;
    }
}

/// 2.21: a legacy client that hangs up does not, not even before anything was said.
#[tokio::test]
async fn a_legacy_client_that_hangs_up_does_not_cancel() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let params = json!({ "name": "hold", "arguments": { "key": "k" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let waiting = session.request(&body).send_only(served.at).await;
    session.call("held", json!({ "count": 1 })).await;
    drop(waiting);
    session.call("echo", json!({})).await;
    let held = session.call("held", json!({ "count": 1 })).await;
    assert_eq!(structured(&held)["held"], 1);
    let seen = session.call("journal", json!({ "until": "tools/call" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("notifications/cancelled"));
}

/// 1.14, 1.16, 10.28: a call that takes long becomes a stream that shows signs of life, in either era.
#[tokio::test]
async fn a_long_call_becomes_a_stream_that_is_kept_alive() {
    let served = Mcpwrap::dev().flags(["--keep-alive", "200ms"]).start().await;
    let session = Session::new(&served).await;
    let modern = Modern::new(&served);
    for era in [Era::Legacy, Era::Modern] {
        let hold = json!({ "key": "a" });
        let reply = match era {
            Era::Legacy => session.begin(json!(1), "hold", hold).await,
            Era::Modern => modern.begin(json!(1), "hold", hold).await,
        };
        assert_eq!(reply.header("x-accel-buffering"), Some("no"), "1.13");
        assert!(reply.header("cache-control").unwrap().contains("no-store"), "1.13");
        let mut events = reply.expect(200).events();
        let mut comments = 0;
        while comments < 3 {
            match events.spoken().await.unwrap() {
                Spoken::Comment => comments += 1,
                Spoken::Event { data, .. } => assert_eq!(data, "", "only an id comes first"),
            }
        }
        session.call("release", json!({})).await;
        assert_eq!(structured(&events.message().await.unwrap())["key"], "a");
        assert_eq!(events.message().await, None);
    }
}

/// 1.14: quiet streams too.
#[tokio::test]
async fn quiet_streams_are_kept_alive() {
    let served = Mcpwrap::dev().flags(["--keep-alive", "100ms"]).start().await;
    let session = Session::new(&served).await;
    let mut listening = Modern::new(&served).listen(json!(1), json!({})).await;
    listening.message().await;
    for events in [&mut session.listen().await, &mut listening] {
        for _ in 0..3 {
            assert_eq!(events.spoken().await, Some(Spoken::Comment));
        }
    }
}

/// 4.11: a slow HTTP reader slows only its own call.
#[tokio::test]
async fn a_slow_reader_slows_only_its_own_call() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let modern = Modern::new(&served);
    let big = json!({ "name": "big", "arguments": { "bytes": 30 << 20 } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": big });
    let slow = session.request(&body).send_only(served.at).await;
    let logs = json!({
        "name": "progress", "arguments": { "steps": 50_000 }, "_meta": { "progressToken": 1 },
    });
    let body = modern.body(json!(1), "tools/call", logs.clone());
    let slower = modern.request(&body).send_only(served.at).await;
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": logs });
    let slowest = session.request(&body).send_only(served.at).await;
    for _ in 0..20 {
        assert_eq!(text(&session.call("big", json!({ "bytes": 100_000 })).await).len(), 100_000);
        modern.call("echo", json!({})).await;
    }
    // Whoever reads at last finds everything that must not be lost.
    assert_eq!(text(&Reply::read(slow).await.answer().await).len(), 30 << 20);
    for connection in [slower, slowest] {
        let answer = Reply::read(connection).await.answer().await;
        assert_eq!(text(&answer), "progressed");
    }
}

/// A client that is gone before its child has started spoils nothing for the next one.
#[tokio::test]
async fn hanging_up_during_the_start_spoils_nothing() {
    let served = Mcpwrap::dev().child(["--probe", "exit"]).start().await;
    let modern = Modern::new(&served);
    let body = modern.body(json!(1), "tools/call", json!({ "name": "echo" }));
    drop(modern.request(&body).send_only(served.at).await);
    assert!(modern.call("echo", json!({})).await["result"].is_object());
}

/// A client that dribbles its request holds up nobody.
#[tokio::test]
async fn a_request_that_never_ends_holds_up_nobody() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut half = session.request(&json!({})).header("content-length", "1000");
    half.body = b"{\"jsonrpc\"".to_vec();
    let connections = futures_util::future::join_all((0..50).map(|_| half.send_only(served.at)));
    let _connections = connections.await;
    session.call("echo", json!({})).await;
}

/// 1.15: an event is one line, whatever the payload holds.
#[tokio::test]
async fn line_ends_in_a_payload_do_not_end_its_event() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let words = "a\r\nb\n\ndata: c\rid: 9\u{2028}";
    let arguments = json!({ "level": "info", "text": words });
    let said = session.begin(json!(1), "log", arguments).await.expect(200).events().rest().await;
    assert_eq!(said[0]["params"]["data"], words);
}

/// 4.33: a child that nobody uses is stopped, and started again for the next call.
#[tokio::test]
async fn an_idle_child_is_stopped_and_started_again() {
    let served = Mcpwrap::dev().flags(["--child-idle", "1s"]).start().await;
    let modern = Modern::new(&served);
    let first = modern.pid().await;
    eventually("the end of the idle child", || !is_alive(first)).await;
    assert_ne!(modern.pid().await, first);
    // Whoever waits for news of a resource needs the child that reports it, so that one stays when another is stopped
    // that was used after it.
    let session = Session::able(&served).await;
    let stream = session.listen().await;
    session.get("resources/subscribe", json!({ "uri": "test://a" })).await;
    let kept = session.pid().await;
    let idle = modern.pid().await;
    assert_ne!(idle, kept);
    eventually("the end of the idle child", || !is_alive(idle)).await;
    assert_eq!(session.pid().await, kept);
    drop(stream);
    eventually("the end of the child that nobody waits for", || !is_alive(kept)).await;
    assert_ne!(session.pid().await, kept);
}
