//! Children that do not answer, do not read, or say too much: a clear error within a deadline, and nobody else
//! is held up.

use crate::support::*;

/// 1.19: a call that is never answered ends at its deadline, and the child is told.
#[tokio::test]
async fn a_call_that_is_never_answered_ends_in_time() {
    let served = Mcpwrap::dev().flags(["--call-timeout", "1s"]).start().await;
    let session = Session::new(&served).await;
    let modern = Modern::new(&served);
    let (one, other) = futures_util::future::join(
        session.call("never", json!({})),
        modern.call("never", json!({})),
    )
    .await;
    for answer in [one, other] {
        let (code, message) = error(&answer);
        assert_eq!(code, -32603);
        assert!(message.contains("did not answer within 1 s"), "{message}");
    }
    let until = json!({ "until": "notifications/cancelled", "times": 2 });
    session.call("journal", until).await;
}

/// 1.19: calls of a child that does not even take them in end at their deadline, and mcpwrap itself still answers.
#[tokio::test]
async fn a_child_that_never_reads_holds_up_nobody_for_long() {
    let served = Mcpwrap::dev().flags(["--call-timeout", "1s"]).start().await;
    let session = Session::new(&served).await;
    session.call("deaf", json!({})).await;
    // More than any pipe holds, so that the bridge cannot even write.
    let much = json!({ "text": "z".repeat(2 << 20) });
    let calls = (0..8).map(|_| session.call("echo", much.clone()));
    for answer in futures_util::future::join_all(calls).await {
        assert!(error(&answer).1.contains("did not answer within 1 s"), "{answer}");
    }
    assert_eq!(session.get("ping", json!({})).await["result"], json!({}));
}

/// Nor for ever: it is told to close beside what it does not read, and its place is free again.
#[tokio::test]
async fn a_child_that_never_reads_is_closed_all_the_same() {
    let flags = ["--call-timeout", "1s", "--child-idle", "1s"];
    let served = Mcpwrap::dev().flags(flags).start().await;
    let modern = Modern::new(&served);
    let first = modern.pid().await;
    modern.call("deaf", json!({})).await;
    // More than is queued for a child that does not read.
    let much = json!({ "text": "z".repeat(9 << 20) });
    let answer = modern.call("echo", much).await;
    assert!(error(&answer).1.contains("did not answer within 1 s"), "{answer}");
    let process = format!("/proc/{first}");
    eventually("the end of the child", || !std::path::Path::new(&process).exists()).await;
    assert_ne!(modern.pid().await, first);
}

/// A child that never reads at all, never answers `initialize`, or answers it with garbage.
#[tokio::test]
async fn a_child_that_cannot_be_greeted_is_an_error_in_time() {
    let cases = [
        ("--deaf", "", "did not answer the handshake within 1 s"),
        ("--hello", "silent", "did not answer the handshake within 1 s"),
        ("--hello", "exit", "exited during the handshake"),
        ("--hello", "garbage", "something that is not MCP"),
        ("--hello", "error", "refused to initialize"),
    ];
    let checks = cases.map(|(flag, value, said)| async move {
        let setup = Mcpwrap::dev().flags(["--start-timeout", "1s"]).child([flag, value]);
        let served = setup.start().await;
        let answer = Modern::new(&served).begin(json!(1), "echo", json!({})).await.expect(503);
        let answer = answer.json().await;
        assert!(error(&answer).1.contains(said), "{flag} {value}: {answer}");
        let reply = initialize(&served, "2025-11-25", json!({})).await.expect(503);
        assert!(error(&reply.json().await).1.contains(said), "{flag} {value}");
    });
    futures_util::future::join_all(checks).await;
}

/// 4.13 to 4.15: whatever a legacy server makes of the probe, it is greeted as one.
#[tokio::test]
async fn every_answer_to_the_probe_leads_to_a_greeting() {
    for probe in ["error", "garbage", "exit"] {
        let served = Mcpwrap::dev().child(["--probe", probe]).start().await;
        let session = Session::new(&served).await;
        assert_eq!(session.hello["result"]["serverInfo"]["name"], "fixture", "{probe}");
    }
}

/// A server that keeps silent about the probe gets `initialize` behind it; the client is kept alive meanwhile.
#[tokio::test]
async fn a_silent_probe_is_followed_by_a_greeting() {
    let setup = Mcpwrap::dev().child(["--probe", "silent"]).flags(["--keep-alive", "1s"]);
    let served = setup.start().await;
    let reply = initialize(&served, "2025-11-25", json!({})).await.expect(200);
    let id = reply.header("mcp-session-id").unwrap().to_owned();
    assert!(reply.is_stream(), "a slow start becomes a stream");
    assert!(reply.answer().await["result"].is_object());
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    served.send(&Request::post(ping).header("mcp-session-id", id)).await.expect(200);
}

/// 4.34: an output that ends is an end, though the process lives on.
#[tokio::test]
async fn a_closed_output_is_an_end() {
    let script = "exec 3>&1; echo '{}' >&3; exec 1>&- 3>&-; cat >/dev/null";
    let setup = Mcpwrap::dev().command(["sh", "-c", script]).flags(["--start-timeout", "5s"]);
    let served = setup.start().await;
    let answer = Modern::new(&served).begin(json!(1), "echo", json!({})).await.expect(503);
    assert!(error(&answer.json().await).1.contains("exited during the handshake"));
}
