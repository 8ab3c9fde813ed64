//! A client of the revisions up to 2025-11-25, with a token or without.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::client::{Client, all_capabilities};
use super::http::{Events, Reply, Request};
use super::modern::Modern;
use super::served::Served;

/// One session; a clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) at: SocketAddr,
    pub(crate) token: Option<String>,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) hello: Value,
}

// === impl Session ===

impl Session {
    /// A client of the newest legacy revision that can be asked nothing.
    pub(crate) async fn new(served: &Served) -> Self {
        Self::with(served, "2025-11-25", json!({})).await
    }

    /// A client that can be asked everything.
    pub(crate) async fn able(served: &Served) -> Self {
        Self::with(served, "2025-11-25", all_capabilities()).await
    }

    /// A client of this revision that can do this much.
    pub(crate) async fn with(served: &Served, version: &str, capabilities: Value) -> Self {
        Self::of(served.at, None, version, capabilities).await
    }

    /// The session of whoever has this token.
    async fn of(at: SocketAddr, token: Option<String>, version: &str, capabilities: Value) -> Self {
        let request = handshake(version, capabilities).bearing(token.as_deref());
        let reply = request.send(at).await.expect(200);
        let id = reply.header("mcp-session-id").expect("a session id").to_owned();
        let answer = reply.answer().await;
        let version = answer["result"]["protocolVersion"].as_str();
        let version = version.unwrap_or_else(|| panic!("{answer}")).to_owned();
        let session = Self { at, token, id, version, hello: answer };
        session.notify("notifications/initialized", json!({})).await;
        session
    }

    /// The same session in the hands of somebody else.
    pub(crate) fn taken_by(&self, thief: &Modern) -> Self {
        Self { token: thief.token.clone(), ..self.clone() }
    }

    /// A request within this session.
    fn within(&self, request: Request) -> Request {
        request
            .bearing(self.token.as_deref())
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", &self.version)
    }

    /// A POST within this session.
    pub(crate) fn request(&self, body: &Value) -> Request {
        self.within(Request::post(body.to_string()))
    }

    /// Sends any message and returns the head of the answer.
    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.request(body).send(self.at).await
    }

    /// Sends a notification, which must be taken.
    pub(crate) async fn notify(&self, method: &str, params: Value) {
        let body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let reply = self.post(&body).await.expect(202);
        assert_eq!(reply.bytes().await, b"");
    }

    /// Answers a question.
    pub(crate) async fn answer(&self, question: &Value, result: Value) {
        let body = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        self.post(&body).await.expect(202);
    }

    /// A GET of the standalone stream, or of what a stream said after this event.
    pub(crate) fn listening(&self, last: Option<&str>) -> Request {
        let request = self.within(Request::new("GET").header("accept", "text/event-stream"));
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

    /// Ends the session.
    pub(crate) async fn delete(&self) -> Reply {
        self.within(Request::new("DELETE")).send(self.at).await
    }
}

impl Client for Session {
    async fn ask(&self, id: Value, method: &str, params: Value) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.post(&body).await
    }
}

// === impl Modern ===

impl Modern {
    /// A legacy session of the same user, who can be asked nothing in it.
    pub(crate) async fn session(&self) -> Session {
        Session::of(self.at, self.token.clone(), "2025-11-25", json!({})).await
    }
}

/// A handshake and the head of its answer.
pub(crate) async fn initialize(served: &Served, version: &str, capabilities: Value) -> Reply {
    handshake(version, capabilities).send(served.at).await
}

fn handshake(version: &str, capabilities: Value) -> Request {
    let params = json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "clientInfo": { "name": "it", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    Request::post(body.to_string())
}
