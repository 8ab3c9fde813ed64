//! Log messages of a child: to whom they belong, at the level that was asked for, or to nobody
//! (2.38, 3.44, 5.30).

use crate::support::*;

fn log(level: &str, text: &str) -> Value {
    json!({ "level": level, "text": text })
}

/// How many messages came before the answer.
async fn heard(reply: Reply) -> usize {
    let reply = reply.expect(200);
    match reply.is_stream() {
        true => reply.events().rest().await.len() - 1,
        false => 0,
    }
}

#[tokio::test]
async fn a_log_line_travels_on_the_stream_of_its_call() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut events = session.begin(json!(1), "log", log("info", "a")).await.expect(200).events();
    let message = events.expect("notifications/message").await;
    assert_eq!(message["params"], json!({ "level": "info", "logger": "fixture", "data": "a" }));
    assert_eq!(text(&events.message().await.unwrap()), "logged");
}

/// The child is told of the most verbose level that anybody wants; each session hears what it asked for.
#[tokio::test]
async fn each_session_has_its_own_level() {
    let served = Mcpwrap::dev().start().await;
    let (quiet, loud) = (Session::new(&served).await, Session::new(&served).await);
    for (session, level) in [(&loud, "debug"), (&quiet, "error")] {
        let answer = session.get("logging/setLevel", json!({ "level": level })).await;
        assert_eq!(answer["result"], json!({}));
    }
    let seen = quiet.call("journal", json!({ "until": "logging/setLevel", "times": 2 })).await;
    for line in structured(&seen)["lines"].as_array().unwrap() {
        assert!(line.as_str().unwrap().contains("debug"), "{line}");
    }
    quiet.begin(json!(1), "log", log("warning", "x")).await.expect(200).json().await;
    let said = loud.begin(json!(1), "log", log("warning", "x")).await.expect(200).events();
    assert_eq!(said.rest().await.len(), 2);
    let said = quiet.begin(json!(2), "log", log("critical", "x")).await.expect(200).events();
    assert_eq!(said.rest().await.len(), 2);
    let wrong = quiet.get("logging/setLevel", json!({ "level": "loud" })).await;
    assert_eq!(error(&wrong).0, -32602);
}

/// Seen from outside: with two calls in flight modern clients heard nothing. Each call that asked for the level hears it,
/// whichever client's it is, and a session hears it once.
#[tokio::test]
async fn every_call_that_asked_for_the_level_hears_a_log_line() {
    // The era is named, so that nothing is left of a start that found it out: all share one child.
    let modern = Mcpwrap::dev().modern().flags(["--child-era", "modern"]);
    for setup in [Mcpwrap::dev(), modern] {
        let served = setup.start().await;
        let (modern, session) = (Modern::new(&served), Session::new(&served).await);
        session.get("logging/setLevel", json!({ "level": "warning" })).await;
        let asking = async |level: Option<&str>, name: &str, arguments: Value| {
            let mut params = json!({ "name": name, "arguments": arguments });
            if let Some(level) = level {
                params["_meta"] = json!({ "io.modelcontextprotocol/logLevel": level });
            }
            heard(modern.ask(json!(1), "tools/call", params).await).await
        };
        let of_session = async |id| heard(session.begin(json!(id), "hold", json!({})).await).await;
        let logging = async {
            modern.call("held", json!({ "count": 5 })).await;
            let info = asking(Some("info"), "log", log("info", "a")).await;
            let warning = asking(Some("info"), "log", log("warning", "b")).await;
            modern.call("release", json!({})).await;
            info + warning
        };
        let hold = |level| asking(level, "hold", json!({}));
        let (info, error, deaf) = (hold(Some("info")), hold(Some("error")), hold(None));
        let held = futures_util::future::join3(info, error, deaf);
        let sessions = futures_util::future::join(of_session(1), of_session(2));
        let (held, one, logging) = futures_util::future::join3(held, sessions, logging).await;
        assert_eq!((held, one.0 + one.1, logging), ((2, 0, 0), 1, 2));
    }
}

/// Seen in a peer: a log line of one session sent to another. One that has asked for no level is told only what can be
/// of no other's call.
#[tokio::test]
async fn a_log_line_that_could_be_anybodys_reaches_nobody() {
    let served = Mcpwrap::dev().start().await;
    let (one, other) = (Session::new(&served).await, Session::new(&served).await);
    let (mut ones, mut others) = (one.listen().await, other.listen().await);
    let hold = one.begin(json!(1), "hold", json!({}));
    let secret = async {
        other.call("held", json!({ "count": 1 })).await;
        let reply = other.begin(json!(1), "log", log("info", "secret")).await;
        assert_eq!(reply.answer().await["id"], 1);
        other.call("release", json!({})).await;
    };
    let (held, ()) = futures_util::future::join(hold, secret).await;
    // One document, so there was no stream that could have carried the line.
    assert!(held.expect(200).json().await["result"].is_object());
    other.call("later", log("info", "secret")).await;
    one.call("changed", json!({ "list": "tools" })).await;
    for stream in [&mut ones, &mut others] {
        stream.expect("notifications/tools/list_changed").await;
    }
}

/// Outside any call the only session hears it on its GET stream.
#[tokio::test]
async fn a_log_line_outside_any_call_goes_to_the_only_session() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut stream = session.listen().await;
    session.call("later", log("info", "later")).await;
    assert_eq!(stream.expect("notifications/message").await["params"]["data"], "later");
}

/// 3.44: a modern request hears nothing unless it named a level, and then nothing below it.
#[tokio::test]
async fn a_modern_request_hears_what_it_asked_for() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let ask = async |level: Option<&str>, severity: &str| {
        let mut params = json!({ "name": "log", "arguments": log(severity, "x") });
        if let Some(level) = level {
            params["_meta"] = json!({ "io.modelcontextprotocol/logLevel": level });
        }
        heard(modern.ask(json!(1), "tools/call", params).await).await
    };
    assert_eq!(ask(None, "emergency").await, 0);
    assert_eq!(ask(Some("warning"), "info").await, 0);
    assert_eq!(ask(Some("warning"), "warning").await, 1);
    assert_eq!(ask(Some("debug"), "error").await, 1);
}
