//! A modern client and a legacy child that asks: `input_required`, a sealed state, and the retry that goes on with
//! the same call (3.50 to 3.54, 5.5 to 5.19).

use crate::support::*;

const ACCEPT: &str = "accept";

fn accepted(number: u64) -> Value {
    json!({ "action": ACCEPT, "content": { "n": number } })
}

/// The questions of an `input_required`, in the order of their keys, and its state.
fn wanted(answer: &Value) -> (Vec<(String, Value)>, Value) {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    assert!(result["ttlMs"].is_null() && result["cacheScope"].is_null(), "{answer}");
    let requests = result["inputRequests"].as_object().unwrap();
    let all = requests.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    (all, result["requestState"].clone())
}

fn invalid(answer: &Value) {
    assert_eq!(error(answer).0, -32602, "{answer}");
}

/// Seen in a peer: elicitation lost. Every kind becomes an input request, and the retry resumes the same call.
#[tokio::test]
async fn a_question_becomes_input_required_and_the_retry_resumes() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able(&served);
    for (kind, method) in [
        ("form", "elicitation/create"),
        ("url", "elicitation/create"),
        ("sampling", "sampling/createMessage"),
        ("roots", "roots/list"),
    ] {
        let arguments = json!({ "kind": kind });
        let first = modern.call("ask", arguments.clone()).await;
        let (asks, state) = wanted(&first);
        assert_eq!((asks.len(), asks[0].1["method"].as_str()), (1, Some(method)));
        assert!(asks[0].1["id"].is_null() && asks[0].1["jsonrpc"].is_null());
        assert!(asks[0].1["params"]["elicitationId"].is_null(), "5.21");
        let answers = json!({ &asks[0].0: accepted(7) });
        let last = modern.retry("ask", &arguments, &state, answers).await;
        assert_eq!(structured(&last)["answers"][0]["result"], accepted(7));
        assert_eq!(last["result"]["resultType"], "complete");
    }
    // The child was called once for each of them: nothing was run again.
    let seen = modern.call("journal", json!({ "until": "\"name\":\"ask\"", "times": 4 })).await;
    assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), 4);
}

/// A server may leave a question's parameters out; go-sdk 1.8 cannot read one without.
#[tokio::test]
async fn a_question_without_parameters_gets_empty_ones() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let answer = Modern::able(&served).call("ask", json!({ "kind": "roots" })).await;
        assert_eq!(wanted(&answer).0[0].1, json!({ "method": "roots/list", "params": {} }));
    }
}

/// 5.13: answers that are missing are asked for again; unknown ones are ignored.
#[tokio::test]
async fn partial_answers_are_kept_and_the_rest_is_asked_again() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able(&served);
    let arguments = json!({ "count": 3 });
    let (asks, state) = wanted(&modern.call("ask", arguments.clone()).await);
    assert_eq!(asks.len(), 3);
    let some = json!({ &asks[1].0: accepted(2), "unknown": accepted(9) });
    let (rest, state) = wanted(&modern.retry("ask", &arguments, &state, some).await);
    let keys: Vec<&String> = rest.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&asks[0].0, &asks[2].0]);
    let others = json!({ keys[0]: accepted(1), keys[1]: accepted(3) });
    let last = modern.retry("ask", &arguments, &state, others).await;
    assert_eq!(structured(&last)["answers"].as_array().unwrap().len(), 3);
}

/// 3.52, 5.9, 5.10: forged, for another call, or not one of ours; the call stays where it is.
#[tokio::test]
async fn a_forged_state_is_refused() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able(&served);
    let arguments = json!({ "message": "m" });
    let (asks, state) = wanted(&modern.call("ask", arguments.clone()).await);
    let answers = json!({ &asks[0].0: accepted(1) });
    let text = state.as_str().unwrap();
    let middle = text.len() / 2;
    let other = if &text[middle..=middle] == "A" { "B" } else { "A" };
    let flipped = format!("{}{other}{}", &text[..middle], &text[middle + 1..]);
    for forged in
        ["", "x", "AAAA", &flipped, &text[1..], &text[..text.len() - 1], &format!("{text}A")]
    {
        invalid(&modern.retry("ask", &arguments, &json!(forged), answers.clone()).await);
    }
    let another = json!({ "message": "another" });
    invalid(&modern.retry("ask", &another, &state, answers.clone()).await);
    invalid(&modern.retry("echo", &arguments, &state, answers.clone()).await);
    let last = modern.retry("ask", &arguments, &state, answers).await;
    assert_eq!(structured(&last)["answers"][0]["result"], accepted(1));
}

/// 5.11: a state serves once.
#[tokio::test]
async fn a_used_state_is_refused() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able(&served);
    let (asks, state) = wanted(&modern.call("ask", json!({})).await);
    let answers = json!({ &asks[0].0: accepted(1) });
    modern.retry("ask", &json!({}), &state, answers.clone()).await;
    invalid(&modern.retry("ask", &json!({}), &state, answers).await);
}

/// 5.17: who does not come back in time gives the call up; the child is told.
#[tokio::test]
async fn an_expired_state_is_refused_and_its_call_cancelled() {
    let served = Mcpwrap::dev().flags(["--sealed-ttl", "1s"]).start().await;
    let modern = Modern::able_and_known(&served).await;
    let (asks, state) = wanted(&modern.call("ask", json!({})).await);
    modern.call("journal", json!({ "until": "notifications/cancelled" })).await;
    let answers = json!({ &asks[0].0: accepted(1) });
    invalid(&modern.retry("ask", &json!({}), &state, answers).await);
}

