//! What a legacy child's call becomes when a modern client comes back: the retry's own words count from then on, a
//! URL that must be opened first is one more round, and codes of the older revisions stay inside
//! (5.15, 5.16, 5.22, 5.23, 5.37, 8.12).

use crate::support::*;

const LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// The only question of an `input_required`, and its state.
fn wanted(answer: &Value) -> (Value, Value) {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let requests = result["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 1, "{answer}");
    let (key, question) = requests.iter().next().unwrap();
    (json!({ "key": key, "question": question }), result["requestState"].clone())
}

fn line(value: Value) -> Value {
    let mut value = value;
    value["jsonrpc"] = json!("2.0");
    value
}

/// 5.15: progress and log messages after a retry are in the words of the retry, at the level that it wants.
#[tokio::test]
async fn the_retry_takes_the_call_over() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able_and_known(&served).await;
    let meta = |token: Value, level: Option<&str>| {
        let mut meta = json!({ "progressToken": token });
        if let Some(level) = level {
            meta[LEVEL] = json!(level);
        }
        meta
    };
    for (before, after, logs) in [
        (None, None, 0),
        (Some("debug"), None, 0),
        (Some("debug"), Some("error"), 0),
        (Some("error"), Some("debug"), 1),
        (None, Some("info"), 1),
    ] {
        let mut params = json!({ "name": "ask", "arguments": { "progress": 2 } });
        params["_meta"] = meta(json!("first"), before);
        let (asked, state) = wanted(&modern.get("tools/call", params.clone()).await);
        params["requestState"] = state;
        params["inputResponses"] =
            json!({ asked["key"].as_str().unwrap(): { "action": "accept" } });
        params["_meta"] = meta(json!(7), after);
        let told = modern.ask(json!(3), "tools/call", params).await.expect(200).events();
        let told = told.rest().await;
        let of = |method: &str| told.iter().filter(|one| one["method"] == method).count();
        assert_eq!(of("notifications/message"), logs, "{before:?} {after:?} {told:?}");
        assert_eq!(of("notifications/progress"), 2, "{told:?}");
        for message in told.iter().filter(|one| one["method"] == "notifications/progress") {
            assert_eq!(message["params"]["progressToken"], 7, "{message}");
        }
        assert!(told.last().unwrap()["result"]["structuredContent"].is_object());
    }
}

/// 5.16: a call that ends while its client is away keeps its answer for the retry.
#[tokio::test]
async fn a_call_that_ends_while_it_waits_keeps_its_answer() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able_and_known(&served).await;
    modern.call("release", json!({ "key": "nobody" })).await;
    let (asked, state) = wanted(&modern.call("ask", json!({})).await);
    // The child answers the call, whose number stands in its journal, and takes its question back.
    let seen = modern.call("journal", json!({ "until": "\"name\":\"ask\"" })).await;
    let call: Value =
        serde_json::from_str(structured(&seen)["lines"][0].as_str().unwrap()).unwrap();
    let end = line(json!({ "id": call["id"], "result": { "content": [], "early": true } }));
    let done = line(json!({ "id": "$id", "result": { "content": [] } }));
    modern.call("say", json!({ "lines": [end, done] })).await;
    let nothing = modern.retry("ask", &json!({}), &state, json!({})).await;
    assert_eq!(nothing["result"]["early"], true, "{nothing} {asked}");
}

fn urls(times: u32) -> Value {
    let one = json!({
        "mode": "url", "elicitationId": "e-1", "url": "https://a.example/?x=1", "message": "open it",
    });
    json!({ "code": -32042, "times": times, "data": { "elicitations": [one] } })
}

