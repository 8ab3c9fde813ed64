//! The listener, and the straight line that one HTTP request takes (DESIGN.md section 3).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use tokio::net::TcpListener;

use super::body;
use super::guard::Allowed;
use super::status::{self, Challenge, Unread};
use crate::auth::Authenticator;
use crate::client::{Arrival, Front};
use crate::shutdown::Shutdown;

/// Everything one endpoint needs.
#[derive(Debug)]
pub struct Endpoint {
    /// Where MCP is served, e.g. `/mcp`.
    pub path: String,
    /// Hosts and origins.
    pub allowed: Allowed,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// What a caller without a good token is told about getting one.
    pub challenge: Option<Challenge>,
    /// The RFC 9728 document, where there is authentication.
    pub metadata: Option<Metadata>,
    /// The client side.
    pub front: Arc<Front>,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// A stream that is quiet for this long gets a comment.
    pub keep_alive: Duration,
}

/// The document that tells clients where to get a token (RFC 9728).
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where it is served.
    pub paths: Vec<String>,
    /// It.
    pub document: bytes::Bytes,
}

/// The listener failed.
#[derive(Debug, thiserror::Error)]
#[error("serve http")]
pub struct Error {
    /// What the system said.
    #[source]
    cause: std::io::Error,
}

/// Serves until the process finishes; streams then end in peace.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    endpoint: Endpoint,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let router = Router::new().fallback(handle).with_state(Arc::new(endpoint));
    let finishing = shutdown.clone();
    // A small write after a large one would otherwise wait for the client's delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delays");
        }
    });
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { finishing.finishing().await })
        .into_future();
    tokio::select! {
        result = served => result.map_err(|cause| Error { cause }),
        () = shutdown.aborting() => Ok(()),
    }
}

async fn handle(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    match answer(&endpoint, request).await {
        Ok(response) => response,
        Err(why) => status::unread(why),
    }
}

async fn answer(endpoint: &Endpoint, request: Request) -> Result<Response, Unread> {
    let (parts, body) = request.into_parts();
    if !endpoint.allowed.admits(&parts.uri, &parts.headers) {
        tracing::warn!(host = ?parts.headers.get("host"), origin = ?parts.headers.get("origin"),
            "refused a request with a foreign host or origin");
        return Err(Unread::Foreign);
    }
    if parts.uri.path() != endpoint.path {
        let metadata = endpoint.metadata.as_ref();
        let asked = metadata.filter(|own| own.paths.iter().any(|path| path == parts.uri.path()));
        return match asked {
            Some(metadata) if parts.method == Method::GET => Ok(status::document(metadata)),
            _ => Err(Unread::Path),
        };
    }
    let principal =
        match endpoint.authenticator.authenticate(&parts.headers, parts.uri.query()).await {
            Ok(principal) => principal,
            Err(denied) => return Ok(status::denied(&denied, endpoint.challenge.as_ref())),
        };
    let body = match parts.method {
        Method::POST if !is_json(&parts.headers) => return Err(Unread::ContentType),
        Method::POST => body::read(body, endpoint.max_body).await?,
        _ => bytes::Bytes::new(),
    };
    let query = parts.uri.query().map(str::to_owned);
    let arrival = Arrival { principal, method: parts.method, query, headers: parts.headers, body };
    let reply = endpoint.front.serve(arrival).await;
    Ok(status::write(reply, endpoint.keep_alive))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    media.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}
