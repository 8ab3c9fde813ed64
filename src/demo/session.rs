//! A client as small as the demo needs: one legacy session of one user over the real endpoint.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use super::Error;
use crate::client::SESSION_ID;
use crate::outbound::{Client, Reply};

const REVISION: &str = "2025-11-25";

/// The endpoint as one user reaches it.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) endpoint: Url,
    /// The bearer token; nobody's where absent.
    pub(super) token: Option<String>,
}

/// A session that has been initialised.
pub(super) struct Session {
    pub(super) caller: Caller,
    pub(super) id: String,
}

// === impl Caller ===

impl Caller {
    /// Sends one message, within a session if one is named.
    pub(super) async fn post(
        &self,
        message: &Value,
        session: Option<&str>,
    ) -> Result<Reply, Error> {
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", REVISION)
            .body(message.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session) = session {
            request = request.header(SESSION_ID, session);
        }
        self.client.send(request).await.map_err(|cause| Error::Call { cause })
    }

    /// Opens a session.
    pub(super) async fn open(self) -> Result<Session, Error> {
        let hello = json!({
            "jsonrpc": "2.0", "id": 0, "method": "initialize",
            "params": { "protocolVersion": REVISION, "capabilities": {},
                        "clientInfo": { "name": "mcpwrap-demo", "version": env!("CARGO_PKG_VERSION") } },
        });
        let reply = self.post(&hello, None).await?;
        message(&reply)?;
        let id = header(&reply.headers, SESSION_ID)
            .ok_or(Error::Unexpected { what: format!("{} without a session", reply.status) })?;
        let session = Session { id, caller: self };
        let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        session.caller.post(&done, Some(&session.id)).await?;
        Ok(session)
    }
}

// === impl Session ===

impl Session {
    /// Calls a tool and returns its structured result.
    pub(super) async fn call(&self, tool: &str, arguments: &Value) -> Result<Value, Error> {
        let reply = self.caller.post(&call(tool, arguments), Some(&self.id)).await?;
        Ok(message(&reply)?["result"]["structuredContent"].take())
    }
}

/// The request to call a tool.
pub(super) fn call(tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The response in a body, be it JSON or the events of a stream.
fn message(reply: &Reply) -> Result<Value, Error> {
    let unexpected = || Error::Unexpected {
        what: format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body).trim()),
    };
    if !reply.status.is_success() {
        return Err(unexpected());
    }
    let found = response(&reply.body).ok_or_else(unexpected)?;
    if found.get("error").is_some() { Err(unexpected()) } else { Ok(found) }
}

fn response(body: &Bytes) -> Option<Value> {
    let text = str::from_utf8(body).ok()?;
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages =
        std::iter::once(text).chain(events).filter_map(|text| serde_json::from_str(text).ok());
    messages.find(|message: &Value| message.get("result").or(message.get("error")).is_some())
}
