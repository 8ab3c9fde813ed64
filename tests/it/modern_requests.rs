//! Requests of 2026-07-28: what their headers and `_meta` must say, and which status and code say that they do not
//! (3.1 to 3.31).

use crate::support::*;

async fn refused(served: &Served, request: &Request, status: u16, code: i64) -> Value {
    let reply = served.send(request).await;
    let (found, answer) = (reply.status, reply.json().await);
    assert_eq!((found, error(&answer).0), (status, code), "{answer} to {:?}", request.headers);
    answer
}

fn echo(modern: &Modern) -> Request {
    modern.request(&modern.body(json!(1), "tools/call", json!({ "name": "echo" })))
}

/// 3.1, 3.2: each standard header must be there, once.
#[tokio::test]
async fn a_missing_or_repeated_header_is_a_mismatch() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        refused(&served, &echo(&modern).without(name), 400, -32020).await;
        for again in ["echo", "tools/call", "2026-07-28"] {
            refused(&served, &echo(&modern).header(name, again), 400, -32020).await;
        }
    }
}

/// 3.3, 3.6, 1.18: header and body that disagree, to the byte.
#[tokio::test]
async fn header_and_body_must_agree() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    for (name, value) in [
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", "tools/list"),
        ("mcp-method", "Tools/Call"),
        ("mcp-method", ""),
        ("mcp-name", "exit"),
        ("mcp-name", "Echo"),
        ("mcp-name", "echo, echo"),
        ("mcp-name", ""),
    ] {
        refused(&served, &echo(&modern).with(name, value), 400, -32020).await;
    }
    served.send(&echo(&modern).with("MCP-NAME", "  echo\t")).await.expect(200);
    let read = modern.body(json!(1), "resources/read", json!({ "uri": "test://a" }));
    refused(&served, &modern.request(&read).with("mcp-name", "test://b"), 400, -32020).await;
    let get = modern.body(json!(1), "prompts/get", json!({ "name": "greet" }));
    refused(&served, &modern.request(&get).with("mcp-name", "other"), 400, -32020).await;
}

/// 3.7, 3.8, 10.31: base64 values in all their forms; bytes that no value may hold.
#[tokio::test]
async fn encoded_header_values() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let with = |uri: &str, value: &[u8]| {
        let body = modern.body(json!(1), "resources/read", json!({ "uri": uri }));
        modern.request(&body).with("mcp-name", value)
    };
    // "test://é" and "test://a"
    for good in [
        with("test://é", b"=?base64?dGVzdDovL8OpPz0=?=")
            .with("mcp-name", "=?base64?dGVzdDovL8Op?="),
        with("test://a", b"=?base64?dGVzdDovL2E=?="),
        with("=?BASE64?dGVzdDovL2E=?=", b"=?BASE64?dGVzdDovL2E=?="),
        with("=?base64?dGVzdDovL2E=", b"=?base64?dGVzdDovL2E="),
    ] {
        served.send(&good).await.expect(200);
    }
    for bad in [
        with("test://é", "test://é".as_bytes()),
        with("test://a", b"=?base64?%%%?="),
        with("test://a", b"=?base64?dGVzdDovL2E?="),
        with("test://a", b"=?base64?/////w==?="),
        with("test://a", b"=?base64?dGVzdDovL2I=?="),
        with("test://a", b"test://a\xff"),
    ] {
        refused(&served, &bad, 400, -32020).await;
    }
}

/// 3.4, 3.5, 3.39: versions that are not spoken name those that are, and only modern ones.
#[tokio::test]
async fn an_unsupported_version_names_the_supported_ones() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let body = |version: &str| {
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": version });
        modern.body(json!(1), "tools/list", json!({ "_meta": meta }))
    };
    for (header, meta) in [
        ("2099-01-01", "2099-01-01"),
        ("2099-01-01", "2026-07-28"),
        ("garbage", "2026-07-28"),
        ("2025-11-25", "2025-11-25"),
    ] {
        let request = modern.request(&body(meta)).with("mcp-protocol-version", header);
        let answer = refused(&served, &request, 400, -32022).await;
        assert_eq!(answer["error"]["data"]["supported"], json!(["2026-07-28"]));
        assert!(answer["error"]["data"]["requested"].is_string());
    }
}

