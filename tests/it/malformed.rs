//! Requests that are wrong in every way a client can be wrong: always the same kind of answer, never a hang.

use crate::support::*;

async fn refused(served: &Served, request: &Request, status: u16, code: i64) -> Value {
    let shown = String::from_utf8_lossy(&request.body[..request.body.len().min(90)]).into_owned();
    let reply = served.send(request).await;
    assert_eq!(reply.status, status, "{shown}");
    let answer = reply.json().await;
    assert_eq!((answer["jsonrpc"].as_str(), error(&answer).0), (Some("2.0"), code), "{shown}");
    answer
}

/// 1.11: not JSON at all is -32700, in either era and without one.
#[tokio::test]
async fn invalid_json_is_a_parse_error() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let deep = "[".repeat(100_000);
    for body in [
        &b""[..],
        b"{",
        b"nul",
        b"{\"jsonrpc\":\"2.0\",}",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe",
        b"{\"a\":\"\xc3\"}",
        b"'x'",
        deep.as_bytes(),
    ] {
        for request in [
            Request::post(body),
            Request::post(body).header("mcp-session-id", &session.id),
            Request::post(body).header("mcp-protocol-version", "2026-07-28"),
        ] {
            assert_eq!(refused(&served, &request, 400, -32700).await["id"], Value::Null);
        }
    }
    session.call("echo", json!({})).await;
}

/// 1.11: JSON that is no message; ids of every odd type; duplicate members.
#[tokio::test]
async fn wrong_shapes_are_invalid_requests() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    for body in [
        "1",
        "null",
        "\"x\"",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"no"}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1e2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}"#,
    ] {
        let request = Request::post(body).header("mcp-session-id", &session.id);
        refused(&served, &request, 400, -32600).await;
        refused(&served, &Request::post(body), 400, -32600).await;
    }
}

/// 10.34: duplicate keys where headers are compared with the body, and only there.
#[tokio::test]
async fn duplicate_keys_are_refused_where_they_would_be_compared() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let meta = modern.meta().to_string();
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let twice = meta.replacen('{', &format!("{{{version},"), 1);
    for params in [
        format!(r#"{{"name":"echo","name":"exit","_meta":{meta}}}"#),
        format!(r#"{{"name":"echo","_meta":{meta},"_meta":{meta}}}"#),
        format!(r#"{{"name":"echo","_meta":{twice}}}"#),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let mut request =
            modern.request(&modern.body(json!(1), "tools/call", json!({ "name": "echo" })));
        request.body = body.into_bytes();
        let reply = served.send(&request).await.expect(400);
        assert!([-32700, -32600, -32602].contains(&error(&reply.json().await).0));
    }
    // Arguments are the server's business.
    let params = format!(r#"{{"name":"echo","arguments":{{"a":1,"a":2}},"_meta":{meta}}}"#);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let mut request =
        modern.request(&modern.body(json!(1), "tools/call", json!({ "name": "echo" })));
    request.body = body.into_bytes();
    served.send(&request).await.expect(200);
}

/// 2.20: arrays belong to 2025-03-26 alone.
#[tokio::test]
async fn arrays_are_refused() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let body = modern.body(json!(1), "tools/list", json!({}));
    let mut request = modern.request(&body);
    request.body = json!([body]).to_string().into_bytes();
    refused(&served, &request, 400, -32600).await;
    refused(&served, &Request::post("[]"), 400, -32600).await;
}

/// 1.12: 413 with a JSON-RPC error, whether or not the length is told beforehand; the limit itself is allowed.
#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let served = Mcpwrap::dev().flags(["--max-body", "10KB"]).start().await;
    let session = Session::new(&served).await;
    let body = |length: usize| {
        let empty = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": "" } });
        let room = length - empty.to_string().len();
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": "x".repeat(room) } })
    };
    session.post(&body(10_000)).await.expect(200);
    refused(&served, &session.request(&body(10_001)), 413, -32600).await;
    refused(&served, &session.request(&body(1_000_000)), 413, -32600).await;
    let mut chunked = session.request(&json!({})).header("transfer-encoding", "chunked");
    chunked = chunked.header("content-length", "").without("content-length");
    let data = body(20_000).to_string();
    chunked.body = format!("{:x}\r\n{data}\r\n0\r\n\r\n", data.len()).into_bytes();
    refused(&served, &chunked, 413, -32600).await;
    session.call("echo", json!({})).await;
}

/// 1.10: only JSON by its own account; that alone keeps cross-site forms out.
#[tokio::test]
async fn another_content_type_is_415() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let ping = session.request(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }));
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        refused(&served, &ping.clone().with("content-type", wrong), 415, -32600).await;
    }
    refused(&served, &ping.clone().without("content-type"), 415, -32600).await;
    for right in ["application/json; charset=utf-8", "Application/JSON"] {
        served.send(&ping.clone().with("content-type", right)).await.expect(200);
    }
}

/// 1.9: a client that takes neither form is 406; one that says nothing takes both.
#[tokio::test]
async fn accept_is_read_with_good_will() {
    let served = Mcpwrap::dev().start().await;
    let session = Session::new(&served).await;
    let ping = session.request(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }));
    for good in ["*/*", "application/*", "text/event-stream", "APPLICATION/JSON;q=0.1, text/html"] {
        served.send(&ping.clone().with("accept", good)).await.expect(200);
    }
    served.send(&ping.clone().without("accept")).await.expect(200);
    served.send(&ping.clone().with("accept", "text/html")).await.expect(406);
}

/// 1.20, 10.40: other paths and methods are refused, never redirected.
#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let served = Mcpwrap::dev().flags(["--path", "/a/b"]).start().await;
    let send = async |method: &'static str, target: &str| {
        let mut request = Request::post("{}");
        (request.method, request.target) = (method, target.to_owned());
        served.send(&request).await
    };
    for target in ["/", "/mcp", "/a/b/", "/a/b/c", "/A/B", "//a/b", "/a%2Fb", "/a/./b"] {
        assert_eq!(send("POST", target).await.status, 404, "{target}");
    }
    assert_eq!(send("POST", "/a/b").await.status, 400);
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE"] {
        let reply = send(method, "/a/b").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST, DELETE")));
    }
}

/// 1.2, 1.3: seen in a peer: every foreign Host accepted. A page of another origin gets nothing either.
#[tokio::test]
async fn foreign_hosts_and_origins_are_403() {
    let setup = Mcpwrap::dev();
    let flags = ["--allow-host", "mcp.acme.dev", "--allow-origin", "https://app.acme.dev"];
    let served = setup.flags(flags).start().await;
    let session = Session::new(&served).await;
    let ping = session.request(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }));
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.1", ""]
    {
        refused(&served, &ping.clone().header("host", host), 403, -32600).await;
    }
    for origin in ["http://evil.example", "null", "https://app.acme.dev.evil", "file://", "x"] {
        refused(&served, &ping.clone().header("origin", origin), 403, -32600).await;
        let get = session.listening(None).header("origin", origin);
        served.send(&get).await.expect(403);
        let mut options = ping.clone().header("origin", origin);
        options.method = "OPTIONS";
        served.send(&options).await.expect(403);
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8808", "[::1]:1", "mcp.acme.dev"] {
        served.send(&ping.clone().header("host", host)).await.expect(200);
    }
    for origin in ["http://localhost:5173", "http://127.0.0.1", "https://app.acme.dev"] {
        served.send(&ping.clone().header("origin", origin)).await.expect(200);
    }
    served.send(&ping.header("host", "localhost").header("host", "evil.example")).await.expect(403);
}