/// 5.22: the error that wants URLs opened is a question to a modern client, and a fresh call once it was accepted.
#[tokio::test]
async fn urls_to_be_opened_first_are_a_round_of_their_own() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able_and_known(&served).await;
    let (asked, state) = wanted(&modern.call("fail", urls(1)).await);
    let question = json!({
        "method": "elicitation/create",
        "params": { "mode": "url", "url": "https://a.example/?x=1", "message": "open it" },
    });
    assert_eq!(asked["question"], question, "5.21: no id");
    // For another call it is no use.
    let accepted = json!({ asked["key"].as_str().unwrap(): { "action": "accept" } });
    let other = modern.retry("fail", &urls(2), &state, accepted.clone()).await;
    assert_eq!(error(&other).0, -32602);
    let last = modern.retry("fail", &urls(1), &state, accepted).await;
    let params = &structured(&last)["params"];
    assert!(params["requestState"].is_null() && params["inputResponses"].is_null(), "5.3");
    let seen = modern.call("journal", json!({ "until": "\"name\":\"fail\"", "times": 2 })).await;
    assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn urls_that_nobody_opens_end_the_call() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::able_and_known(&served).await;
    for answer in [json!({ "action": "decline" }), json!({ "action": "cancel" }), json!({})] {
        let (asked, state) = wanted(&modern.call("fail", urls(9)).await);
        let answers = json!({ asked["key"].as_str().unwrap(): answer });
        let last = modern.retry("fail", &urls(9), &state, answers).await;
        assert_eq!(last["result"]["isError"], true, "{last}");
    }
    // Who cannot open any is told what he lacks; who is sent nowhere, or to a script, gets a plain error.
    let forms = Modern::with(&served, json!({ "elicitation": {} }));
    let refused = forms.begin(json!(1), "fail", urls(99)).await.expect(400).json().await;
    assert_eq!(error(&refused).0, -32021);
    let needed = json!({ "elicitation": { "url": {} } });
    assert_eq!(refused["error"]["data"]["requiredCapabilities"], needed);
    let mut script = urls(99);
    script["data"]["elicitations"][0]["url"] = json!("javascript:alert(1)");
    for arguments in [script, json!({ "code": -32042 }), json!({ "code": -32042, "data": [] })] {
        let answer = modern.begin(json!(1), "fail", arguments).await.expect(200).json().await;
        assert_eq!(error(&answer).0, -32603, "{answer}");
    }
}

/// 5.37, 3.29: codes that mean something else, or nothing, to a modern client stay inside; all others pass.
#[tokio::test]
async fn codes_are_put_in_the_words_of_the_modern_revision() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let session = Session::new(&served).await;
    let data = json!({ "uri": "test://x" });
    for (code, told) in [
        (-32002, -32602),
        (-32601, -32602),
        (-32020, -32603),
        (-32021, -32603),
        (-32022, -32603),
        (-32099, -32603),
        (-32000, -32000),
        (-32001, -32001),
        (-32019, -32019),
        (-32602, -32602),
        (-32603, -32603),
        (-32700, -32700),
        (-1, -1),
        (17, 17),
    ] {
        let arguments = json!({ "code": code, "data": data });
        let answer = modern.begin(json!(1), "fail", arguments.clone()).await.expect(200);
        let answer = answer.json().await;
        assert_eq!(error(&answer).0, told, "{code}");
        match (-32099..=-32020).contains(&code) {
            true => assert_eq!(answer["error"]["data"]["code"], code),
            false => assert_eq!(answer["error"]["data"], data, "{code}"),
        }
        // To a client of the child's own era they are what they are.
        let answer = session.call("fail", arguments).await;
        assert_eq!((error(&answer).0, &answer["error"]["data"]), (code, &data));
    }
    let missing = modern.get("resources/read", json!({ "uri": "test://missing" })).await;
    assert_eq!(error(&missing).0, -32602);
}

/// 5.23: sampling with tools, or with somebody else's context, only for clients that declared it.
#[tokio::test]
async fn sampling_asks_for_no_more_than_was_declared() {
    let served = Mcpwrap::dev().start().await;
    let ask = |params: Value| {
        let mut params = params;
        params["messages"] = json!([]);
        params["maxTokens"] = json!(1);
        json!({ "lines": [line(json!({ "id": "q", "method": "sampling/createMessage", "params": params }))] })
    };
    let plain = Modern::with(&served, json!({ "sampling": {} }));
    plain.call("journal", json!({ "until": "" })).await;
    for (number, params) in [
        json!({ "tools": [] }),
        json!({ "toolChoice": {} }),
        json!({ "includeContext": "allServers" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut arguments = ask(params);
        let end = line(json!({ "id": "$id", "result": { "content": [] } }));
        arguments["lines"].as_array_mut().unwrap().push(end);
        let answer = plain.call("say", arguments).await;
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        let refused = json!({ "until": "\"id\":\"q\",\"error\"", "times": number + 1 });
        let seen = plain.call("journal", refused).await;
        assert!(structured(&seen)["lines"].to_string().contains("-32602"), "{seen}");
    }
    let able = Modern::with(&served, json!({ "sampling": { "tools": {}, "context": {} } }));
    for params in [json!({ "tools": [], "includeContext": "allServers" })] {
        wanted(&able.call("say", ask(params)).await);
    }
    wanted(&plain.call("say", ask(json!({ "includeContext": "none" }))).await);
}
