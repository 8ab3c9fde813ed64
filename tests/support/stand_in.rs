//! A server on loopback that answers what it is told and writes down what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

/// What the server answers at a path.
#[derive(Clone)]
pub(crate) enum Answer {
    Json(Value),
    Status(u16),
    /// A page where a document was expected.
    Html,
    /// To this place, by this status.
    Redirect(u16, String),
    /// So many bytes, without saying so before.
    Flood(usize),
    /// Accepts and never answers.
    Silence,
    /// Says that much will come, and then nothing comes.
    Trickle,
    /// What a function makes of the request.
    Made(Arc<dyn Fn(&Asked) -> Answer + Send + Sync>),
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// As it came, not decoded.
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// The server; a clone is the same one. What it has no answer for is 404.
#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) at: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    answers: Mutex<HashMap<String, Answer>>,
    otherwise: Mutex<Answer>,
    asked: Mutex<Vec<Asked>>,
}

// === impl StandIn ===

impl StandIn {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            answers: Mutex::default(),
            otherwise: Mutex::new(Answer::Status(404)),
            asked: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { at, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Answers so at this path from now on.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.inner.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Answers so everywhere where nothing else was said.
    pub(crate) fn otherwise(&self, answer: Answer) {
        *self.inner.otherwise.lock().unwrap() = answer;
    }

    /// Answers so everywhere, whatever was said before.
    pub(crate) fn everywhere(&self, answer: Answer) {
        self.inner.answers.lock().unwrap().clear();
        self.otherwise(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// How often a path was asked for.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path() == path).count()
    }
}

// === impl Asked ===

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// One value of the form in the body.
    pub(crate) fn form(&self, name: &str) -> String {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

async fn handle(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let headers = head.headers.iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let asked = Asked {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let answer = inner.answers.lock().unwrap().get(asked.path()).cloned();
    let mut answer = answer.unwrap_or_else(|| inner.otherwise.lock().unwrap().clone());
    while let Answer::Made(make) = &answer {
        answer = make(&asked);
    }
    inner.asked.lock().unwrap().push(asked);
    write(answer).await
}

async fn write(answer: Answer) -> Response {
    let status = |code: u16| Response::builder().status(StatusCode::from_u16(code).unwrap());
    let endless = || stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"{")) });
    match answer {
        Answer::Json(value) => status(200)
            .header("content-type", "application/json")
            .body(Body::from(value.to_string()))
            .unwrap(),
        Answer::Status(code) => status(code).body(Body::from("{}")).unwrap(),
        Answer::Html => status(200)
            .header("content-type", "text/html")
            .body(Body::from("<html><body>Welcome! Please log in.</body></html>"))
            .unwrap(),
        Answer::Redirect(code, to) => {
            status(code).header("location", to).body(Body::empty()).unwrap()
        }
        Answer::Flood(bytes) => {
            let piece = Bytes::from_static(&[b' '; 64 * 1024]);
            let pieces = (0..bytes / piece.len()).map(move |_| Ok::<_, Infallible>(piece.clone()));
            status(200).body(Body::from_stream(stream::iter(pieces))).unwrap()
        }
        Answer::Trickle => {
            use futures_util::StreamExt as _;
            let body = endless().chain(stream::pending());
            status(200).body(Body::from_stream(body)).unwrap()
        }
        Answer::Silence | Answer::Made(_) => std::future::pending().await,
    }
}
