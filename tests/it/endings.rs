//! The end of mcpwrap: nothing new begins, what goes on has its grace, streams end in order, and nothing is left.

use nix::sys::signal::Signal;

use crate::support::*;

/// Nothing new once it was told to stop: 503, with when to come again.
async fn expect_refusals(served: &Served) {
    let modern = Modern::new(served);
    let reply = until("a refusal", async || {
        let reply = modern.begin(json!(1), "echo", json!({})).await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    assert!(reply.header("retry-after").is_some());
    assert!(error(&reply.json().await).1.contains("shutting down"));
}

/// A call that asks its user goes on for its answer, and is answered itself; nothing new begins meanwhile.
#[tokio::test]
async fn calls_finish_and_nothing_new_begins() {
    let mut served = Mcpwrap::dev().flags(["--grace", "1h"]).start().await;
    let session = Session::able(&served).await;
    let mut standalone = session.listen().await;
    let mut events = session.begin(json!(1), "ask", json!({})).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    served.signal(Signal::SIGTERM);
    expect_refusals(&served).await;
    let reply = session.begin(json!(2), "echo", json!({})).await.expect(503);
    assert!(reply.header("retry-after").is_some());
    initialize(&served, "2025-11-25", json!({})).await.expect(503);
    session.answer(&question, json!({ "action": "accept" })).await;
    let answer = events.message().await.unwrap();
    assert_eq!(structured(&answer)["answers"][0]["result"]["action"], "accept");
    assert_eq!(events.message().await, None);
    assert_eq!(standalone.message().await, None);
    assert_eq!(served.ended().await.code(), Some(0));
}

/// What is still under way when the grace is over is told so, on a stream that ends as streams end.
#[tokio::test]
async fn a_call_that_overruns_the_grace_is_told() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let mut served = setup.flags(["--grace", "1s", "--keep-alive", "1s"]).start().await;
        let modern = Modern::new(&served);
        let pid = modern.pid().await;
        let begun = modern.begin(json!(1), "never", json!({})).await;
        served.signal(Signal::SIGTERM);
        let answer = begun.answer().await;
        assert!(error(&answer).1.contains("was stopped while it worked on this call"), "{answer}");
        assert_eq!(served.ended().await.code(), Some(0));
        assert!(!is_alive(pid));
    }
}

/// A start under way keeps nobody, however long it might take.
#[tokio::test]
async fn a_start_under_way_is_abandoned() {
    let dir = Scratch::new();
    let starts = dir.join("starts");
    let child = ["--hello", "silent", "--starts", starts.to_str().unwrap()];
    let flags = ["--child-era", "legacy", "--start-timeout", "1h", "--grace", "1h"];
    let mut served = Mcpwrap::dev().child(child).flags(flags).start().await;
    let started = || std::fs::read_to_string(&starts).unwrap_or_default();
    eventually("a start", || started().ends_with('\n')).await;
    let pid: i32 = started().trim().parse().unwrap();
    served.signal(Signal::SIGTERM);
    assert_eq!(served.ended().await.code(), Some(0));
    eventually("the end of the child", || !is_alive(pid)).await;
}

/// A second signal waits for nobody: not for calls, and not for a child that hears nothing.
#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut served = Mcpwrap::dev().flags(["--grace", "1h"]).start().await;
    let session = Session::new(&served).await;
    let pid = session.pid().await;
    let params = json!({ "name": "never" });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let _waiting = session.request(&body).send_only(served.at).await;
    session.call("deaf", json!({})).await;
    served.signal(Signal::SIGTERM);
    expect_refusals(&served).await;
    assert!(is_alive(pid));
    served.signal(Signal::SIGTERM);
    assert_eq!(served.ended().await.code(), Some(0));
    eventually("the end of the child", || !is_alive(pid)).await;
}
