//! A legacy child asks its user: the right client is asked, in the way of its era, and its answer arrives
//! (2.16, 2.17, 2.25, 5.5 to 5.7, 5.41 to 5.45).

use crate::support::*;

/// Seen in a peer: elicitation lost. All kinds, on the stream of the call, ids of the child's own types.
#[tokio::test]
async fn a_question_is_asked_on_the_stream_of_its_call() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::able(&served).await;
    let mut standalone = session.listen().await;
    for (kind, method) in [
        ("form", "elicitation/create"),
        ("url", "elicitation/create"),
        ("sampling", "sampling/createMessage"),
        ("roots", "roots/list"),
    ] {
        let arguments = json!({ "kind": kind, "count": 2 });
        let mut events = session.begin(json!("c"), "ask", arguments).await.expect(200).events();
        for number in 1..=2 {
            let question = events.expect(method).await;
            session.answer(&question, json!({ "number": number })).await;
        }
        let answer = events.message().await.unwrap();
        let answers = &structured(&answer)["answers"];
        assert_eq!(answers[0]["result"]["number"], 1, "{answers}");
        assert_eq!(answers[1]["result"]["number"], 2, "{answers}");
        assert_eq!(events.message().await, None);
    }
    session.call("changed", json!({ "list": "tools" })).await;
    standalone.expect("notifications/tools/list_changed").await;
}

/// 2.24: our ids are never used twice; a late or repeated answer is taken and dropped.
#[tokio::test]
async fn a_repeated_answer_is_dropped() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::able(&served).await;
    let mut events = session.begin(json!(1), "ask", json!({})).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    for number in 0..3 {
        session.answer(&question, json!({ "number": number })).await;
    }
    let answer = events.message().await.unwrap();
    assert_eq!(structured(&answer)["answers"][0]["result"]["number"], 0);
    let mut events = session.begin(json!(2), "ask", json!({})).await.expect(200).events();
    assert_ne!(events.expect("elicitation/create").await["id"], question["id"]);
}

/// 2.25, 5.7: a client is never asked what it cannot do; the child gets the answer that such a client would give.
#[tokio::test]
async fn a_client_is_not_asked_what_it_cannot_do() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::with(&served, "2025-11-25", json!({ "elicitation": {} })).await;
    for (kind, refusal) in [
        ("url", json!({ "error": { "code": -32602 } })),
        ("sampling", json!({ "error": { "code": -32601 } })),
        ("roots", json!({ "error": { "code": -32601 } })),
    ] {
        let answer = session.call("ask", json!({ "kind": kind })).await;
        let said = &structured(&answer)["answers"][0];
        match refusal.get("result") {
            Some(result) => assert_eq!(said["result"], *result, "{kind}"),
            None => assert_eq!(said["error"]["code"], refusal["error"]["code"], "{kind}"),
        }
    }
    let mut events = session.begin(json!(1), "ask", json!({})).await.expect(200).events();
    events.expect("elicitation/create").await;
}

/// 5.45: of two clients that call at once each is asked its own question.
#[tokio::test]
async fn two_clients_are_asked_their_own_questions() {
    let served = Mcpwrap::dev().start().await;
    let sessions = [Session::able(&served).await, Session::able(&served).await];
    assert_eq!(sessions[0].pid().await, sessions[1].pid().await);
    let asked = sessions.iter().enumerate().map(|(number, session)| async move {
        for round in 0..5 {
            let word = format!("client {number} round {round}");
            let arguments = json!({ "message": word });
            let mut events = session.begin(json!(1), "ask", arguments).await.expect(200).events();
            let question = events.expect("elicitation/create").await;
            assert_eq!(question["params"]["message"], format!("{word} 1"));
            session.answer(&question, json!({ "number": number })).await;
            let answer = events.message().await.unwrap();
            assert_eq!(structured(&answer)["answers"][0]["result"]["number"], number);
        }
    });
    futures_util::future::join_all(asked).await;
}

/// Two clients whose calls of one child are under way: those of tools that have ended without a question are not kept
/// apart. `one`'s call asks when its key is released.
struct Together {
    served: Served,
    one: Session,
    other: Session,
}

impl Together {
    async fn new(limit: &str) -> Self {
        let setup = Mcpwrap::dev().flags(["--trace", "--hold-limit", limit]);
        let served = setup.start().await;
        let (one, other) = (Session::able(&served).await, Session::able(&served).await);
        let together = Self { served, one, other };
        let learn = async {
            together.one.call("held", json!({ "count": 1 })).await;
            together.release("x").await;
        };
        futures_util::future::join(together.one.call("hold", json!({ "key": "x" })), learn).await;
        together
    }

    async fn release(&self, key: &str) {
        let params = json!({ "ref": {}, "argument": { "name": "key", "value": key } });
        self.one.get("completion/complete", params).await;
    }

