//! An identity provider on loopback, keys, tokens and a clock that is moved by hand, for the tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::auth::clock::Clock;

pub(in crate::auth) const START: u64 = 1_800_000_000;
pub(in crate::auth) const AUDIENCE: &str = "https://mcp.example/mcp";

/// Time that stands still until it is moved.
#[derive(Clone, Default)]
pub(in crate::auth) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(in crate::auth) fn clock(&self) -> Clock {
        let (wall, steady) = (self.0.clone(), self.0.clone());
        Clock::new(
            move || UNIX_EPOCH + Duration::from_secs(START + wall.load(Ordering::SeqCst)),
            move || Duration::from_secs(steady.load(Ordering::SeqCst)),
        )
    }

    pub(in crate::auth) fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

pub(in crate::auth) enum Secret {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair; RSA pairs are made once, as making them takes long.
pub(in crate::auth) struct Pair {
    pub(in crate::auth) id: &'static str,
    pub(in crate::auth) secret: Arc<Secret>,
}

static RSA: LazyLock<[Arc<Secret>; 2]> = LazyLock::new(|| {
    let pair = || Arc::new(Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
    [pair(), pair()]
});

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Pair {
    pub(in crate::auth) fn rsa(id: &'static str, which: usize) -> Self {
        let secret = RSA[which].clone();
        Self { id, secret }
    }

    pub(in crate::auth) fn ec(id: &'static str) -> Self {
        let secret = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let secret = Arc::new(Secret::Ec(secret));
        Self { id, secret }
    }

    pub(in crate::auth) fn ed(id: &'static str) -> Self {
        let secret = Arc::new(Secret::Ed(Ed25519KeyPair::generate().unwrap()));
        Self { id, secret }
    }

    pub(in crate::auth) fn jwk(&self) -> Value {
        let mut key = match &*self.secret {
            Secret::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": b64(public.modulus().big_endian_without_leading_zero()),
                    "e": b64(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Secret::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Secret::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())})
            }
        };
        key["kid"] = self.id.into();
        key["use"] = "sig".into();
        key
    }

    pub(in crate::auth) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.secret {
            Secret::Rsa(pair) => {
                let encoding =
                    if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Secret::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Secret::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn algorithm(&self) -> &'static str {
        match &*self.secret {
            Secret::Rsa(_) => "RS256",
            Secret::Ec(_) => "ES256",
            Secret::Ed(_) => "EdDSA",
        }
    }

    /// A token with this header and these claims, both as text so that they may be odd.
    pub(in crate::auth) fn token_of(&self, header: &str, claims: &str) -> String {
        let algorithm: Option<Value> = serde_json::from_str(header).ok();
        let algorithm = algorithm
            .and_then(|header| Some(header.get("alg")?.as_str()?.to_owned()))
            .unwrap_or_default();
        let message = format!("{}.{}", b64(header), b64(claims));
        let signature = b64(self.sign(&algorithm, message.as_bytes()));
        format!("{message}.{signature}")
    }

    pub(in crate::auth) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "kid": self.id, "typ": "at+jwt"});
        self.token_of(&header.to_string(), &claims.to_string())
    }
}

/// The claims of a good token.
pub(in crate::auth) fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "alice", "client_id": "cli",
        "iat": START, "exp": START + 600, "jti": "1", "scope": "mcp:use",
    })
}

/// Good claims with some members replaced; null removes one.
pub(in crate::auth) fn claims_with(issuer: &str, changes: Value) -> Value {
    let mut claims = claims(issuer);
    let Value::Object(changes) = changes else { panic!("no object") };
    for (name, value) in changes {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(&name),
            value => claims.as_object_mut().unwrap().insert(name, value),
        };
    }
    claims
}

pub(in crate::auth) fn bearer(token: &str) -> HeaderMap {
    let value = format!("Bearer {token}").parse().unwrap();
    HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
}

/// What the provider answers at a path.
#[derive(Clone)]
pub(in crate::auth) enum Answer {
    Json(u16, Value),
    /// Redirects to this place.
    Redirect(String),
    /// So many bytes.
    Flood(usize),
    /// Chunk after chunk of what could become JSON, without an end; after a few megabytes there is silence instead.
    Endless,
    /// Accepts and never answers.
    Silence,
    /// Answers when told to.
    Held(Arc<Notify>, Value),
}

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, Answer>>,
    hits: Mutex<HashMap<String, usize>>,
    bodies: Mutex<Vec<String>>,
    arrived: Notify,
}

