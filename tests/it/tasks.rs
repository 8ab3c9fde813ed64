//! Tasks of both designs: between whom they pass, and from whom they are hidden (9.1 to 9.10).

use crate::extensions::{TASKS, UI, declared, say, with_extensions};
use crate::subscriptions::TAG;
use crate::support::*;

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

fn created() -> Value {
    json!({ "resultType": "task", "taskId": "t-1", "status": "working", "ttlMs": 5, "odd": [1] })
}

fn answer_with(result: &Value) -> Value {
    say(json!([{ "jsonrpc": "2.0", "id": "$id", "result": result }]))
}

/// What the child was told of its first legacy client.
async fn greeting(modern: &Modern) -> Value {
    let seen = modern.call("journal", json!({ "until": "\"initialize\"" })).await;
    serde_json::from_str(structured(&seen)["lines"][0].as_str().unwrap()).unwrap()
}

/// 9.5: who declared the extension gets tasks as the child makes them, and everything about them is forwarded.
#[tokio::test]
async fn tasks_pass_between_modern_peers() {
    for setup in [Mcpwrap::dev().modern(), Mcpwrap::dev().child(["--dual"])] {
        let served = with_extensions(setup).start().await;
        let modern = Modern::with(&served, declared());
        let found = modern.get("server/discover", json!({})).await;
        assert_eq!(found["result"]["capabilities"]["extensions"][TASKS], json!({}));
        let answer = modern.call("say", answer_with(&created())).await;
        assert_eq!(answer["result"], created());
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let params =
                json!({ "taskId": "t-1", "inputResponses": { "a": { "action": "accept" } } });
            let answer = modern.get(method, params.clone()).await;
            let seen = &answer["result"];
            assert_eq!(
                (&seen["method"], &seen["params"]["taskId"]),
                (&json!(method), &json!("t-1"))
            );
            // The routing header says what the body says.
            let body = modern.body(json!(1), method, params);
            for wrong in [
                modern.request(&body).without("mcp-name"),
                modern.request(&body).with("mcp-name", "t-2"),
            ] {
                let refused = served.send(&wrong).await.expect(400).json().await;
                assert_eq!(error(&refused).0, -32020);
            }
        }
        let mut events = modern.listen(json!("l"), json!({ "taskIds": ["t-1"] })).await;
        let first = events.expect("notifications/subscriptions/acknowledged").await;
        assert_eq!(first["params"]["notifications"]["taskIds"], json!(["t-1"]));
        let note = json!({
            "jsonrpc": "2.0", "method": "notifications/tasks",
            "params": { "taskId": "t-1", "status": "completed", "_meta": { TAG: "$listen" } },
        });
        let done = json!({ "jsonrpc": "2.0", "id": "$id", "result": { "resultType": "complete" } });
        modern.call("say", say(json!([note, done]))).await;
        let told = events.expect("notifications/tasks").await;
        assert_eq!(told["params"]["status"], "completed");
        assert_eq!(told["params"]["_meta"][TAG], "l");
    }
}

/// An answer to a task's question reaches the child: `inputResponses` of `tasks/update` are no retry of ours.
#[tokio::test]
async fn the_answers_of_a_task_reach_the_child() {
    let served = with_extensions(Mcpwrap::dev().modern()).start().await;
    let modern = Modern::with(&served, declared());
    let responses = json!({ "key": { "action": "accept", "content": { "n": 1 } } });
    let params = json!({ "taskId": "t-1", "inputResponses": responses });
    let answer = modern.get("tasks/update", params).await;
    assert_eq!(answer["result"]["params"]["inputResponses"], responses);
}

/// 9.6: who did not declare the extension is given no task, and may not speak of any.
#[tokio::test]
async fn tasks_are_for_those_who_declared_them() {
    let served = with_extensions(Mcpwrap::dev().modern()).start().await;
    let modern = Modern::new(&served);
    let answer = modern.call("say", answer_with(&created())).await;
    assert_eq!(error(&answer).0, -32603, "{answer}");
    let asks = [
        ("tasks/get", json!({ "taskId": "t-1" })),
        ("tasks/update", json!({ "taskId": "t-1" })),
        ("tasks/cancel", json!({ "taskId": "t-1" })),
        ("subscriptions/listen", json!({ "notifications": { "taskIds": ["t-1"] } })),
    ];
    for (method, params) in asks {
        let refused = modern.ask(json!(1), method, params).await.expect(400).json().await;
        assert_eq!(error(&refused).0, -32021, "{method}");
        let needed = &refused["error"]["data"]["requiredCapabilities"]["extensions"];
        assert_eq!(*needed, json!({ TASKS: {} }), "{method}");
    }
    // Where there are no tasks there is nothing to be declared.
    let served = Mcpwrap::dev().modern().start().await;
    let params = json!({ "taskId": "t-1" });
    let none = Modern::new(&served).ask(json!(1), "tasks/get", params).await.expect(404);
    assert_eq!(error(&none.json().await).0, -32601);
}