/// 5.12: an ill-formed answer is refused and can be put right.
#[tokio::test]
async fn an_ill_formed_answer_leaves_the_call_waiting() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able(&served);
    let (asks, state) = wanted(&modern.call("ask", json!({})).await);
    for wrong in [json!([]), json!("x"), json!({ &asks[0].0: "yes" }), json!({ &asks[0].0: null })]
    {
        invalid(&modern.retry("ask", &json!({}), &state, wrong).await);
    }
    let answers = json!({ &asks[0].0: accepted(1) });
    let last = modern.retry("ask", &json!({}), &state, answers).await;
    assert_eq!(structured(&last)["answers"][0]["result"], accepted(1));
}

/// 5.7: undeclared capabilities are refused on behalf of the client.
#[tokio::test]
async fn a_modern_client_is_not_asked_what_it_cannot_do() {
    let served = Mcpwrap::dev().start().await;
    let answer = Modern::new(&served).call("ask", json!({})).await;
    assert_eq!(structured(&answer)["answers"][0]["error"]["code"], -32602);
    let forms = Modern::with(&served, json!({ "elicitation": {} }));
    let answer = forms.call("ask", json!({ "kind": "url" })).await;
    assert_eq!(structured(&answer)["answers"][0]["error"]["code"], -32602);
    let answer = forms.call("ask", json!({ "kind": "sampling" })).await;
    assert_eq!(structured(&answer)["answers"][0]["error"]["code"], -32601);
}

/// 3.42, 5.18, 5.31: the end of the retry's stream cancels; the end of the first answer did not.
#[tokio::test]
async fn hanging_up_the_retry_cancels_the_call() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able_and_known(&served).await;
    let arguments = json!({ "patient": true });
    let (asks, state) = wanted(&modern.call("ask", arguments.clone()).await);
    let seen = modern.call("journal", json!({ "until": "\"name\":\"ask\"" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("cancelled"));
    let params = json!({
        "name": "ask", "arguments": arguments, "requestState": state,
        "inputResponses": { &asks[0].0: accepted(1) },
    });
    let retry = modern.request(&modern.body(json!(2), "tools/call", params));
    let connection = retry.send_only(served.at).await;
    modern.call("held", json!({ "count": 1 })).await;
    drop(connection);
    modern.call("journal", json!({ "until": "notifications/cancelled" })).await;
}

/// 4.32: a parked call dies with its child.
#[tokio::test]
async fn a_parked_call_whose_child_died_is_an_error() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able_and_known(&served).await;
    let (asks, state) = wanted(&modern.call("ask", json!({})).await);
    kill_hard(modern.pid().await);
    served.stderr.wait("ended unexpectedly").await;
    let answers = json!({ &asks[0].0: accepted(1) });
    let last = modern.retry("ask", &json!({}), &state, answers).await;
    assert_eq!(error(&last).0, -32603);
}

/// 3.54, 6.25 to 6.28: a modern child's own state comes back to it byte for byte, sealed on the way.
#[tokio::test]
async fn a_modern_childs_state_is_sealed_on_the_way() {
    let served = Mcpwrap::dev().modern().start().await;
    let modern = Modern::able(&served);
    let arguments = json!({ "rounds": 2, "count": 2 });
    let first = modern.call("ask", arguments.clone()).await;
    let (asks, state) = wanted(&first);
    assert_eq!(asks[0].0, "own-0-1", "a modern server's keys are its own");
    assert!(!first.to_string().contains("state 1"), "{first}");
    let answers = json!({ "own-0-1": accepted(1), "own-0-2": accepted(2) });
    invalid(&modern.retry("ask", &json!({}), &state, answers.clone()).await);
    let (_, state) = wanted(&modern.retry("ask", &arguments, &state, answers).await);
    let answers = json!({ "own-1-1": accepted(3), "own-1-2": accepted(4) });
    let last = modern.retry("ask", &arguments, &state, answers.clone()).await;
    let seen = structured(&last);
    assert_eq!((&seen["requestState"], &seen["inputResponses"]), (&json!("state 2"), &answers));
}

/// 5.17: no process holds a modern child's call while its client answers: the time that stands inside the state ends it.
#[tokio::test]
async fn an_expired_state_of_a_modern_child_is_refused() {
    let served = Mcpwrap::dev().modern().flags(["--sealed-ttl", "1s"]).start().await;
    let modern = Modern::able(&served);
    let (_, state) = wanted(&modern.call("ask", json!({})).await);
    let answers = json!({ "own-0-1": accepted(1) });
    let refusal = until("the end of the state", async || {
        let answer = modern.retry("ask", &json!({}), &state, answers.clone()).await;
        answer["error"].is_object().then_some(answer)
    });
    invalid(&refusal.await);
}

/// 6.27: a modern child that asks what the client cannot do breaks the protocol.
#[tokio::test]
async fn a_modern_child_that_asks_too_much_is_an_error() {
    let served = Mcpwrap::dev().modern().start().await;
    let answer = Modern::new(&served).call("ask", json!({})).await;
    assert_eq!(error(&answer).0, -32603);
}
