//! An identity provider: metadata, keys, introspection, and tokens for anybody.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::keys::Key;
use super::stand_in::{Answer, Asked, StandIn};

/// What clients call the endpoint of every test, and what tokens are for.
pub(crate) const PUBLIC: &str = "https://mcp.test/mcp";

/// The provider; what it publishes can be changed.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) server: StandIn,
    pub(crate) key: Key,
    opaque: Arc<Mutex<Vec<(String, Value)>>>,
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Claims with some members replaced; null removes one.
pub(crate) fn with(mut claims: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("no object") };
    let all = claims.as_object_mut().unwrap();
    for (name, value) in changes {
        match value {
            Value::Null => all.remove(&name),
            value => all.insert(name, value),
        };
    }
    claims
}

// === impl Provider ===

impl Provider {
    pub(crate) const METADATA: &'static str = "/.well-known/oauth-authorization-server";
    pub(crate) const KEYS: &'static str = "/keys";
    pub(crate) const INTROSPECT: &'static str = "/introspect";

    pub(crate) async fn start() -> Self {
        Self::with_key(Key::ec("k1")).await
    }

    pub(crate) async fn with_key(key: Key) -> Self {
        let server = StandIn::start().await;
        let provider = Self { server, key, opaque: Arc::default() };
        provider.recover();
        provider
    }

    /// Answers as a provider should, whatever it did before.
    pub(crate) fn recover(&self) {
        let server = &self.server;
        server.everywhere(Answer::Status(404));
        server.answer(Self::METADATA, Answer::Json(self.metadata()));
        self.publish(&[&self.key]);
        let opaque = Arc::clone(&self.opaque);
        let introspect = move |asked: &Asked| {
            let token = asked.form("token");
            let all = opaque.lock().unwrap();
            let known = all.iter().find(|(own, _)| *own == token);
            Answer::Json(known.map_or(json!({ "active": false }), |(_, claims)| claims.clone()))
        };
        server.answer(Self::INTROSPECT, Answer::Made(Arc::new(introspect)));
    }

    pub(crate) fn issuer(&self) -> String {
        self.server.url()
    }

    pub(crate) fn metadata(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}{}", Self::KEYS),
            "introspection_endpoint": format!("{issuer}{}", Self::INTROSPECT),
        })
    }

    /// Publishes these keys from now on.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        self.server.answer(Self::KEYS, Answer::Json(json!({ "keys": keys })));
    }

    /// What a good token says.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        json!({
            "iss": self.issuer(), "aud": PUBLIC, "sub": subject, "client_id": "client-1",
            "iat": now(), "exp": now() + 600, "jti": format!("id-of-{subject}"), "scope": "mcp:use",
        })
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.key.token(&self.claims(subject))
    }

    /// A good token but for these members.
    pub(crate) fn token_with(&self, changes: Value) -> String {
        self.key.token(&with(self.claims("alice"), changes))
    }

    /// From now on the provider vouches for this opaque token.
    pub(crate) fn vouch(&self, token: &str, subject: &str) {
        let mut claims = self.claims(subject);
        claims["active"] = json!(true);
        self.opaque.lock().unwrap().push((token.to_owned(), claims));
    }

    /// From now on it says that the token is not active.
    pub(crate) fn withdraw(&self, token: &str) {
        self.opaque.lock().unwrap().retain(|(own, _)| own != token);
    }
}