/// 9.1, 9.8: the tasks of an older server are no modern client's business.
#[tokio::test]
async fn tasks_of_a_legacy_child_are_hidden_from_modern_clients() {
    let served = with_extensions(Mcpwrap::dev()).start().await;
    let modern = Modern::with(&served, declared());
    let found = modern.get("server/discover", json!({})).await;
    let capabilities = &found["result"]["capabilities"];
    assert!(capabilities["tasks"].is_null() && capabilities["extensions"][TASKS].is_null());
    assert!(!modern.get("tools/list", json!({})).await.to_string().contains("execution"));
    let listed = modern.get("tools/list", json!({})).await;
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"paged") && !names.contains(&"task-only"), "{names:?}");
    for method in ["get", "update", "cancel", "result", "list"] {
        let method = format!("tasks/{method}");
        let reply = modern.ask(json!(1), &method, json!({ "taskId": "t-1" })).await.expect(404);
        assert_eq!(error(&reply.json().await).0, -32601, "{method}");
    }
    let params = json!({ "name": "echo", "task": { "ttl": 1 } });
    let answer = modern.get("tools/call", params).await;
    assert_eq!(structured(&answer)["params"], json!({ "name": "echo" }));
    let seen = modern.call("journal", json!({ "until": "" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("tasks/"));
}

/// 9.9: a legacy child is not told that it may give tasks to a modern client, and if it tries it is refused.
#[tokio::test]
async fn a_legacy_child_gives_no_tasks_to_modern_clients() {
    let served = with_extensions(Mcpwrap::dev()).start().await;
    let modern = Modern::with(&served, declared());
    let told = greeting(&modern).await["params"]["capabilities"].clone();
    assert!(!told.to_string().contains("tasks"), "{told}");
    assert_eq!(told["extensions"][UI], declared()["extensions"][UI], "9.12");
    assert_eq!(told["experimental"], declared()["experimental"], "9.13");
    let ask =
        json!({ "jsonrpc": "2.0", "id": "q", "method": "tasks/get", "params": { "taskId": "c" } });
    let done = json!({ "jsonrpc": "2.0", "id": "$id", "result": { "content": [] } });
    let answer = modern.call("say", say(json!([ask, done]))).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    let seen = modern.call("journal", json!({ "until": "\"id\":\"q\",\"error\"" })).await;
    assert!(structured(&seen)["lines"][0].as_str().unwrap().contains("-32601"), "{seen}");
}

/// 9.1, 9.10: a modern child runs nothing as a task for a legacy client, which gets neither design.
#[tokio::test]
async fn tasks_of_a_modern_child_are_hidden_from_legacy_clients() {
    let served = with_extensions(Mcpwrap::dev().modern()).start().await;
    let session = Session::with(&served, "2025-11-25", declared()).await;
    let offered = &session.hello["result"]["capabilities"];
    assert!(offered["tasks"].is_null() && offered["extensions"][TASKS].is_null(), "{offered}");
    assert_eq!(offered["experimental"], json!({ "odd": { "x": 1 } }), "9.13");
    let params = json!({ "name": "echo", "task": { "ttl": 1 } });
    let answer = session.get("tools/call", params).await;
    let seen = &structured(&answer)["params"];
    assert!(seen["task"].is_null(), "{seen}");
    let told = &seen["_meta"][CAPABILITIES];
    assert!(!told.to_string().contains("tasks"), "{told}");
    assert_eq!(told["extensions"][UI], declared()["extensions"][UI], "9.12");
    for method in ["get", "update", "cancel", "result", "list"] {
        let answer = session.get(&format!("tasks/{method}"), json!({ "taskId": "t-1" })).await;
        assert_eq!(error(&answer).0, -32601, "{method}");
    }
    let answer = session.call("say", answer_with(&created())).await;
    assert_eq!(error(&answer).0, -32603);
    let seen = session.call("journal", json!({ "until": "" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("\"tasks/"));
}

/// 9.2: between legacy peers the older design passes as it is, also the child's questions about a task.
#[tokio::test]
async fn tasks_pass_between_legacy_peers() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().child(["--dual"])] {
        let served = with_extensions(setup).start().await;
        let session = Session::with(&served, "2025-11-25", declared()).await;
        assert!(session.hello["result"]["capabilities"]["tasks"]["list"].is_object());
        let listed = session.get("tools/list", json!({})).await.to_string();
        assert!(listed.contains(r#""taskSupport":"required""#), "{listed}");
        let params = json!({ "name": "echo", "task": { "ttl": 1 } });
        let answer = session.get("tools/call", params.clone()).await;
        assert_eq!(structured(&answer)["params"], params);
        for method in ["tasks/get", "tasks/list", "tasks/cancel", "tasks/result"] {
            let answer = session.get(method, json!({ "taskId": "t-1" })).await;
            assert_eq!(answer["result"]["params"]["taskId"], "t-1", "{method}");
        }
        let mut standalone = session.listen().await;
        let status = json!({
            "jsonrpc": "2.0", "method": "notifications/tasks/status",
            "params": { "taskId": "t-1", "status": "working" },
        });
        let done = json!({ "jsonrpc": "2.0", "id": "$id", "result": { "content": [] } });
        session.call("say", say(json!([status, done]))).await;
        let told = standalone.expect("notifications/tasks/status").await;
        assert_eq!(told["params"], status["params"]);
    }
}
