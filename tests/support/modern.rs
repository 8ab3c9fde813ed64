//! A client of 2026-07-28, with a token or without.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::client::{Client, all_capabilities, next_id};
use super::http::{Events, Reply, Request};
use super::served::Served;

const VERSION: &str = "2026-07-28";

/// One client; it has no state but what it can do and who it is.
#[derive(Clone, Debug)]
pub(crate) struct Modern {
    pub(crate) at: SocketAddr,
    pub(crate) token: Option<String>,
    capabilities: Value,
}

// === impl Modern ===

impl Modern {
    /// A client that can be asked nothing.
    pub(crate) fn new(served: &Served) -> Self {
        Self::with(served, json!({}))
    }

    /// A client that can be asked everything.
    pub(crate) fn able(served: &Served) -> Self {
        Self::with(served, all_capabilities())
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

    /// A client that can do this much.
    pub(crate) fn with(served: &Served, capabilities: Value) -> Self {
        Self { at: served.at, token: None, capabilities }
    }

    /// The same client with this token.
    pub(crate) fn bearing(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// What each of its requests says of it.
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
            .bearing(self.token.as_deref())
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

    /// The POST of a call.
    pub(crate) fn calling(&self, tool: &str, arguments: Value) -> Request {
        let params = json!({ "name": tool, "arguments": arguments });
        self.request(&self.body(next_id(), "tools/call", params))
    }

    /// Sends any request that has no token yet in the name of this client.
    pub(crate) async fn send(&self, request: Request) -> Reply {
        request.bearing(self.token.as_deref()).send(self.at).await
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

    /// Opens a subscription to the lists of tools, and hears that it stands.
    pub(crate) async fn subscribe(&self) -> Events {
        let mut events = self.listen(next_id(), json!({ "toolsListChanged": true })).await;
        events.expect("notifications/subscriptions/acknowledged").await;
        events
    }

    /// The status of a call.
    pub(crate) async fn status(&self) -> u16 {
        self.calling("whoami", json!({})).send(self.at).await.status
    }
}

impl Client for Modern {
    async fn ask(&self, id: Value, method: &str, params: Value) -> Reply {
        self.request(&self.body(id, method, params)).send(self.at).await
    }
}

// === impl Served ===

impl Served {
    /// Somebody with this token.
    pub(crate) fn caller(&self, token: &str) -> Modern {
        Modern::new(self).bearing(token)
    }
}
