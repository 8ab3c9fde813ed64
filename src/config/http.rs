//! The HTTP side: where to listen, for whom, and how much at once.

use std::net::SocketAddr;
use std::time::Duration;

use super::key;
use super::layers::Layers;
use super::value;
use super::wrong::Wrong;

/// The endpoint unless told otherwise.
pub(super) const PATH: &str = "/mcp";
/// The largest request.
pub(super) const MAX_BODY: usize = 10 << 20;
/// What all users may have held for them.
pub(super) const MEMORY: usize = 512 << 20;
/// Between two signs of life on a stream.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a session without requests lives.
pub(super) const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a call waits for answers to its questions.
pub(super) const SEALED_TTL: Duration = Duration::from_secs(5 * 60);

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Whether the port may be replaced by the next free one.
    pub port: Port,
}

/// Who chose the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Nobody: when it is taken, the next free one will do.
    Default,
    /// The operator: when it is taken, that is an error.
    Given,
}

/// How to speak HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The largest request body.
    pub max_body: usize,
    /// Bytes that may be held for all users together.
    pub memory: usize,
    /// Between two signs of life on a stream.
    pub keep_alive: Duration,
    /// Origins of web pages that may call, serialised, besides our own.
    pub allowed_origins: Vec<String>,
    /// What `Host` may say, in lower case, besides the address we listen on.
    pub allowed_hosts: Vec<String>,
    /// Whether the transport of 2024-11-05 is served too.
    pub legacy_sse: LegacySse,
    /// Until a session without requests ends.
    pub session_idle: Duration,
    /// Until a parked call is given up.
    pub sealed_ttl: Duration,
}

/// Whether the HTTP+SSE transport of 2024-11-05 is served too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacySse {
    /// Not served.
    Off,
    /// Served beside the endpoint.
    On,
}

// === impl Listen ===

impl Listen {
    /// The address that `allow` accepts; a refusal is reported with its origin.
    pub(super) fn resolve(
        layers: &mut Layers<'_>,
        allow: impl Fn(SocketAddr) -> Result<SocketAddr, Wrong>,
    ) -> Self {
        let port = if layers.is_set(&key::LISTEN) { Port::Given } else { Port::Default };
        let default = SocketAddr::from(([127, 0, 0, 1], 8808));
        Self {
            addr: layers.one(&key::LISTEN, default, |text| value::address(text).and_then(&allow)),
            port,
        }
    }
}

/// `dev` has no authentication, so nobody but this machine may reach it.
pub(super) fn loopback_only(addr: SocketAddr) -> Result<SocketAddr, Wrong> {
    if addr.ip().is_loopback() {
        return Ok(addr);
    }
    let wrong = Wrong::new(format!("{addr} is not loopback, and dev has no authentication"));
    Err(wrong.hint("listen on 127.0.0.1, or use mcpwrap serve, which authenticates every request"))
}

// === impl Http ===

impl Http {
    pub(super) fn resolve(layers: &mut Layers<'_>) -> Self {
        let words = [
            ("true", LegacySse::On),
            ("false", LegacySse::Off),
            ("1", LegacySse::On),
            ("0", LegacySse::Off),
        ];
        Self {
            max_body: layers.one(&key::MAX_BODY, MAX_BODY, value::size),
            memory: layers.one(&key::MEMORY, MEMORY, value::size),
            keep_alive: layers.one(&key::KEEP_ALIVE, KEEP_ALIVE, value::duration),
            allowed_origins: layers.many(&key::ALLOW_ORIGIN, value::origin),
            allowed_hosts: layers.many(&key::ALLOW_HOST, value::host),
            legacy_sse: layers
                .one(&key::LEGACY_SSE, LegacySse::Off, |text| value::choice(text, &words)),
            session_idle: layers.one(&key::SESSION_IDLE, SESSION_IDLE, value::duration),
            sealed_ttl: layers.one(&key::SEALED_TTL, SEALED_TTL, value::duration),
        }
    }
}

pub(super) fn endpoint_path(layers: &mut Layers<'_>) -> String {
    layers.one(&key::PATH, PATH.to_owned(), value::endpoint_path)
}
