//! A server that speaks both eras is spoken to in its client's, and nothing is translated that need not be (4.19).
//! That its tasks pass too is in `tasks`.

use crate::support::*;

/// The lines that greeted the client's child.
async fn greetings(client: &impl Client) -> Vec<String> {
    let seen = client.call("journal", json!({ "until": "\"method\"" })).await;
    let lines = structured(&seen)["lines"].as_array().unwrap().clone();
    let lines = lines.iter().map(|line| line.as_str().unwrap().to_owned());
    lines.filter(|line| line.contains("initialize\"") || line.contains("discover")).collect()
}

fn answers(requests: &Value) -> Value {
    let answer = |key: &String| (key.clone(), json!({ "action": "accept", "content": { "n": 7 } }));
    requests.as_object().unwrap().keys().map(answer).collect::<serde_json::Map<_, _>>().into()
}

/// Whoever comes first: the legacy client is asked by requests that the server itself wrote, the modern one by its own
/// `input_required`, each by a child of his era.
#[tokio::test]
async fn each_client_has_a_child_of_his_own_era() {
    let served = Mcpwrap::dev().child(["--dual"]).start().await;
    let (session, modern) = (Session::able(&served).await, Modern::able(&served));
    assert_ne!(session.pid().await, modern.pid().await);

    let greeted = greetings(&session).await;
    assert_eq!(greeted.len(), 1, "it was greeted once, and in its client's words: {greeted:?}");
    let hello: Value = serde_json::from_str(&greeted[0]).unwrap();
    assert_eq!(hello["method"], "initialize");
    assert_eq!(hello["params"]["capabilities"], all_capabilities());
    for kind in ["form", "sampling", "roots"] {
        let arguments = json!({ "kind": kind });
        let mut events = session.begin(json!(kind), "ask", arguments).await.expect(200).events();
        let question = events.message().await.unwrap();
        session.answer(&question, json!({ "roots": [], "action": "decline" })).await;
        let answer = events.message().await.unwrap();
        let seen = &structured(&answer)["answers"][0]["result"];
        assert_eq!(seen["action"], "decline", "{kind}");
    }

    let greeted = greetings(&modern).await;
    assert!(greeted.iter().all(|line| line.contains("server/discover")), "{greeted:?}");
    let asked = modern.call("ask", json!({})).await;
    let (state, requests) = (&asked["result"]["requestState"], &asked["result"]["inputRequests"]);
    assert!(requests["own-0-1"].is_object(), "the server's own keys: {asked}");
    let done = modern.retry("ask", &json!({}), state, answers(requests)).await;
    assert_eq!(structured(&done)["requestState"], "state 1");
}

/// Sessions of that kind outlive their children as all do, in their era.
#[tokio::test]
async fn a_restart_keeps_the_era() {
    let served = Mcpwrap::dev().child(["--dual"]).start().await;
    let session = Session::able(&served).await;
    let first = session.pid().await;
    kill_hard(first);
    served.stderr.wait("ended unexpectedly").await;
    assert_ne!(session.pid().await, first);
    assert!(greetings(&session).await[0].contains("\"initialize\""));
}

/// A modern server that does not know the other era, however it says so, is spoken to in its own by everybody.
#[tokio::test]
async fn a_modern_server_is_found_out_by_its_first_legacy_client() {
    for flags in [["--modern", ""], ["--modern", "--strict"]] {
        let dir = Scratch::new();
        let starts = dir.join("starts");
        let setup = Mcpwrap::dev().child(flags).child(["--starts", starts.to_str().unwrap()]);
        let served = setup.start().await;
        let (session, modern) = (Session::able(&served).await, Modern::able(&served));
        let mut events = session.begin(json!(1), "ask", json!({})).await.expect(200).events();
        let question = events.expect("elicitation/create").await;
        session.answer(&question, json!({ "action": "cancel" })).await;
        let answer = events.message().await.unwrap();
        let seen = &structured(&answer)["inputResponses"]["own-0-1"];
        assert_eq!(seen["action"], "cancel", "translated, as there is no other way");
        modern.pid().await;
        let begun = || std::fs::read_to_string(&starts).unwrap().lines().count();
        let tried = begun();
        // Of other profiles: one process that exits does not speak for its server, three do.
        for capabilities in [json!({}), json!({ "roots": {} })] {
            Session::with(&served, "2025-11-25", capabilities).await.pid().await;
        }
        assert_eq!(begun() > tried, flags[1] == "--strict", "nobody asks again who was told no");
        let known = begun();
        let other = Session::with(&served, "2025-11-25", json!({ "sampling": {} })).await;
        assert_eq!(other.pid().await, modern.pid().await);
        assert_eq!(begun(), known);
    }
}

/// What the operator knows better is done.
#[tokio::test]
async fn the_era_can_be_forced() {
    for (era, greeting) in [("legacy", "\"initialize\""), ("modern", "server/discover")] {
        let served = Mcpwrap::dev().child(["--dual"]).flags(["--child-era", era]).start().await;
        let (session, modern) = (Session::new(&served).await, Modern::new(&served));
        assert_eq!(session.pid().await, modern.pid().await, "{era}");
        let greeted = greetings(&session).await;
        assert!(greeted.len() == 1 && greeted[0].contains(greeting), "{era}: {greeted:?}");
    }
}
