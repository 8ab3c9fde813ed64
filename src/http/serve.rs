//! The listener, and the straight line that one HTTP request takes (DESIGN.md section 3).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::body;
use super::connections::{self, Limits};
use super::guard::Allowed;
use super::peer::{Network, Proxies};
use super::status::{self, Challenge, Unread};
use crate::audit::Refusals;
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
    /// What connections may use.
    pub limits: Limits,
    /// Who vouches for the address of a client.
    pub proxies: Proxies,
    /// Counts who is refused before he is known.
    pub refusals: Arc<Refusals>,
}

/// The document that tells clients where to get a token (RFC 9728).
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where it is served.
    pub paths: Vec<String>,
    /// It.
    pub document: bytes::Bytes,
}

/// Serves until the process finishes; streams then end in peace.
pub async fn serve(listener: TcpListener, endpoint: Endpoint, shutdown: Shutdown) {
    let (limits, proxies) = (endpoint.limits, endpoint.proxies.clone());
    let endpoint = Arc::new(endpoint);
    let handle = move |request, peer| handle(Arc::clone(&endpoint), request, peer);
    tokio::select! {
        () = connections::serve(listener, limits, &proxies, &shutdown, handle) => {}
        () = shutdown.aborting() => {}
    }
}

async fn handle(endpoint: Arc<Endpoint>, request: Request<Incoming>, peer: IpAddr) -> Response {
    match answer(&endpoint, request, peer).await {
        Ok(response) => response,
        Err(why) => status::unread(why),
    }
}

async fn answer(
    endpoint: &Endpoint,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response, Unread> {
    let (parts, body) = request.into_parts();
    if !endpoint.allowed.admits(&parts.uri, &parts.headers) {
        tracing::debug!(host = ?parts.headers.get("host"), origin = ?parts.headers.get("origin"),
            "refused a request with a foreign host or origin");
        endpoint.refused(peer, &parts.headers, "foreign_host_or_origin");
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
            Err(denied) => {
                endpoint.refused(peer, &parts.headers, denied.reason().label());
                return Ok(status::denied(&denied, endpoint.challenge.as_ref()));
            }
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

impl Endpoint {
    fn refused(&self, peer: IpAddr, headers: &HeaderMap, reason: &'static str) {
        let from = Network::around(self.proxies.client(peer, headers));
        self.refusals.count(from.to_string(), reason);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    media.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}
