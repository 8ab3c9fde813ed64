//! A child that dies: those who wait are told, the next call has a fresh child. What becomes of sessions is next door.

use crate::support::*;

/// 4.31, 6.20: modern clients have nothing to lose but the call.
#[tokio::test]
async fn a_modern_client_is_told_and_calls_again() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let modern = Modern::new(&served);
        let first = modern.pid().await;
        let reply = modern.begin(json!(1), "exit", json!({ "code": 7 })).await.expect(200);
        let answer = reply.json().await;
        assert!(error(&answer).1.contains('7'), "{answer}");
        is_unknown(&answer);
        assert_ne!(modern.pid().await, first);
    }
}

/// Whether the call was carried out is not known, and the client is told so.
fn is_unknown(answer: &Value) {
    assert_eq!(error(answer).0, -32603);
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert!(error(answer).1.contains("whether the call was carried out is not known"), "{answer}");
}

/// Seen from outside: proxies and clients send again what was answered with a 503, and a write ran twice. What has left for
/// the server is never a 503: in a document, on a stream, in a batch.
#[tokio::test]
async fn a_call_that_may_have_been_carried_out_is_not_invited_again() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let child = modern.pid().await;
    let progress = json!({
        "jsonrpc": "2.0", "method": "notifications/progress",
        "params": { "progressToken": "$token", "progress": 1 },
    });
    let params = json!({
        "name": "say", "arguments": { "lines": [progress] }, "_meta": { "progressToken": 1 },
    });
    let mut stream = modern.ask(json!(1), "tools/call", params).await.expect(200).events();
    stream.expect("notifications/progress").await;
    kill_hard(child);
    is_unknown(&stream.message().await.unwrap());

    for version in ["2025-03-26", "2025-11-25"] {
        let served = Mcpwrap::dev().start().await;
        let session = Session::with(&served, version, json!({})).await;
        let call = |id: u8, tool: &str| {
            let params = json!({ "name": tool, "arguments": {} });
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
        };
        let body = match version {
            "2025-03-26" => json!([call(1, "never"), call(2, "exit")]),
            _ => call(1, "exit"),
        };
        let reply = session.post(&body).await.expect(200);
        let answers = match reply.is_stream() {
            true => reply.events().rest().await,
            false => vec![reply.json().await],
        };
        assert_eq!(answers.len(), body.as_array().map_or(1, Vec::len), "{answers:?}");
        answers.iter().for_each(is_unknown);
    }
}

/// Behind a server that does not read: what has left in part may be done, what has not may be sent again.
#[tokio::test]
async fn only_what_has_not_left_is_a_503() {
    let served = Mcpwrap::dev().flags(["--trace"]).start().await;
    let modern = Modern::new(&served);
    let child = modern.pid().await;
    assert_eq!(text(&modern.call("deaf", json!({})).await), "deaf now");
    let large = modern.begin(json!(1), "echo", json!({ "padding": "x".repeat(1 << 20) }));
    let small = async {
        served.stderr.wait("→ tools/call echo").await;
        modern.begin(json!(2), "held", json!({})).await
    };
    let end = async {
        served.stderr.wait("→ tools/call held").await;
        kill_hard(child);
    };
    let (large, small, ()) = futures_util::future::join3(large, small, end).await;
    is_unknown(&large.expect(200).json().await);
    let small = small.expect(503);
    assert_eq!(small.header("retry-after"), Some("1"));
    assert_eq!(small.json().await["error"]["data"]["outcome"], "unsent");
}

/// Half an answer is no answer, and what was whole before it counts.
#[tokio::test]
async fn a_child_that_dies_within_an_answer() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    is_unknown(
        &modern.begin(json!(1), "exit", json!({ "when": "half" })).await.expect(200).json().await,
    );
    let answer = modern.call("exit", json!({ "when": "after" })).await;
    assert_eq!(text(&answer), "goodbye");
    eventually_works(&modern).await;
}

/// SIGKILL between calls: the next call of a modern client does not even notice.
#[tokio::test]
async fn a_child_killed_between_calls_is_replaced() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let first = modern.pid().await;
    kill_hard(first);
    served.stderr.wait("ended unexpectedly").await;
    assert_ne!(modern.pid().await, first);
}

/// SIGKILL in the probe and in `initialize`: the start fails with a reason, and the next one works.
#[tokio::test]
async fn a_child_killed_while_it_is_greeted() {
    for greeting in ["--probe", "--hello"] {
        let dir = Scratch::new();
        let starts = dir.join("starts");
        let path = starts.to_str().unwrap();
        let setup = Mcpwrap::dev().child([greeting, "silent", "--starts", path]);
        let setup = match greeting {
            "--hello" => setup.flags(["--child-era", "legacy"]),
            _ => setup,
        };
        let served = setup.start().await;
        let pids = || -> Vec<i32> {
            let text = std::fs::read_to_string(&starts).unwrap_or_default();
            text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
        };
        eventually("a start", || !pids().is_empty()).await;
        kill_hard(pids()[0]);
        if greeting == "--probe" {
            // What exits on the probe is started again without it, and then answers.
            assert!(Modern::new(&served).call("echo", json!({})).await["result"].is_object());
        } else {
            served.stderr.wait("could not start").await;
        }
    }
}