    /// The answers to both calls, of which the first has asked; `then` follows.
    async fn ask(&self, then: impl Future<Output = ()>) -> (Reply, Reply) {
        let asks = self.one.begin(json!(1), "hold", json!({ "key": "ask" }));
        let holds = async {
            self.one.call("held", json!({ "count": 1 })).await;
            self.other.begin(json!(1), "hold", json!({ "key": "y" })).await
        };
        let released = async {
            self.one.call("held", json!({ "count": 2 })).await;
            self.release("ask").await;
            self.served.stderr.wait("elicitation/create (asks)").await;
            then.await;
        };
        let (asked, held, ()) = futures_util::future::join3(asks, holds, released).await;
        (asked, held)
    }
}

/// 5.42: where two clients' calls could have asked, the question is held until only one is left; never guessed.
#[tokio::test]
async fn a_question_that_could_be_of_two_clients_is_held_not_guessed() {
    let together = Together::new("60s").await;
    let one = &together.one;
    let (asked, held) = together
        .ask(async {
            // A call of a tool that asks nothing waits for none of it, whichever client's it is.
            together.other.call("held", json!({ "count": 1 })).await;
            together.release("y").await;
        })
        .await;
    assert_eq!(structured(&held.expect(200).answer().await)["key"], "y");
    let mut events = asked.expect(200).events();
    let question = events.expect("elicitation/create").await;
    one.answer(&question, json!({ "action": "accept" })).await;
    assert_eq!(
        structured(&events.message().await.unwrap())["answers"][0]["result"]["action"],
        "accept"
    );
}

/// Seen from outside: a question waited 14.8 s for another client's call of 15 s. It is refused in time, with the reason.
#[tokio::test]
async fn a_question_that_stays_unclear_is_refused() {
    let together = Together::new("1ms").await;
    let (asked, held) = together
        .ask(async {
            together.served.stderr.wait("no call could be matched to").await;
            together.release("y").await;
        })
        .await;
    assert_eq!(structured(&held.expect(200).answer().await)["key"], "y");
    let answer = asked.expect(200).answer().await;
    let refusal = &structured(&answer)["answers"][0]["error"];
    let why = refusal["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(why.contains("it cannot be told which of them asks"), "{why}");
}

/// 10.11: outside any call the only session is asked on its GET stream; of two sessions neither is.
#[tokio::test]
async fn a_question_outside_any_call() {
    let served = Mcpwrap::dev().flags(["--trace"]).start().await;
    let session = Session::able(&served).await;
    let mut stream = session.listen().await;
    session.call("later", json!({ "what": "ask" })).await;
    let question = stream.expect("elicitation/create").await;
    session.answer(&question, json!({ "action": "decline" })).await;
    let seen = session.call("journal", json!({ "until": "\"action\":\"decline\"" })).await;
    assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), 1);
    let other = Session::able(&served).await;
    let mut others = other.listen().await;
    other.call("later", json!({ "what": "ask" })).await;
    // Before the next call, which would be the only one that could have asked.
    served.stderr.wait_nth("elicitation/create (asks)", 2).await;
    session.call("journal", json!({ "until": "\"action\":\"cancel\"" })).await;
    other.call("changed", json!({ "list": "tools" })).await;
    stream.expect("notifications/tools/list_changed").await;
    others.expect("notifications/tools/list_changed").await;
}

/// 2.36, 4.7: a cancelled call gets no answer, its stream ends, its question is withdrawn.
#[tokio::test]
async fn a_cancelled_call_withdraws_its_question() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::able(&served).await;
    let mut events = session.begin(json!("x"), "ask", json!({})).await.expect(200).events();
    let question = events.expect("elicitation/create").await;
    session.notify("notifications/cancelled", json!({ "requestId": "x" })).await;
    let withdrawn = events.expect("notifications/cancelled").await;
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    assert_eq!(events.message().await, None);
    session.call("journal", json!({ "until": "notifications/cancelled" })).await;
    // Unknown and completed ids are ignored (2.36).
    session.notify("notifications/cancelled", json!({ "requestId": "x" })).await;
    session.notify("notifications/cancelled", json!({ "requestId": 4711 })).await;
    session.call("echo", json!({})).await;
}

/// `--roots` answers the child, whoever calls, and no client is asked.
#[tokio::test]
async fn configured_roots_answer_the_child() {
    let dir = Scratch::new();
    let served = Mcpwrap::dev().flags(["--roots", dir.to_str().unwrap()]).start().await;
    for session in [Session::able(&served).await, Session::new(&served).await] {
        let answer = session.call("ask", json!({ "kind": "roots" })).await;
        let uri = structured(&answer)["answers"][0]["result"]["roots"][0]["uri"].clone();
        assert_eq!(uri, format!("file://{}", dir.display()));
    }
}
