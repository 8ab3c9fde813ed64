//! A vault with one engine of version 2 at `secret/`, and what it was asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::stand_in::{Answer, Asked, StandIn};

/// The vault; a clone is the same one.
#[derive(Clone)]
pub(crate) struct Vault {
    pub(crate) server: StandIn,
    secrets: Arc<Mutex<HashMap<String, String>>>,
}

// === impl Vault ===

impl Vault {
    /// As whom mcpwrap comes.
    pub(crate) const TOKEN: &'static str = "hvs.the-token-of-mcpwrap-itself-0123456789";

    pub(crate) async fn start() -> Self {
        let server = StandIn::start().await;
        let vault = Self { server, secrets: Arc::default() };
        vault.recover();
        vault
    }

    /// Answers as a vault should, whatever it did before.
    pub(crate) fn recover(&self) {
        let secrets = Arc::clone(&self.secrets);
        let answer = move |asked: &Asked| respond(asked, &secrets.lock().unwrap());
        self.server.everywhere(Answer::Made(Arc::new(answer)));
    }

    /// Keeps this in the field `token` of `secret/PATH`.
    pub(crate) fn keep(&self, path: &str, value: &str) {
        self.secrets.lock().unwrap().insert(path.to_owned(), value.to_owned());
    }

    /// Keeps a secret of its own at every path that was not given one.
    pub(crate) fn keep_for_everybody(&self) {
        self.keep("*", "");
    }

    /// How often a secret was read, whichever.
    pub(crate) fn reads(&self) -> usize {
        let asked = self.server.asked();
        asked.iter().filter(|asked| asked.path().starts_with("/v1/secret/")).count()
    }

    /// The variables that lead mcpwrap here.
    pub(crate) fn env(&self) -> [(&'static str, String); 2] {
        [("VAULT_ADDR", self.server.url()), ("VAULT_TOKEN", Self::TOKEN.to_owned())]
    }
}

/// A real vault decodes what it is asked and lets `..` climb, and so does this one.
fn respond(asked: &Asked, secrets: &HashMap<String, String>) -> Answer {
    if asked.headers.get("x-vault-token").is_none_or(|token| token != Vault::TOKEN) {
        return Answer::Status(403);
    }
    let path = percent_encoding::percent_decode_str(asked.path()).decode_utf8_lossy().into_owned();
    if path == "/v1/auth/token/lookup-self" {
        return Answer::Json(json!({ "data": { "ttl": 0, "renewable": false } }));
    }
    if path.starts_with("/v1/sys/internal/ui/mounts/secret/") {
        let options = json!({ "version": "2" });
        return Answer::Json(
            json!({ "data": { "path": "secret/", "type": "kv", "options": options } }),
        );
    }
    let Some(path) = path.strip_prefix("/v1/secret/data/") else { return Answer::Status(404) };
    let mut climbed: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(climbed.pop()),
            "." | "" => {}
            part => climbed.push(part),
        }
    }
    let path = climbed.join("/");
    let own = secrets.contains_key("*").then(|| format!("token-at-{path}"));
    match secrets.get(&path).cloned().or(own) {
        Some(value) => {
            Answer::Json(json!({ "data": { "data": { "token": value }, "metadata": {} } }))
        }
        None => Answer::Status(404),
    }
}
