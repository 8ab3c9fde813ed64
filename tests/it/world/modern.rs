//! A client of 2026-07-28.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Events, Reply, Request, Served};

pub(crate) const VERSION: &str = "2026-07-28";

/// One client; it has no state but what it can do.
#[derive(Debug)]
pub(crate) struct Modern {
    pub(crate) at: SocketAddr,
    capabilities: Value,
    next: AtomicU64,
}

impl Modern {
    /// A client that can be asked nothing.
    pub(crate) fn new(served: &Served) -> Self {
        Self::with(served, json!({}))
    }

    /// A client that can be asked everything.
    pub(crate) fn able(served: &Served) -> Self {
        Self::with(served, super::legacy::all_capabilities())
    }

    /// The same, after it has used the tools that look into the child: a tool that nobody has used might ask as
    /// well, and so waits for the calls that wait for an answer (5.43).
    pub(crate) async fn able_and_known(served: &Served) -> Self {
        let modern = Self::able(served);
        modern.pid().await;
        modern.call("journal", json!({ "until": "" })).await;
        modern.call("held", json!({ "count": 0 })).await;
        modern
    }

    pub(crate) fn with(served: &Served, capabilities: Value) -> Self {
        Self { at: served.at, capabilities, next: AtomicU64::new(1_000_000) }
    }

    pub(crate) fn meta(&self) -> Value {
        json!({
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            "io.modelcontextprotocol/clientInfo": { "name": "it", "version": "1" },
        })
    }

    /// The body of a request; what `params._meta` holds already stays.
    pub(crate) fn body(&self, id: Value, method: &str, mut params: Value) -> Value {
        let mut meta = self.meta();
        if let Some(own) = params["_meta"].as_object() {
            meta.as_object_mut().unwrap().extend(own.clone());
        }
        params["_meta"] = meta;
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    /// A POST with the headers that its body asks for.
    pub(crate) fn request(&self, body: &Value) -> Request {
        let method = body["method"].as_str().unwrap();
        let request = Request::post(body.to_string())
            .header("mcp-protocol-version", VERSION)
            .header("mcp-method", method);
        let params = &body["params"];
        let name = match method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
            _ => None,
        };
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// Sends a request and returns the head of its answer.
    pub(crate) async fn ask(&self, id: Value, method: &str, params: Value) -> Reply {
        self.request(&self.body(id, method, params)).send(self.at).await
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

    /// Calls a tool again with the answers that it wanted.
    pub(crate) async fn retry(
        &self,
        tool: &str,
        arguments: &Value,
        state: &Value,
        responses: Value,
    ) -> Value {
        let params = json!({
            "name": tool,
            "arguments": arguments,
            "requestState": state,
            "inputResponses": responses,
        });
        self.get("tools/call", params).await
    }

    /// Opens a subscription; the acknowledgement is the first message.
    pub(crate) async fn listen(&self, id: Value, notifications: Value) -> Events {
        let params = json!({ "notifications": notifications });
        self.ask(id, "subscriptions/listen", params).await.expect(200).events()
    }

    pub(crate) async fn pid(&self) -> Value {
        super::structured(&self.call("whoami", json!({})).await)["pid"].clone()
    }
}