/// An identity provider on loopback; whatever it has no answer for is 404.
pub(in crate::auth) struct Provider {
    pub(in crate::auth) url: String,
    script: Arc<Script>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    /// Serves metadata and these keys at the issuer `{url}{path}`.
    pub(in crate::auth) async fn with_keys(path: &str, pairs: &[&Pair]) -> Self {
        let provider = Self::empty(path).await;
        let url = provider.url.clone();
        let root = url.strip_suffix(path).unwrap();
        let metadata = json!({
            "issuer": url,
            "jwks_uri": format!("{root}/keys"),
            "introspection_endpoint": format!("{root}/introspect"),
        });
        let place =
            format!("/.well-known/oauth-authorization-server{}", path.trim_end_matches('/'));
        provider.answer(&place, Answer::Json(200, metadata));
        provider.keys(pairs);
        provider
    }

    /// Serves nothing yet.
    pub(in crate::auth) async fn empty(path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        let serving = script.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self { url, script, task }
    }

    pub(in crate::auth) fn answer(&self, path: &str, answer: Answer) {
        self.script.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(in crate::auth) fn keys(&self, pairs: &[&Pair]) {
        let keys: Vec<Value> = pairs.iter().map(|pair| pair.jwk()).collect();
        self.answer("/keys", Answer::Json(200, json!({ "keys": keys })));
    }

    /// Stops to answer anything useful.
    pub(in crate::auth) fn fail(&self) {
        for answer in self.script.answers.lock().unwrap().values_mut() {
            *answer = Answer::Json(500, json!({}));
        }
    }

    pub(in crate::auth) fn hits(&self, path: &str) -> usize {
        *self.script.hits.lock().unwrap().get(path).unwrap_or(&0)
    }

    pub(in crate::auth) fn bodies(&self) -> Vec<String> {
        self.script.bodies.lock().unwrap().clone()
    }

    /// Waits until so many requests came for this path.
    pub(in crate::auth) async fn asked(&self, path: &str, times: usize) {
        let asked = async {
            loop {
                let arrived = self.script.arrived.notified();
                if self.hits(path) >= times {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), asked).await.expect("the provider is asked");
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>) {
    let mut request = Vec::new();
    let (head, length) = loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&chunk[..read]),
        }
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if request.len() >= end + 4 + length {
                break (end, length);
            }
        }
    };
    let first = String::from_utf8_lossy(&request).lines().next().unwrap().to_owned();
    let target = first.split(' ').nth(1).unwrap();
    let path = target.split('?').next().unwrap().to_owned();
    let body = String::from_utf8_lossy(&request[head + 4..head + 4 + length]).into_owned();
    script.bodies.lock().unwrap().push(format!("{first}\n{body}"));
    *script.hits.lock().unwrap().entry(path.clone()).or_default() += 1;
    let answer = script.answers.lock().unwrap().get(&path).cloned();
    script.arrived.notify_waiters();
    let (status, extra, body) = match answer {
        None => (404, String::new(), String::new()),
        Some(Answer::Json(status, body)) => (status, String::new(), body.to_string()),
        Some(Answer::Redirect(to)) => (302, format!("location: {to}\r\n"), String::new()),
        Some(Answer::Flood(length)) => (200, String::new(), " ".repeat(length)),
        Some(Answer::Endless) => return write_without_end(stream).await,
        Some(Answer::Silence) => return std::future::pending().await,
        Some(Answer::Held(told, body)) => {
            told.notified().await;
            (200, String::new(), body.to_string())
        }
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}

async fn write_without_end(mut stream: TcpStream) {
    let chunk = format!("1000\r\n{}\r\n", "[".repeat(0x1000));
    let head = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut written = stream.write_all(head.as_bytes()).await;
    for _ in 0..1024 {
        if written.is_err() {
            return;
        }
        written = stream.write_all(chunk.as_bytes()).await;
    }
    std::future::pending::<()>().await;
}
