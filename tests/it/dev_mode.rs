//! What `mcpwrap dev` does for one developer: where it listens, what it says, traces, restarts, how it ends.

use nix::sys::signal::Signal;

use crate::support::*;

/// Any address but loopback is refused with exit code 2 and a hint that names `serve`.
#[tokio::test]
async fn listening_beyond_loopback_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let Ended { code, out, err: said } = Mcpwrap::dev().listen(address).refused().await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains("hint:") && said.contains("mcpwrap serve"), "{said}");
    }
}

/// Port 8808 is taken: the next free one, and it says so. A port that was asked for is an error instead.
#[tokio::test]
async fn the_default_port_gives_way_and_says_so() {
    let _taken = std::net::TcpListener::bind("127.0.0.1:8808");
    let served = Mcpwrap::dev().listen_by_default().start().await;
    assert!(served.at.port() > 8808, "{}", served.url);
    let line = served.stderr.wait("8808 is taken").await;
    assert!(line.contains("note"), "{line}");
    Session::new(&served).await.call("echo", json!({})).await;
    let ended = Mcpwrap::dev().listen(&served.at.to_string()).refused().await;
    let said = ended.err;
    assert_eq!(ended.code, Some(1), "{said}");
    assert!(said.contains(&served.at.to_string()), "{said}");
}

/// The child has the developer's own environment, what `--env` adds, and the directory of `--cwd`.
#[tokio::test]
async fn the_child_has_the_developers_environment() {
    let dir = Scratch::new();
    let setup = Mcpwrap::dev().env("FROM_SHELL", "yes").child(["--without", "a b'c"]);
    let flags = ["--env", "ADDED=1", "--env", "FROM_SHELL=no", "--cwd", dir.to_str().unwrap()];
    let served = setup.flags(flags).start().await;
    let answer = Session::new(&served).await.call("whoami", json!({})).await;
    let who = structured(&answer);
    assert_eq!((&who["env"]["ADDED"], &who["env"]["FROM_SHELL"]), (&json!("1"), &json!("no")));
    assert_eq!(who["env"]["PATH"].as_str().unwrap(), std::env::var("PATH").unwrap());
    assert_eq!(who["argv"].as_array().unwrap()[1..], ["--without", "a b'c"]);
    assert_eq!(who["cwd"].as_str().unwrap(), dir.canonicalize().unwrap().to_str().unwrap());
}

/// stdout has the URL alone; stderr the server, its tools and settings to paste.
#[tokio::test]
async fn the_developer_sees_what_is_ready() {
    let served = Mcpwrap::dev().flags(["--name", "mine"]).start().await;
    assert_eq!(served.url, format!("http://{}/mcp", served.at));
    served.stderr.wait("server fixture 1.2.3").await;
    served.stderr.wait("tools echo, big").await;
    let line = served.stderr.wait("claude mcp add").await;
    assert!(line.contains("mine") && line.contains(&served.url), "{line}");
}

/// `--trace` shows each message in a line: direction, method, name, size, outcome.
#[tokio::test]
async fn trace_shows_each_message() {
    let served = Mcpwrap::dev().flags(["--trace"]).start().await;
    let session = Session::able(&served).await;
    session.call("echo", json!({ "word": "in-the-payload" })).await;
    let line = served.stderr.wait("→ tools/call echo").await;
    assert!(line.contains(" B"), "{line}");
    let line = served.stderr.wait("← tools/call echo").await;
    assert!(line.ends_with("ok"), "{line}");
    session.get("resources/read", json!({ "uri": "test://missing" })).await;
    served.stderr.wait("error -32002: resource not found").await;
    let mut events = session.begin(json!(1), "ask", json!({})).await.events();
    events.expect("elicitation/create").await;
    served.stderr.wait("← elicitation/create (asks)").await;
    assert!(!served.stderr.has("in-the-payload"));
    let served = Mcpwrap::dev().flags(["--trace=full"]).start().await;
    Session::new(&served).await.call("echo", json!({ "word": "in-the-payload" })).await;
    served.stderr.wait("in-the-payload").await;
}

