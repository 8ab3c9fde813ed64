//! One connection: its requests one after the other, how long it may be idle, and how it ends.
//!
//! It knows nothing of MCP, nor what carries the bytes. HTTP/1.1 alone is spoken here; a proxy in front may speak
//! whatever it likes to its clients.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_core::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::idle::{Activity, UnderWay, Watched};
use super::per_network_limit::Share;
use crate::shutdown::Shutdown;

/// The largest head of a request, in bytes: the largest token, and room for everything else.
pub(super) const MOST_HEAD: usize = 64 * 1024;
pub(super) const MOST_HEADERS: usize = 100;

/// What answers a request that came over a connection from this address.
///
/// The answer is boxed, so that a connection on which nothing happens has no room for what does.
pub(super) type Answer =
    Arc<dyn Fn(Request<Incoming>, IpAddr) -> BoxFuture<'static, Response> + Send + Sync>;

/// What connections may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many there may be; further ones wait in the system's queue.
    pub most: usize,
    /// How many of them one network may have, loopback too; trusted proxies, which speak for many, may have all.
    pub most_of_one: usize,
    /// How long the first request of a connection may take to get its head together.
    pub first: Duration,
    /// One on which nothing was asked or answered for this long is closed, within twice this time. The head of a
    /// request that does not get complete counts as nothing.
    pub idle: Duration,
}

/// Answers what comes over `stream` until either side ends it, somebody else needs its share, or the process finishes.
///
/// Each request has the [`Share`] with it for as long as nobody has shown who he is.
pub(super) async fn serve<IO>(
    stream: IO,
    peer: IpAddr,
    limits: Limits,
    share: &Arc<Share>,
    shutdown: &Shutdown,
    answer: &Answer,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Arc::new(Activity::default());
    let io = Watched { io: TokioIo::new(stream), activity: Arc::clone(&activity) };
    let seen = Arc::clone(&activity);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if !share.is_vouched() {
            request.extensions_mut().insert(Arc::clone(share));
        }
        let under_way = UnderWay::begin(&seen);
        let response = answer(request, peer);
        async move {
            let response = response.await;
            drop(under_way);
            Ok::<Response<Body>, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD)
        // One timer for each request would cost more than one for each connection, which `idle` is.
        .header_read_timeout(None)
        .serve_connection(io, service);
    tokio::pin!(connection);
    let mut looks = interval_at(Instant::now() + limits.first, limits.idle);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = 0;
    let finishing = shutdown.finishing();
    tokio::pin!(finishing);
    let mut graceful = false;
    loop {
        tokio::select! {
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::trace!(%error, "a connection broke");
                }
                return;
            }
            _ = looks.tick() => {
                if activity.is_idle_since(&mut requests) {
                    tracing::debug!(%peer, "closed a connection on which nothing happened");
                    return;
                }
            }
            () = share.claimed() => {
                tracing::debug!(%peer, "closed a stranger's connection: its network has too many");
                return;
            }
            () = &mut finishing, if !graceful => {
                graceful = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;
    use crate::http::peer::Network;
    use crate::http::per_network_limit::PerNetworkLimit;

    fn share(peer: IpAddr) -> Arc<Share> {
        PerNetworkLimit::take(&Arc::default(), Network::around(peer), 1).unwrap()
    }

    /// Time stands still but for the waits, so that the hour of silence costs nothing.
    #[tokio::test(start_paused = true)]
    async fn a_connection_is_answered_in_turn_and_closed_when_idle() {
        let (client, server) = tokio::io::duplex(1024);
        let answer: Answer = Arc::new(|request, peer| {
            Box::pin(async move { Response::new(format!("{peer} {}", request.uri()).into()) })
        });
        let hour = Duration::from_secs(3600);
        let limits = Limits { most: 1, most_of_one: 1, first: hour, idle: hour };
        let shutdown = Shutdown::new();
        let peer = Ipv4Addr::new(203, 0, 113, 1).into();
        let share = share(peer);
        let serving = serve(server, peer, limits, &share, &shutdown, &answer);
        let asking = async {
            let mut client = BufReader::new(client);
            for path in ["/a", "/b"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                client.write_all(request.as_bytes()).await.unwrap();
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    client.read_line(&mut head).await.unwrap();
                }
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                let expected = format!("203.0.113.1 {path}");
                let mut body = vec![0; expected.len()];
                client.read_exact(&mut body).await.unwrap();
                assert_eq!(body, expected.as_bytes());
            }
            let began = Instant::now();
            assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
            assert!(began.elapsed() >= hour);
        };
        tokio::join!(serving, asking);
    }

    /// Time moves on only when nothing else can, so that the request is there before anybody looks.
    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_is_not_silence() {
        let (mut client, server) = tokio::io::duplex(1024);
        let minute = Duration::from_secs(60);
        let answer: Answer = Arc::new(move |_, _| {
            Box::pin(async move {
                let never = std::future::pending::<()>();
                let _ = tokio::time::timeout(3 * minute, never).await;
                Response::new("done".into())
            })
        });
        let limits = Limits { most: 1, most_of_one: 1, first: minute / 2, idle: minute };
        let (shutdown, peer) = (Shutdown::new(), Ipv4Addr::LOCALHOST.into());
        let share = share(peer);
        let asking = async {
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("done"), "{answer}");
        };
        tokio::join!(serve(server, peer, limits, &share, &shutdown, &answer), asking);
    }

    #[tokio::test]
    async fn a_connection_that_waits_for_nothing_ends_with_the_process() {
        let (client, server) = tokio::io::duplex(1024);
        let answer: Answer = Arc::new(|_, _| Box::pin(std::future::pending()));
        let day = Duration::from_secs(24 * 3600);
        let limits = Limits { most: 1, most_of_one: 1, first: day, idle: day };
        let shutdown = Shutdown::new();
        shutdown.finish();
        let peer = Ipv4Addr::LOCALHOST.into();
        serve(server, peer, limits, &share(peer), &shutdown, &answer).await;
        drop(client);
    }
}
