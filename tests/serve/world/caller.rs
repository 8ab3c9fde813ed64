//! Clients of both eras that send a token with every request.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::http::{Events, Reply, Request};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) at: SocketAddr,
    pub(crate) token: String,
}

/// A legacy session; it can be used with another token than its own.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) by: Caller,
}

/// The JSON that a tool of the fixture returned.
pub(crate) fn structured(answer: &Value) -> &Value {
    let value = &answer["result"]["structuredContent"];
    assert!(value.is_object(), "no structured result: {answer}");
    value
}

/// The process of a `whoami`.
pub(crate) fn pid(who: &Value) -> i64 {
    who["pid"].as_i64().unwrap()
}

/// What a child says of its environment.
pub(crate) fn who<'w>(whoami: &'w Value, variable: &str) -> &'w str {
    let value = &whoami["env"][variable];
    value.as_str().unwrap_or_else(|| panic!("no {variable} in {whoami}"))
}

/// The message of an error.
pub(crate) fn error(answer: &Value) -> &str {
    let message = answer["error"]["message"].as_str();
    message.unwrap_or_else(|| panic!("no error: {answer}"))
}

// === impl Caller ===

impl Caller {
    /// A request with the token.
    pub(crate) fn with_token(&self, request: Request) -> Request {
        request.header("authorization", format!("Bearer {}", self.token))
    }

    /// A modern request with these capabilities, without a token.
    pub(crate) fn modern(method: &str, mut params: Value, capabilities: Value) -> Request {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": capabilities,
            "io.modelcontextprotocol/clientInfo": { "name": "serve", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = Request::post(body.to_string())
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        match params["name"].as_str() {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// A modern call of a tool, without a token.
    pub(crate) fn anonymous(tool: &str, arguments: Value) -> Request {
        let params = json!({ "name": tool, "arguments": arguments });
        Self::modern("tools/call", params, json!({}))
    }

    /// Sends a request with the token.
    pub(crate) async fn send(&self, request: Request) -> Reply {
        self.with_token(request).send(self.at).await
    }

    /// Opens a modern subscription to the lists of tools, and hears that it stands.
    pub(crate) async fn subscribe(&self) -> Events {
        let params = json!({ "notifications": { "toolsListChanged": true } });
        let request = Self::modern("subscriptions/listen", params, json!({}));
        let mut events = self.send(request).await.expect(200).events();
        events.expect("notifications/subscriptions/acknowledged").await;
        events
    }

    /// Calls a tool and returns the head of the answer.
    pub(crate) async fn begin(&self, tool: &str, arguments: Value) -> Reply {
        self.send(Self::anonymous(tool, arguments)).await
    }

    /// Calls a tool and returns its answer, whatever the status.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.begin(tool, arguments).await.answer().await
    }

    /// The status of a call.
    pub(crate) async fn status(&self) -> u16 {
        self.begin("whoami", json!({})).await.status
    }

    /// What the caller's child says of itself.
    pub(crate) async fn whoami(&self) -> Value {
        structured(&self.call("whoami", json!({})).await).clone()
    }

    fn initialize() -> Request {
        let params = json!({
            "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": { "name": "serve", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        Request::post(body.to_string())
    }

    /// Opens a legacy session.
    pub(crate) async fn session(&self) -> Session {
        let reply = self.with_token(Self::initialize()).send(self.at).await.expect(200);
        let id = reply.header("mcp-session-id").expect("a session id").to_owned();
        assert!(reply.answer().await["result"].is_object());
        let session = Session { id, by: self.clone() };
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        session.of(Request::post(body.to_string())).send(self.at).await.expect(202);
        session
    }
}

// === impl Session ===

impl Session {
    fn of(&self, request: Request) -> Request {
        let named =
            request.header("mcp-session-id", &self.id).header("mcp-protocol-version", LEGACY);
        self.by.with_token(named)
    }

    /// The same session in the hands of somebody else.
    pub(crate) fn taken_by(&self, thief: &Caller) -> Self {
        Self { id: self.id.clone(), by: thief.clone() }
    }

    /// Calls a tool within the session.
    pub(crate) async fn post(&self, tool: &str) -> Reply {
        let params = json!({ "name": tool, "arguments": {} });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        self.of(Request::post(body.to_string())).send(self.by.at).await
    }

    /// Asks for the standalone stream.
    pub(crate) async fn get(&self) -> Reply {
        let request = Request::new("GET").header("accept", "text/event-stream");
        self.of(request).send(self.by.at).await
    }

    pub(crate) async fn delete(&self) -> Reply {
        self.of(Request::new("DELETE")).send(self.by.at).await
    }

    /// Asks for what a stream said after this event.
    pub(crate) async fn resume(&self, last: &str) -> Reply {
        let request = Request::new("GET").header("accept", "text/event-stream");
        self.of(request.header("last-event-id", last)).send(self.by.at).await
    }

    /// Opens the standalone stream.
    pub(crate) async fn listen(&self) -> Events {
        self.get().await.expect(200).events()
    }
}
