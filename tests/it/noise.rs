//! What a child prints that is not MCP: shown with its name, bounded, never to a client, never in the way (4.3, 4.5).

use crate::support::*;

/// Banners, half lines, other encodings, numbers, answers to nothing: none of it gets in the way of an answer.
#[tokio::test]
async fn noise_on_stdout_is_logged_and_reaches_no_client() {
    let served = Mcpwrap::dev().child(["--banner", "welcome to my server"]).start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    let reply = session.begin(json!(1), "noise", json!({})).await.expect(200);
    assert_eq!(text(&reply.json().await), "after the noise");
    session.call("changed", json!({ "list": "tools" })).await;
    stream.expect("notifications/tools/list_changed").await;
    let line = served.stderr.wait("stdout: a banner").await;
    assert!(line.contains("fixture-child"), "{line}");
    served.stderr.wait("not utf-8").await;
}

/// The banner of a start comes before the handshake is over.
#[tokio::test]
async fn a_banner_before_the_handshake_is_skipped() {
    let served = Mcpwrap::dev().child(["--banner", "welcome \u{1b}[2J"]).start().await;
    let line = served.stderr.wait("welcome").await;
    assert!(line.contains("fixture-child") && !line.contains('\u{1b}'), "{line:?}");
    assert!(Session::new(&served).await.call("echo", json!({})).await["result"].is_object());
}

/// A line of 200 MB: thrown away as it comes, neither kept nor in the way.
#[tokio::test]
async fn a_line_of_200_mb_is_skipped() {
    let served = Mcpwrap::dev().flags(["--max-line", "1MiB"]).start().await;
    let session = Session::new(&served).await;
    let answer = session.call("huge", json!({ "bytes": 200_000_000 })).await;
    assert_eq!(text(&answer), "after the huge line");
    served.stderr.wait("skipped a line of 200000000 bytes").await;
    let peak = proc::field(served.pid(), "VmHWM");
    let kib: u64 = peak.trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 100_000, "{kib} KiB at the peak");
}

/// An answer that is longer than allowed is an error for its caller and for nobody else.
#[tokio::test]
async fn an_answer_over_the_limit_is_an_error() {
    let served = Mcpwrap::dev().flags(["--max-line", "1MiB"]).start().await;
    let session = Session::new(&served).await;
    let arguments = json!({ "bytes": 3_000_000, "as": "answer" });
    let answer = session.call("huge", arguments).await;
    assert!(error(&answer).1.contains("larger than allowed (--max-line)"), "{answer}");
    session.call("echo", json!({})).await;
}

/// Floods on either stream neither stall the child nor the calls beside them, and little of them is shown.
#[tokio::test]
async fn floods_stall_nobody() {
    let served = Mcpwrap::dev().child(["--flood", "stderr"]).start().await;
    let session = Session::new(&served).await;
    for stream in ["stdout", "stderr"] {
        let arguments = json!({ "stream": stream, "bytes": 20_000_000 });
        assert_eq!(text(&session.call("flood", arguments).await), "after the flood");
    }
    // Something of either is shown, and that the rest is not.
    for said in ["stdout: flood ...", "| flood ...", "lines dropped)"] {
        served.stderr.wait(said).await;
    }
    let shown = served.stderr.lines().iter().filter(|line| line.contains("flood ...")).count();
    assert!(shown < 2_000, "{shown} of 44000 lines were shown");
}

/// stderr is shown with the child's name, without what would steer a terminal.
#[tokio::test]
async fn stderr_is_shown_with_the_name_of_the_child() {
    let script = "printf 'warn \\033[31mred\\n' >&2; exec cat > /dev/null";
    let setup = Mcpwrap::dev().command(["sh", "-c", script]).flags(["--name", "my-server"]);
    let served = setup.start().await;
    let line = served.stderr.wait("red").await;
    assert!(line.contains("my-server") && !line.contains('\u{1b}'), "{line:?}");
}

/// 4.8: several messages in one array, as a child of 2025-03-26 may write them, are as good as several lines.
#[tokio::test]
async fn a_batch_of_a_child_is_unpacked() {
    for revision in ["2025-03-26", "2025-11-25"] {
        let served = Mcpwrap::dev().child(["--revision", revision]).start().await;
        let session = Session::with(&served, revision, json!({ "sampling": {} })).await;
        let progress = json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": "$token", "progress": 1 },
        });
        let ask = json!({
            "jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage",
            "params": { "messages": [], "maxTokens": 1 },
        });
        let end = json!({ "jsonrpc": "2.0", "id": "$id", "result": { "content": [] } });
        let params = json!({
            "name": "say", "arguments": { "lines": [[progress, 7, [], ask, end], []] },
            "_meta": { "progressToken": "mine" },
        });
        let told = session.ask(json!("c"), "tools/call", params).await.expect(200).events();
        let told = told.rest().await;
        assert_eq!(told[0]["params"]["progressToken"], "mine", "{told:?}");
        assert_eq!(told[1]["method"], "sampling/createMessage");
        assert_eq!(told.last().unwrap()["id"], "c");
        session.call("echo", json!({})).await;
    }
}
