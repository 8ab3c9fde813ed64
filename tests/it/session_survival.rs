//! A legacy session outlives its child: the next call has a fresh one that was told what the first one knew, and the
//! client hears of it (2.3, 4.31, 4.32).

use crate::support::proc::field;
use crate::support::*;

const A: &str = "test://a";

/// A session that set a level and subscribed to a resource, and its standalone stream.
async fn settled(served: &Served) -> (Session, http::Events) {
    let session = Session::new(served).await;
    let stream = session.listen().await;
    session.get("logging/setLevel", json!({ "level": "notice" })).await;
    session.get("resources/subscribe", json!({ "uri": A })).await;
    (session, stream)
}

/// What a client is told of a restart: each list, each resource that it subscribed to, and a word for its log.
async fn told(stream: &mut http::Events) {
    let mut methods = Vec::new();
    for _ in 0..5 {
        let message = stream.message().await.expect("a stream that stays open");
        match message["method"].as_str().unwrap() {
            "notifications/resources/updated" => assert_eq!(message["params"]["uri"], A),
            "notifications/message" => {
                assert_eq!(message["params"]["level"], "warning");
                assert!(message["params"]["data"].as_str().unwrap().contains("started again"));
            }
            _ => {}
        }
        methods.push(message["method"].as_str().unwrap().to_owned());
    }
    methods.sort_unstable();
    let expected = [
        "message",
        "prompts/list_changed",
        "resources/list_changed",
        "resources/updated",
        "tools/list_changed",
    ];
    assert_eq!(methods, expected.map(|name| format!("notifications/{name}")));
}

/// What a fresh child was told, and that its news arrive.
async fn goes_on(session: &Session, stream: &mut http::Events) {
    let seen = session.call("journal", json!({ "until": "resources/subscribe" })).await;
    assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), 1);
    let seen = session.call("journal", json!({ "until": "\"method\"" })).await;
    let lines = structured(&seen)["lines"].as_array().unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
    for (line, said) in lines.iter().filter(|line| !line.contains("server/discover")).zip([
        "\"initialize\"",
        "notifications/initialized",
        "notice",
        "resources/subscribe",
    ]) {
        assert!(line.contains(said), "{said} was not told in its turn: {lines:#?}");
    }
    session.call("updated", json!({ "uri": A })).await;
    stream.expect("notifications/resources/updated").await;
}

