//! An identity provider for two users that exists as long as the demo does: metadata, one key, and a page
//! that gives a token to whoever asks on this machine.
//!
//! It is not part of `serve`, which meets it over HTTP like any other provider.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{ALICE, BOB, Error};
use crate::shutdown::Shutdown;

const KEY_ID: &str = "demo";
const TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);
const METADATA: &[&str] =
    &["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

/// The provider; a clone is the same one.
#[derive(Clone)]
pub(super) struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    key: EcdsaKeyPair,
    /// What the tokens are for; known once the endpoint listens.
    audience: OnceLock<String>,
}

// === impl Provider ===

impl Provider {
    /// Starts it on a free port of loopback.
    pub(super) async fn start(shutdown: &Shutdown) -> Result<Self, Error> {
        let listen = |cause| Error::Provider { cause };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = key.map_err(|_| Error::Key)?;
        let provider = Self { inner: Arc::new(Inner { address, key, audience: OnceLock::new() }) };
        let router = Router::new().fallback(handle).with_state(provider.clone());
        let stop = shutdown.clone();
        shutdown.spawn("the demo's identity provider", async move {
            let graceful = stop.clone();
            let served = axum::serve(listener, router)
                .with_graceful_shutdown(async move { graceful.finishing().await });
            tokio::select! {
                result = served.into_future() => {
                    if let Err(error) = result {
                        tracing::error!(%error, "the demo's identity provider failed");
                    }
                }
                () = stop.aborting() => {}
            }
        });
        Ok(provider)
    }

    /// Its identifier.
    pub(super) fn issuer(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// Says what the tokens are for.
    pub(super) fn serve_tokens_for(&self, endpoint: &str) {
        self.inner.audience.get_or_init(|| endpoint.to_owned());
    }

    fn metadata(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/jwks"),
            "token_endpoint": format!("{issuer}/token"),
            "response_types_supported": [],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn keys(&self) -> Value {
        // An uncompressed point: a byte that says so, then both coordinates.
        let point = self.inner.key.public_key().as_ref();
        let (x, y) = point.split_at_checked(33).map_or((point, point), |(head, y)| (&head[1..], y));
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": x, "y": y }] })
    }

    /// A token of RFC 9068 for one of the two users.
    fn token(&self, user: &str) -> Option<String> {
        let audience = self.inner.audience.get()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": KEY_ID });
        let claims = json!({
            "iss": self.issuer(), "aud": audience, "sub": user, "client_id": "demo",
            "iat": now, "exp": now + TOKEN_LIFE.as_secs(),
            "jti": format!("{:016x}", getrandom::u64().ok()?),
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.inner.key.sign(&SystemRandom::new(), message.as_bytes()).ok()?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

async fn handle(State(provider): State<Provider>, request: Request) -> Response {
    // A page in a browser that reaches us under another name is not the person at the terminal.
    let own = provider.inner.address.to_string();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host != Some(own.as_str()) || request.method() != Method::GET {
        return StatusCode::FORBIDDEN.into_response();
    }
    let json = |value: &Value| ([(CONTENT_TYPE, "application/json")], value.to_string());
    match request.uri().path() {
        path if METADATA.contains(&path) => json(&provider.metadata()).into_response(),
        "/jwks" => json(&provider.keys()).into_response(),
        "/token" => {
            let user = request.uri().query().and_then(|query| query.strip_prefix("user="));
            let token = user
                .filter(|user| [ALICE, BOB].contains(user))
                .and_then(|user| provider.token(user));
            match token {
                Some(token) => {
                    let headers = [(CONTENT_TYPE, "text/plain"), (CACHE_CONTROL, "no-store")];
                    (headers, token).into_response()
                }
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