/// What answers and crashes later is no crash loop, however often it does.
#[tokio::test]
async fn a_server_that_served_is_started_again_at_once() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let mut last = 0;
    for _ in 0..3 {
        let pid = modern.pid().await;
        assert_ne!(pid, last);
        is_unknown(
            &modern.begin(json!(1), "exit", json!({ "code": 7 })).await.expect(200).json().await,
        );
        last = pid;
    }
    assert_ne!(modern.pid().await, last);
    let crashes = || {
        let lines = served.stderr.lines().into_iter();
        lines.filter(|line| line.contains("ended unexpectedly")).collect::<Vec<_>>()
    };
    eventually("three crashes", || crashes().len() == 3).await;
    assert!(crashes().iter().all(|line| line.contains("failures=1")), "{:?}", crashes());
}

/// A caller who comes while a server that keeps crashing rests waits for its restart.
#[tokio::test]
async fn whoever_comes_after_crashes_waits_for_the_restart() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let crash = || modern.begin(json!(1), "exit", json!({ "code": 7 }));
    is_unknown(&crash().await.expect(200).json().await);
    let began = std::time::Instant::now();
    is_unknown(&crash().await.expect(200).json().await);
    assert!(modern.call("echo", json!({})).await["result"].is_object());
    assert!(began.elapsed() >= std::time::Duration::from_secs(1), "there was a rest");
    served.stderr.wait("failures=2").await;
}

/// Crash loops back off and say so to whoever would wait too long; a child that has recovered serves again. Each crash
/// doubles the rest, so that sooner or later a caller comes within it, however slow he is.
#[tokio::test]
async fn crash_loops_back_off_and_say_so() {
    let served = Mcpwrap::dev().flags(["--start-wait", "1s"]).start().await;
    let modern = Modern::new(&served);
    let crash = || modern.begin(json!(1), "exit", json!({ "code": 7 }));
    let (wait, answer) = loop {
        let reply = crash().await;
        if reply.status == 200 {
            is_unknown(&reply.json().await);
            continue;
        }
        let reply = reply.expect(503);
        let wait = reply.header("retry-after").map(|wait| wait.parse::<u64>().unwrap());
        let answer = reply.json().await;
        if error(&answer).1.contains("keeps crashing") {
            break (wait.expect("when to come back"), answer);
        }
    };
    assert!((2..=30).contains(&wait), "{wait}");
    assert!(error(&answer).1.contains("times in a row"), "{answer}");
    assert!(error(&answer).1.contains('7'), "{answer}");
    served.stderr.wait("failures=3").await;
    eventually_works(&modern).await;
}

/// A start that fails says why, is not tried at once, and does not spoil the next one.
#[tokio::test]
async fn a_failed_start_does_not_spoil_the_next_one() {
    let dir = Scratch::new();
    let starts = dir.join("starts");
    // A start that fails is two, the probe and the one without it. The first is nobody's; the second is the caller's own,
    // unless he comes so soon that he is refused.
    let setup = Mcpwrap::dev().child(["--crashes", "4", "--starts", starts.to_str().unwrap()]);
    let served = setup.start().await;
    served.stderr.wait("could not start").await;
    let modern = Modern::new(&served);
    let reply = modern.begin(json!(1), "echo", json!({})).await.expect(503);
    assert!(reply.header("retry-after").is_some());
    assert!(error(&reply.json().await).1.contains("could not be started"));
    eventually_works(&modern).await;
    assert_eq!(std::fs::read_to_string(&starts).unwrap().lines().count(), 5);
}

/// 3.27: a command that does not exist is an answer, not a hang; the URL is printed nevertheless.
#[tokio::test]
async fn a_command_that_does_not_exist_is_said() {
    let served = Mcpwrap::dev().command(["/nowhere/at-all"]).start().await;
    let answer = Modern::new(&served).begin(json!(1), "echo", json!({})).await.expect(503);
    let answer = answer.json().await;
    assert!(error(&answer).1.contains("no such program"), "{answer}");
    let reply = initialize(&served, "2025-11-25", json!({})).await.expect(503);
    assert!(reply.header("mcp-session-id").is_none());
}

/// Asks until the answer is one, as often as the answer says.
async fn eventually_works(modern: &Modern) {
    until("a child that works", async || {
        let reply = modern.begin(json!(1), "echo", json!({})).await;
        (reply.status == 200).then_some(())
    })
    .await;
}