/// A call in flight is lost with its child and never sent again; its session, and the others, are not.
#[tokio::test]
async fn a_session_outlives_a_killed_child() {
    let served = Mcpwrap::dev().start().await;
    let (session, mut stream) = settled(&served).await;
    let other = Session::new(&served).await;
    let first = other.pid().await;
    let hold = session.begin(json!(1), "hold", json!({ "key": "once" }));
    let kill = async {
        other.call("held", json!({ "count": 1 })).await;
        kill_hard(first);
    };
    let (reply, ()) = futures_util::future::join(hold, kill).await;
    let answer = reply.answer().await;
    let (code, message) = error(&answer);
    assert_eq!(code, -32603);
    assert!(message.contains("killed") || message.contains("signal"), "{message}");
    assert!(message.contains("while it worked on this call"), "{message}");
    assert_ne!(other.pid().await, first);
    told(&mut stream).await;
    goes_on(&session, &mut stream).await;
    let seen = session.call("journal", json!({ "until": "" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("once"), "a call was sent again");
}

/// The same when it is the supervisor that is killed, and the child with it. Where there is none, the parent is mcpwrap.
#[cfg(not(mcpwrap_portable))]
#[tokio::test]
async fn a_session_outlives_a_killed_supervisor() {
    let served = Mcpwrap::dev().start().await;
    let (session, mut stream) = settled(&served).await;
    let first = session.pid().await;
    kill_hard(field(first, "PPid").parse().unwrap());
    served.stderr.wait("ended unexpectedly").await;
    eventually("the child's end", || !is_alive(first)).await;
    assert_ne!(session.pid().await, first);
    told(&mut stream).await;
    goes_on(&session, &mut stream).await;
}

/// An open stream alone keeps no child from `--child-idle`, and stays open without one.
#[tokio::test]
async fn a_session_outlives_an_idle_child() {
    let served = Mcpwrap::dev().flags(["--child-idle", "1s"]).start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    let first = session.pid().await;
    eventually("the child's end", || !is_alive(first)).await;
    assert_ne!(session.pid().await, first);
    for _ in 0..3 {
        let method = stream.message().await.unwrap()["method"].to_string();
        assert!(method.contains("list_changed"), "{method}");
    }
    stream.expect("notifications/message").await;
}

/// Whoever asked for errors alone is not told in his log.
#[tokio::test]
async fn the_log_message_keeps_to_the_level() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    session.get("logging/setLevel", json!({ "level": "error" })).await;
    kill_hard(session.pid().await);
    served.stderr.wait("ended unexpectedly").await;
    session.call("changed", json!({ "list": "tools" })).await;
    for _ in 0..4 {
        let method = stream.message().await.unwrap()["method"].to_string();
        assert!(method.contains("list_changed"), "{method}");
    }
}

/// With a child of its own, a session keeps its place and gets another one.
#[tokio::test]
async fn a_session_with_a_child_of_its_own_outlives_it() {
    let served = Mcpwrap::dev().flags(["--child-scope", "session"]).start().await;
    let (session, mut stream) = settled(&served).await;
    let witness = Session::new(&served).await;
    let (first, others) = (session.pid().await, witness.pid().await);
    kill_hard(first);
    served.stderr.wait("ended unexpectedly").await;
    let second = session.pid().await;
    assert!(second != first && second != others);
    told(&mut stream).await;
    goes_on(&session, &mut stream).await;
    assert_eq!(witness.pid().await, others);
    session.delete().await.expect(204);
    eventually("the end of the session's child", || !is_alive(second)).await;
}

/// A server that no longer keeps its word ends its sessions, before anything was sent to it; one that offers more goes on.
#[tokio::test]
async fn only_another_revision_or_a_lost_capability_ends_a_session() {
    for (later, status) in [
        ("--revision 2025-03-26", 404),
        ("--without prompts", 404),
        ("--with {\"experimental\":{\"x\":{}}}", 200),
    ] {
        let dir = Scratch::new();
        let starts = dir.join("starts");
        let setup = Mcpwrap::dev().child(["--starts", starts.to_str().unwrap(), "--later", later]);
        let served = setup.start().await;
        let session = Session::new(&served).await;
        let mut stream = session.listen().await;
        kill_hard(session.pid().await);
        served.stderr.wait("ended unexpectedly").await;
        let reply = session.begin(json!(7), "echo", json!({ "word": "sent" })).await;
        assert_eq!(reply.status, status, "{later}");
        let answer = reply.answer().await;
        if status == 404 {
            assert_eq!((&answer["id"], error(&answer).0), (&json!(7), -32600));
            assert_eq!(stream.message().await, None, "the stream of a lost session ends");
            session.ask(json!(8), "ping", json!({})).await.expect(404);
            let fresh = Session::new(&served).await;
            let seen = fresh.call("journal", json!({ "until": "" })).await;
            assert!(!structured(&seen)["lines"].to_string().contains("\"sent\""), "{later}");
        } else {
            stream.expect("notifications/tools/list_changed").await;
        }
    }
}

/// The same promises where the server is modern, and what is followed there is followed again.
#[tokio::test]
async fn a_session_on_a_modern_child_outlives_it() {
    let served = Mcpwrap::dev().modern().start().await;
    let (session, mut stream) = settled(&served).await;
    let first = session.pid().await;
    let lost = session.call("exit", json!({ "code": 7 })).await;
    assert_eq!(error(&lost).0, -32603);
    assert_ne!(session.pid().await, first);
    told(&mut stream).await;
    session.call("updated", json!({ "uri": A })).await;
    stream.expect("notifications/resources/updated").await;
}

/// A session of a modern server keeps no child either, though its lists are followed there.
#[tokio::test]
async fn a_session_keeps_no_idle_modern_child() {
    let served = Mcpwrap::dev().modern().flags(["--child-idle", "1s"]).start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    let first = session.pid().await;
    eventually("the child's end", || !is_alive(first)).await;
    assert_ne!(session.pid().await, first);
    stream.expect("notifications/tools/list_changed").await;
    session.call("changed", json!({ "list": "prompts" })).await;
    stream.expect("notifications/prompts/list_changed").await;
}

/// What a modern server does not take at once it is asked again: a session is told of what it may have missed.
#[tokio::test]
async fn a_session_whose_subscription_was_refused_follows_later() {
    let served = Mcpwrap::dev().modern().child(["--refuses-listens", "1"]).start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    for told in ["tools/list_changed", "prompts/list_changed", "resources/list_changed", "message"]
    {
        stream.expect(&format!("notifications/{told}")).await;
    }
    session.call("changed", json!({ "list": "prompts" })).await;
    stream.expect("notifications/prompts/list_changed").await;
}
