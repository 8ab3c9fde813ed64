//! What clients of both eras have in common, and what the answer to either may be.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::fixture::{pid, structured};
use super::http::Reply;

/// Somebody who asks.
pub(crate) trait Client {
    /// Sends a request and returns the head of its answer.
    async fn ask(&self, id: Value, method: &str, params: Value) -> Reply;

    /// Sends a request and returns its answer.
    async fn get(&self, method: &str, params: Value) -> Value {
        let id = next_id();
        let answer = self.ask(id.clone(), method, params).await.answer().await;
        assert_eq!(answer["id"], id);
        answer
    }

    /// Calls a tool and returns its answer.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.get("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool under an id of the test's own and returns the head of the answer.
    async fn begin(&self, id: Value, tool: &str, arguments: Value) -> Reply {
        self.ask(id, "tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// What the client's child says of itself.
    async fn whoami(&self) -> Value {
        structured(&self.call("whoami", json!({})).await).clone()
    }

    /// The process of the client's child.
    async fn pid(&self) -> i32 {
        pid(&self.whoami().await)
    }
}

/// Everything a client can be asked.
pub(crate) fn all_capabilities() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} })
}

/// The code and the message of an error.
pub(crate) fn error(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    assert!(error.is_object() && answer.get("result").is_none(), "no error: {answer}");
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap())
}

/// An id that no other request of this run has.
pub(crate) fn next_id() -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    json!(NEXT.fetch_add(1, Ordering::Relaxed))
}
