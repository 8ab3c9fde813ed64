//! The MCP endpoint: the straight line that one HTTP request takes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::body;
use super::connection::Limits;
use super::guard::Allowed;
use super::listener::Listener;
use super::peer::{Network, Proxies};
use super::per_network_limit::Share;
use super::rejection::Rejection;
use super::route::{Route, Routes};
use super::status::{self, Challenge};
use crate::audit::Refusals;
use crate::auth::Authenticator;
use crate::client::{Arrival, Front};

/// Everything one endpoint needs.
#[derive(Debug)]
pub struct Endpoint {
    /// What is served where.
    pub routes: Routes,
    /// Hosts and origins.
    pub allowed: Allowed,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// What a caller without a good token is told about getting one.
    pub challenge: Option<Challenge>,
    /// The client side.
    pub front: Arc<Front>,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// A stream that is quiet for this long gets a comment.
    pub keep_alive: Duration,
    /// Who vouches for the address of a client.
    pub proxies: Proxies,
    /// Counts who is refused before he is known.
    pub refusals: Arc<Refusals>,
}

// === impl Endpoint ===

impl Endpoint {
    /// Puts the endpoint behind a bound socket.
    #[must_use]
    pub fn listen_on(self, socket: TcpListener, limits: Limits) -> Listener {
        let proxies = self.proxies.clone();
        let endpoint = Arc::new(self);
        Listener::new(socket, limits, proxies, move |request, peer| {
            let endpoint = Arc::clone(&endpoint);
            async move { answer(&endpoint, request, peer).await.unwrap_or_else(status::rejected) }
        })
    }

    fn network(&self, peer: IpAddr, headers: &HeaderMap) -> Network {
        Network::around(self.proxies.client(peer, headers))
    }

    fn refused(&self, peer: IpAddr, headers: &HeaderMap, reason: &'static str) {
        self.refusals.count(self.network(peer, headers).to_string(), reason);
    }
}

async fn answer(
    endpoint: &Endpoint,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    if !endpoint.allowed.admits(&parts.uri, &parts.headers) {
        tracing::debug!(host = ?parts.headers.get("host"), origin = ?parts.headers.get("origin"),
            "refused a request with a foreign host or origin");
        endpoint.refused(peer, &parts.headers, "foreign_host_or_origin");
        return Err(Rejection::Foreign);
    }
    match endpoint.routes.find(&parts.method, parts.uri.path()) {
        Some(Route::Mcp) => {}
        Some(Route::ProtectedResourceMetadata(metadata)) => {
            return Ok(status::document(metadata.document.clone()));
        }
        Some(Route::AuthorizationServerMetadata) => {
            let document = endpoint.authenticator.server_metadata().await;
            return document.map(status::document).ok_or(Rejection::NoServerMetadata);
        }
        None => return Err(Rejection::Path),
    }
    let from = endpoint.network(peer, &parts.headers).first();
    let query = parts.uri.query();
    let principal = match endpoint.authenticator.authenticate(&parts.headers, query, from).await {
        Ok(principal) => principal,
        Err(denied) => {
            endpoint.refused(peer, &parts.headers, denied.reason().label());
            return Ok(status::denied(&denied, endpoint.challenge.as_ref()));
        }
    };
    if let Some(share) = parts.extensions.get::<Arc<Share>>() {
        share.vouch();
    }
    let account = endpoint.front.account(&principal);
    let body = match parts.method {
        Method::POST if !is_json(&parts.headers) => return Err(Rejection::ContentType),
        Method::POST => {
            let make_room = || endpoint.front.make_room_for(&principal);
            body::read(body, endpoint.max_body, &account, make_room).await?
        }
        _ => bytes::Bytes::new(),
    };
    let query = parts.uri.query().map(str::to_owned);
    let (method, headers) = (parts.method, parts.headers);
    let arrival = Arrival { principal, account, method, query, headers, body };
    let reply = endpoint.front.serve(arrival).await;
    Ok(status::write(reply, endpoint.keep_alive))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    media.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}