/// 3.19 to 3.21: what `_meta` must hold, and of which type.
#[tokio::test]
async fn missing_or_ill_typed_meta_is_invalid() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let whole = modern.meta();
    let with = |name: &str, value: Option<Value>| {
        let mut meta = whole.clone();
        let key = format!("io.modelcontextprotocol/{name}");
        match value {
            Some(value) => meta[key] = value,
            None => drop(meta.as_object_mut().unwrap().remove(&key)),
        }
        let params = json!({ "_meta": meta });
        let body =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": params });
        modern.request(&body)
    };
    for request in [
        with("protocolVersion", None),
        with("protocolVersion", Some(json!(7))),
        with("clientCapabilities", None),
        with("clientCapabilities", Some(json!([]))),
        with("clientInfo", Some(json!("me"))),
        with("logLevel", Some(json!("loud"))),
        with("logLevel", Some(json!(3))),
    ] {
        refused(&served, &request, 400, -32602).await;
    }
    served.send(&with("clientInfo", None)).await.expect(200);
    let bare = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    refused(&served, &modern.request(&bare), 400, -32602).await;
    let list =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": [] } });
    refused(&served, &modern.request(&list), 400, -32602).await;
}

/// 3.28: methods that nobody implements, or only the other era.
#[tokio::test]
async fn a_method_that_is_not_implemented_is_404() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let modern = Modern::new(&served);
        for method in [
            "ping",
            "logging/setLevel",
            "resources/subscribe",
            "resources/unsubscribe",
            "initialize",
            "tasks/list",
            "nonsense",
            "nonsense/at-all",
        ] {
            let body = modern.body(json!(1), method, json!({ "uri": "test://a", "level": "info" }));
            refused(&served, &modern.request(&body), 404, -32601).await;
        }
    }
}

/// 5.1: a family that the child does not have is refused without asking it.
#[tokio::test]
async fn a_family_that_the_child_lacks_is_404() {
    let served = Mcpwrap::dev().child(["--without", "prompts"]).start().await;
    let modern = Modern::new(&served);
    let list = modern.body(json!(1), "prompts/list", json!({}));
    refused(&served, &modern.request(&list), 404, -32601).await;
    assert!(modern.get("resources/list", json!({})).await["result"].is_object());
}

/// 3.31, 5.37, 10.30: what does not exist is -32602 with 200, never -32002.
#[tokio::test]
async fn what_does_not_exist_is_invalid_params_with_200() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let modern = Modern::new(&served);
        let reply =
            modern.ask(json!(1), "resources/read", json!({ "uri": "test://missing" })).await;
        assert_eq!(error(&reply.expect(200).json().await).0, -32602);
        let reply = modern.begin(json!(1), "no-such-tool", json!({})).await;
        assert_eq!(error(&reply.expect(200).json().await).0, -32602);
    }
}

/// Seen with go-sdk 1.8: its modern client sends the two methods that it shares with older ones without `_meta`.
#[tokio::test]
async fn ping_and_set_level_without_meta_are_answered() {
    let served = Mcpwrap::dev().start().await;
    let send = async |method: &str, params: Value, header: &str| {
        let mut body = json!({ "jsonrpc": "2.0", "id": 1, "method": method });
        if !params.is_null() {
            body["params"] = params;
        }
        let request = Request::post(body.to_string())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", header);
        let reply = served.send(&request).await;
        (reply.status, reply.json().await)
    };
    for (method, params) in [
        ("ping", Value::Null),
        ("ping", json!({ "_meta": { "progressToken": 1 } })),
        ("logging/setLevel", json!({ "level": "debug" })),
    ] {
        let (status, answer) = send(method, params, method).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["result"], json!({ "resultType": "complete" }), "{method}");
    }
    for (method, params, header, status, code) in [
        ("logging/setLevel", json!({ "level": "loud" }), "logging/setLevel", 400, -32602),
        ("logging/setLevel", json!({}), "logging/setLevel", 400, -32602),
        ("ping", Value::Null, "tools/list", 400, -32020),
        ("tools/list", Value::Null, "tools/list", 400, -32602),
        ("ping", json!({ "_meta": Modern::new(&served).meta() }), "ping", 404, -32601),
    ] {
        let (found, answer) = send(method, params, header).await;
        assert_eq!((found, error(&answer).0), (status, code), "{method}: {answer}");
    }
}