/// `--watch`: a fresh child with the same sessions; handshake, level and subscriptions are told again, then the
/// clients hear that the lists changed.
#[tokio::test]
async fn watch_restarts_the_child_and_sessions_stay() {
    let dir = Scratch::new();
    let file = dir.join("tools");
    std::fs::write(&file, "before").unwrap();
    let path = file.to_str().unwrap();
    let setup = Mcpwrap::dev().child(["--tools", path]).flags(["--watch", path]);
    let served = setup.start().await;
    let session = Session::new(&served).await;
    let modern = Modern::new(&served);
    let mut stream = session.listen().await;
    let mut listen = modern.listen(json!("l"), json!({ "toolsListChanged": true })).await;
    listen.expect("notifications/subscriptions/acknowledged").await;
    session.get("logging/setLevel", json!({ "level": "notice" })).await;
    session.get("resources/subscribe", json!({ "uri": "test://a" })).await;
    let first = session.pid().await;
    std::fs::write(&file, "after").unwrap();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(stream.message().await.unwrap()["method"].as_str().unwrap().to_owned());
    }
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["prompts", "resources", "tools"].map(|kind| format!("notifications/{kind}/list_changed"))
    );
    listen.expect("notifications/tools/list_changed").await;
    assert_ne!(session.pid().await, first);
    let tools = session.get("tools/list", json!({})).await["result"]["tools"].to_string();
    assert!(tools.contains("after") && !tools.contains("before"), "{tools}");
    let seen = session.call("journal", json!({ "until": "\"method\"" })).await;
    let lines = structured(&seen)["lines"].to_string();
    for told in ["initialize", "notifications/initialized", "notice", "resources/subscribe"] {
        assert!(lines.contains(told), "{told} was not told again: {lines}");
    }
    session.call("updated", json!({ "uri": "test://a" })).await;
    stream.expect("notifications/resources/updated").await;
    eventually("the end of the old child", || !is_alive(first)).await;
}

/// The same where the child is modern: subscriptions go on with the fresh one.
#[tokio::test]
async fn watch_keeps_the_subscriptions_of_modern_clients() {
    let dir = Scratch::new();
    let file = dir.join("tools");
    std::fs::write(&file, "before").unwrap();
    let path = file.to_str().unwrap();
    let setup = Mcpwrap::dev().modern().child(["--tools", path]).flags(["--watch", path]);
    let served = setup.start().await;
    let modern = Modern::new(&served);
    let first = modern.pid().await;
    let mut listen = modern.listen(json!("l"), json!({ "toolsListChanged": true })).await;
    listen.expect("notifications/subscriptions/acknowledged").await;
    std::fs::write(&file, "after").unwrap();
    listen.expect("notifications/tools/list_changed").await;
    assert_ne!(modern.pid().await, first);
    modern.call("changed", json!({ "list": "tools" })).await;
    listen.expect("notifications/tools/list_changed").await;
}

/// A call that is under way when the files change is finished by the child that has it.
#[tokio::test]
async fn watch_lets_calls_finish() {
    let dir = Scratch::new();
    let file = dir.join("tools");
    std::fs::write(&file, "x").unwrap();
    let path = file.to_str().unwrap();
    let setup = Mcpwrap::dev().child(["--tools", path]).flags(["--watch", path]);
    let served = setup.start().await;
    let session = Session::able(&served).await;
    let mut stream = session.listen().await;
    let mut events = session.begin(json!(1), "ask", json!({})).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    std::fs::write(&file, "y").unwrap();
    stream.message().await;
    session.answer(&question, json!({ "action": "accept" })).await;
    let answer = events.message().await.unwrap();
    assert_eq!(structured(&answer)["answers"][0]["result"]["action"], "accept");
}

/// SIGTERM and SIGINT: calls finish, streams end, nothing is left, exit code 0.
#[tokio::test]
async fn signals_end_it_in_peace() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut served = Mcpwrap::dev().start().await;
        let session = Session::new(&served).await;
        let pid = session.pid().await;
        let mut stream = session.listen().await;
        served.signal(signal);
        assert_eq!(stream.message().await, None);
        assert_eq!(served.ended().await.code(), Some(0), "{signal}");
        assert!(!is_alive(pid));
    }
}

/// Nothing outlives it, however it ends: not through a shell, a double fork or a session of its own.
// Only Linux has supervisors, which see the end of mcpwrap.
#[cfg(not(mcpwrap_portable))]
#[tokio::test]
async fn no_process_outlives_it() {
    let child = child_program();
    let child = child.to_str().unwrap();
    for script in [
        "sleep $M & \"$CHILD\"",
        "(sleep $M &); exec \"$CHILD\"",
        "setsid -f sleep $M; exec \"$CHILD\"",
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let marker = Marker::new();
            let setup = Mcpwrap::dev().command(["sh", "-c", script]);
            let mut served = setup.env("CHILD", child).env("M", &marker.0).start().await;
            let session = Session::new(&served).await;
            let pid = session.pid().await;
            eventually("the other process", || !marker.carriers().is_empty()).await;
            served.signal(signal);
            served.ended().await;
            eventually(&format!("no process of {script:?} after {signal}"), || {
                !is_alive(pid) && marker.carriers().is_empty()
            })
            .await;
        }
    }
}

/// A single result may be larger than everything that may be held: its reader has nothing else.
#[tokio::test]
async fn a_lone_large_result_passes_whatever_the_budget() {
    let served = Mcpwrap::dev().flags(["--memory", "1MiB"]).start().await;
    let bytes = 20 << 20;
    for answer in [
        Session::new(&served).await.call("big", json!({ "bytes": bytes })).await,
        Modern::new(&served).call("big", json!({ "bytes": bytes })).await,
    ] {
        assert_eq!(text(&answer).len(), bytes);
    }
}
