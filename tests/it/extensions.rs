//! What is no core of the protocol: apps, trace context, and extensions that nobody here has heard of
//! (9.12 to 9.17); and a server and a client that know extensions, for the tests of tasks too.

use crate::subscriptions::TAG;
use crate::support::*;

pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";
pub(crate) const UI: &str = "io.modelcontextprotocol/ui";

/// What a server of tasks announces, in both designs, beside two other extensions.
const WITH: &str = r#"{
    "tasks": { "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } },
    "extensions": {
        "io.modelcontextprotocol/tasks": {},
        "io.modelcontextprotocol/ui": { "mimeTypes": ["text/html;profile=mcp-app"] },
        "com.example/other": { "level": 3 }
    },
    "experimental": { "odd": { "x": 1 } }
}"#;
/// A tool that has a page of its own and may run as a task.
const TOOL: &str = r#"{
    "name": "paged",
    "inputSchema": { "type": "object" },
    "execution": { "taskSupport": "optional" },
    "_meta": { "ui": {
        "resourceUri": "ui://page", "visibility": ["model", "app"],
        "csp": { "connectDomains": ["https://a.example"] }, "permissions": { "camera": {} }
    } }
}"#;

pub(crate) fn with_extensions(setup: Mcpwrap) -> Mcpwrap {
    let setup = setup.child(["--with", WITH, "--tool", TOOL]);
    ["get", "update", "cancel", "result", "list"]
        .iter()
        .fold(setup, |setup, name| setup.child(["--method", &format!("tasks/{name}")]))
        .child(["--method", "example/do"])
}

/// What such a client declares, in both designs at once.
pub(crate) fn declared() -> Value {
    json!({
        "elicitation": {},
        "tasks": { "requests": { "elicitation": { "create": {} } } },
        "extensions": {
            TASKS: {}, UI: { "mimeTypes": ["text/html;profile=mcp-app"] }, "com.example/other": {}
        },
        "experimental": { "odd": {} },
    })
}

/// Has the child write these lines.
pub(crate) fn say(lines: Value) -> Value {
    json!({ "lines": lines })
}

/// 9.12, 9.13: pages of apps, in all four pairs, both ways and untouched.
#[tokio::test]
async fn apps_pass_untouched() {
    let tool: Value = serde_json::from_str(TOOL).unwrap();
    let with: Value = serde_json::from_str(WITH).unwrap();
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = with_extensions(setup).start().await;
        let modern = Modern::with(&served, declared());
        let session = Session::with(&served, "2025-11-25", declared()).await;
        let found = modern.get("server/discover", json!({})).await;
        for offered in [&found["result"]["capabilities"], &session.hello["result"]["capabilities"]]
        {
            for name in [UI, "com.example/other"] {
                assert_eq!(offered["extensions"][name], with["extensions"][name], "{offered}");
            }
        }
        for listed in
            [modern.get("tools/list", json!({})).await, session.get("tools/list", json!({})).await]
        {
            let tools = listed["result"]["tools"].as_array().unwrap();
            let paged = tools.iter().find(|tool| tool["name"] == "paged").unwrap();
            assert_eq!(paged["_meta"], tool["_meta"]);
        }
        let params = json!({ "uri": "ui://page" });
        for read in [
            modern.get("resources/read", params.clone()).await,
            session.get("resources/read", params.clone()).await,
        ] {
            let page = &read["result"]["contents"][0];
            assert_eq!(page["mimeType"], "text/html;profile=mcp-app");
            assert_eq!(page["_meta"]["ui"]["prefersBorder"], true);
        }
    }
}

/// 9.14: the trace context reaches the child as it was, whatever the two speak.
#[tokio::test]
async fn the_trace_context_reaches_the_child() {
    let meta = json!({
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "baggage": "tenant=acme;x=1",
        "com.example/own": { "kept": [1, null] },
    });
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let params = json!({ "name": "echo", "_meta": meta });
        for answer in [
            Modern::new(&served).get("tools/call", params.clone()).await,
            Session::new(&served).await.get("tools/call", params.clone()).await,
        ] {
            let seen = &structured(&answer)["params"]["_meta"];
            for (key, value) in meta.as_object().unwrap() {
                assert_eq!(seen[key], *value, "{seen}");
            }
        }
    }
}

/// 9.16: methods of an extension reach a child that announced it; who announces nothing is not bothered.
#[tokio::test]
async fn methods_of_extensions_reach_who_announced_them() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = with_extensions(setup).start().await;
        for answer in [
            Modern::with(&served, declared()).get("example/do", json!({ "x": 1 })).await,
            Session::new(&served).await.get("example/do", json!({ "x": 1 })).await,
        ] {
            assert_eq!(answer["result"]["params"]["x"], 1);
        }
    }
    let served = Mcpwrap::dev().child(["--method", "example/do"]).start().await;
    let reply = Modern::new(&served).ask(json!(1), "example/do", json!({})).await.expect(404);
    assert_eq!(error(&reply.json().await).0, -32601);
}

/// 9.17, 3.46, 3.47: an extension's notification goes to the subscription that it names, and to nobody without
/// one; what a subscription did not ask for, or may not carry, is dropped.
#[tokio::test]
async fn notifications_of_extensions_go_where_they_say() {
    let served = Mcpwrap::dev().modern().start().await;
    let modern = Modern::with(&served, declared());
    let mut events = modern.listen(json!(5), json!({ "toolsListChanged": true })).await;
    events.expect("notifications/subscriptions/acknowledged").await;
    let note = |method: &str, params: Value| {
        let mut params = params;
        params["_meta"] = json!({ TAG: "$listen" });
        json!({ "jsonrpc": "2.0", "method": method, "params": params })
    };
    let lines = json!([
        { "jsonrpc": "2.0", "method": "notifications/example", "params": { "lost": true } },
        note("notifications/message", json!({ "level": "emergency", "data": "x" })),
        note("notifications/progress", json!({ "progressToken": "$id", "progress": 1 })),
        note("notifications/prompts/list_changed", json!({})),
        note("notifications/tasks", json!({ "taskId": "t" })),
        note("notifications/example", json!({ "x": 1 })),
        { "jsonrpc": "2.0", "id": "$id", "result": { "resultType": "complete" } },
    ]);
    modern.call("say", say(lines)).await;
    let told = events.message().await.unwrap();
    assert_eq!(told["method"], "notifications/example", "{told}");
    assert_eq!(told["params"], json!({ "x": 1, "_meta": { TAG: 5 } }));
    // Between legacy peers it is a notification like any other.
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let mut standalone = session.listen().await;
    let lines = json!([
        { "jsonrpc": "2.0", "method": "notifications/example", "params": { "x": 2 } },
        { "jsonrpc": "2.0", "id": "$id", "result": { "content": [] } },
    ]);
    session.call("say", say(lines)).await;
    let told = standalone.expect("notifications/example").await;
    assert_eq!(told["params"], json!({ "x": 2 }));
}