/// 3.16 to 3.18: notifications are taken and dropped, answers refused, sessions and GETs unknown.
#[tokio::test]
async fn only_requests_have_a_place() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let meta = modern.meta();
    let params = json!({ "requestId": 2, "_meta": meta });
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params });
    let reply = served.send(&modern.request(&note)).await.expect(202);
    assert_eq!(reply.bytes().await, b"");
    let answer = Request::post(json!({ "jsonrpc": "2.0", "id": 1, "result": {} }).to_string())
        .header("mcp-protocol-version", "2026-07-28");
    refused(&served, &answer, 400, -32600).await;
    for method in ["GET", "DELETE"] {
        let request = Request::new(method).header("mcp-protocol-version", "2026-07-28");
        let reply = served.send(&request).await.expect(405);
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    let strange = echo(&modern).header("mcp-session-id", "x").header("last-event-id", "1-1");
    let reply = served.send(&strange).await.expect(200);
    assert!(reply.header("mcp-session-id").is_none());
    let seen = modern.call("journal", json!({ "until": "tools/call" })).await;
    assert!(!structured(&seen)["lines"].to_string().contains("cancelled"));
}

/// 10.15, 10.16: the body decides the era; a legacy header above a modern body is the split that 3.3 is for.
#[tokio::test]
async fn the_body_decides_the_era() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let modern = Modern::new(&served);
    served.send(&echo(&modern).header("mcp-session-id", &session.id)).await.expect(200);
    refused(&served, &echo(&modern).with("mcp-protocol-version", "2025-11-25"), 400, -32020).await;
    session.call("echo", json!({})).await;
    // 10.14: `initialize` without `_meta` is legacy whatever the header says.
    let params = json!({ "protocolVersion": "2026-07-28", "capabilities": {} });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let request = Request::post(body.to_string()).header("mcp-protocol-version", "2026-07-28");
    let answer = served.send(&request).await.expect(200).json().await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
}

/// 3.33 to 3.35, 3.38, 5.2, 6.30: what every result must have, from servers of both eras.
#[tokio::test]
async fn results_have_what_the_revision_wants() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let modern = Modern::new(&served);
        for (method, params, cached) in [
            ("server/discover", json!({}), true),
            ("tools/list", json!({}), true),
            ("prompts/list", json!({}), true),
            ("resources/list", json!({}), true),
            ("resources/read", json!({ "uri": "test://a" }), true),
            ("tools/call", json!({ "name": "echo" }), false),
            ("prompts/get", json!({ "name": "greet" }), false),
            ("completion/complete", json!({}), false),
        ] {
            let answer = modern.get(method, params).await;
            let result = &answer["result"];
            assert_eq!(result["resultType"], "complete", "{method}: {answer}");
            assert_eq!(result["ttlMs"].is_u64(), cached, "{method}: {answer}");
            let scope = result["cacheScope"].as_str();
            assert_eq!(scope, cached.then_some("private"), "{method}: {answer}");
            if cached {
                let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
                assert_eq!(info["name"], "fixture", "{method}: {answer}");
            }
        }
        let discovered = modern.get("server/discover", json!({})).await;
        assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]));
        assert_eq!(discovered["result"]["instructions"], "be kind");
        assert_eq!(discovered["result"]["capabilities"]["tools"]["listChanged"], true);
    }
}

/// 5.3, 5.35, 4.39: what only one era knows does not cross.
#[tokio::test]
async fn a_legacy_child_sees_nothing_modern() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let params = json!({ "name": "echo", "_meta": { "traceparent": "00-1", "acme.dev/x": 1 } });
    let answer = modern.get("tools/call", params).await;
    let seen = &structured(&answer)["params"];
    assert_eq!(seen["_meta"], json!({ "traceparent": "00-1", "acme.dev/x": 1 }));
    let tools = modern.get("tools/list", json!({})).await["result"]["tools"].to_string();
    assert!(!tools.contains("task-only") && !tools.contains("execution"), "{tools}");
}
