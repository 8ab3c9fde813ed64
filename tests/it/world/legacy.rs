//! A client of the revisions up to 2025-11-25.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Events, Reply, Request, Served};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) at: SocketAddr,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) hello: Value,
    next: AtomicU64,
}

/// Everything a client can be asked.
pub(crate) fn all_capabilities() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} })
}

impl Session {
    /// A client of the newest legacy revision that can be asked nothing.
    pub(crate) async fn new(served: &Served) -> Self {
        Self::with(served, "2025-11-25", json!({})).await
    }

    /// A client that can be asked everything.
    pub(crate) async fn able(served: &Served) -> Self {
        Self::with(served, "2025-11-25", all_capabilities()).await
    }

    pub(crate) async fn with(served: &Served, version: &str, capabilities: Value) -> Self {
        let reply = initialize(served, version, capabilities).await.expect(200);
        let id = reply.header("mcp-session-id").expect("a session id").to_owned();
        let answer = reply.answer().await;
        let version = answer["result"]["protocolVersion"].as_str();
        let version = version.unwrap_or_else(|| panic!("{answer}")).to_owned();
        let session =
            Self { at: served.at, id, version, hello: answer, next: AtomicU64::new(1_000_000) };
        session.notify("notifications/initialized", json!({})).await;
        session
    }

    /// A POST within this session.
    pub(crate) fn request(&self, body: &Value) -> Request {
        Request::post(body.to_string())
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", &self.version)
    }

    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.request(body).send(self.at).await
    }

    pub(crate) async fn notify(&self, method: &str, params: Value) {
        let body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let reply = self.post(&body).await.expect(202);
        assert_eq!(reply.bytes().await, b"");
    }

    /// Sends a request and returns the head of its answer.
    pub(crate) async fn ask(&self, id: Value, method: &str, params: Value) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.post(&body).await
    }

    /// Sends a request and returns its answer.
    pub(crate) async fn get(&self, method: &str, params: Value) -> Value {
        let id = json!(self.next.fetch_add(1, Ordering::Relaxed));
        let answer = self.ask(id.clone(), method, params).await.answer().await;
        assert_eq!(answer["id"], id);
        answer
    }

    /// Calls a tool and returns its answer.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.get("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool under an id of the test's own and returns the head of the answer.
    pub(crate) async fn begin(&self, id: Value, tool: &str, arguments: Value) -> Reply {
        self.ask(id, "tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Answers a question.
    pub(crate) async fn answer(&self, question: &Value, result: Value) {
        let body = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        self.post(&body).await.expect(202);
    }

    pub(crate) fn listening(&self, last: Option<&str>) -> Request {
        let request = Request::new("GET")
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", &self.version);
        match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        }
    }

    /// Opens the standalone stream.
    pub(crate) async fn listen(&self) -> Events {
        self.listening(None).send(self.at).await.expect(200).events()
    }

    /// Resumes a stream after this event.
    pub(crate) async fn resume(&self, last: &str) -> Reply {
        self.listening(Some(last)).send(self.at).await
    }

    pub(crate) async fn pid(&self) -> Value {
        super::structured(&self.call("whoami", json!({})).await)["pid"].clone()
    }
}

/// A handshake and the head of its answer.
pub(crate) async fn initialize(served: &Served, version: &str, capabilities: Value) -> Reply {
    let params = json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "clientInfo": { "name": "it", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    served.send(&Request::post(body.to_string())).await
}
