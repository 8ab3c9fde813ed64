//! Connections: how many there may be, how long one may be silent, and how they end.
//!
//! It knows nothing of MCP: a connection is bytes, requests and the time since the last of either. HTTP/1.1 alone is
//! spoken here; a proxy in front may speak whatever it likes to its clients.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::activity::{Activity, UnderWay, Watched};
use super::crowd::Crowd;
use super::peer::{Network, Proxies};
use crate::shutdown::Shutdown;

/// The largest head of a request, in bytes: the largest token, and room for everything else.
const MOST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;
/// When the system has no descriptor left, a connection has to end before the next can come.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(200);

/// What connections may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many there may be; further ones wait in the system's queue.
    pub most: usize,
    /// How many of them one network may have; loopback and trusted proxies, which speak for many, may have all.
    pub most_of_one: usize,
    /// How long the first request of a connection may take to get its head together.
    pub first: Duration,
    /// One on which nothing was asked or answered for this long is closed, within twice this time. The head of a
    /// request that does not get complete counts as nothing.
    pub silence: Duration,
}

/// Serves connections until the process finishes; those that are open then end with the answer they are giving.
pub(super) async fn serve<S, F>(
    listener: TcpListener,
    limits: Limits,
    proxies: &Proxies,
    shutdown: &Shutdown,
    answer: S,
) where
    S: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(limits.most));
    let crowd = Arc::new(Crowd::default());
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.finishing() => break,
            Some(_) = open.join_next() => continue,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let peer = peer.ip();
                let most = match speaks_for_many(peer, proxies) {
                    true => limits.most,
                    false => limits.most_of_one,
                };
                let Some(share) = Crowd::join(&crowd, Network::around(peer), most) else {
                    tracing::debug!(%peer, "closed a connection: its network has too many");
                    continue;
                };
                let (answer, shutdown) = (answer.clone(), shutdown.clone());
                open.spawn(async move {
                    converse(stream, peer, limits, &shutdown, answer).await;
                    drop((permit, share));
                });
            }
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(NO_DESCRIPTOR_PAUSE).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

fn speaks_for_many(peer: IpAddr, proxies: &Proxies) -> bool {
    peer.to_canonical().is_loopback() || proxies.trust(peer)
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // A small write after a large one would otherwise wait for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delays");
    }
    Ok((stream, peer, permit))
}

/// Whether the error is of one connection that was given up before it was accepted.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn converse<S, F>(
    stream: TcpStream,
    peer: IpAddr,
    limits: Limits,
    shutdown: &Shutdown,
    answer: S,
) where
    S: Fn(Request<Incoming>, IpAddr) -> F,
    F: Future<Output = Response>,
{
    let activity = Arc::new(Activity::default());
    let io = Watched { io: TokioIo::new(stream), activity: Arc::clone(&activity) };
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let under_way = UnderWay::begin(&seen);
        // Boxed, so that a connection on which nothing happens has no room for what does.
        let response = Box::pin(answer(request, peer));
        async move {
            let response = response.await;
            drop(under_way);
            Ok::<Response<Body>, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD)
        // One timer for each request would cost more than one for each connection, which `silence` is.
        .header_read_timeout(None)
        .serve_connection(io, service);
    tokio::pin!(connection);
    let mut looks = interval_at(Instant::now() + limits.first, limits.silence);
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
                if activity.is_silent_since(&mut requests) {
                    tracing::debug!(%peer, "closed a connection on which nothing happened");
                    return;
                }
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const SILENCE: Duration = Duration::from_millis(100);

    async fn start(limits: Limits) -> (SocketAddr, Shutdown) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        shutdown.spawn_work(async move {
            let proxies = Proxies::default();
            serve(listener, limits, &proxies, &stop, |request: Request<Incoming>, _| async move {
                if request.uri().path() == "/slow" {
                    let never = std::future::pending::<()>();
                    let _ = tokio::time::timeout(3 * SILENCE, never).await;
                }
                Response::new(Body::from("done"))
            })
            .await;
        });
        (at, shutdown)
    }

    async fn ask(at: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is dropped may end with a reset.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn short() -> Limits {
        Limits { most: 100, most_of_one: 100, first: SILENCE / 2, silence: SILENCE }
    }

    /// Checked with what attackers send: nothing, half a head, a head that never ends.
    #[tokio::test]
    async fn who_never_asks_is_cut_off() {
        let (at, _shutdown) = start(short()).await;
        for text in ["", "POST /mcp HTTP/1.1\r\nHost: x\r\n"] {
            assert_eq!(ask(at, text).await, "");
        }
        let mut dribbling = TcpStream::connect(at).await.unwrap();
        let dribble = async {
            dribbling.write_all(b"GET / HTTP/1.1\r\n").await?;
            let mut pauses = tokio::time::interval(SILENCE / 10);
            loop {
                pauses.tick().await;
                dribbling.write_all(b"x: y\r\n").await?;
            }
        };
        let ended: io::Result<()> = tokio::time::timeout(PATIENCE, dribble).await.unwrap();
        assert!(ended.is_err());
    }

    #[tokio::test]
    async fn a_slow_answer_is_not_silence() {
        let (at, _shutdown) = start(short()).await;
        let answer = ask(at, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.ends_with("done"), "{answer}");
    }

    #[tokio::test]
    async fn a_huge_head_is_refused() {
        let (at, _shutdown) = start(Limits { silence: PATIENCE, first: PATIENCE, ..short() }).await;
        let huge = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2 * MOST_HEAD));
        let answer = ask(at, &huge).await;
        assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS + 1));
        assert!(ask(at, &many).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn one_too_many_waits_until_another_ends() {
        let (at, _shutdown) =
            start(Limits { most: 1, silence: PATIENCE, first: PATIENCE, ..short() }).await;
        let first = TcpStream::connect(at).await.unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let second = ask(at, request);
        tokio::pin!(second);
        let early = tokio::time::timeout(SILENCE, &mut second).await;
        assert!(early.is_err(), "the only place is taken");
        drop(first);
        assert!(second.await.ends_with("done"));
    }

    #[tokio::test]
    async fn what_is_being_answered_when_the_process_finishes_is_answered() {
        let (at, shutdown) = start(Limits { silence: PATIENCE, first: PATIENCE, ..short() }).await;
        let idle = TcpStream::connect(at).await.unwrap();
        let asking = tokio::spawn(ask(at, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
        while TcpStream::connect(at).await.is_ok() && !asking.is_finished() {
            tokio::task::yield_now().await;
            shutdown.finish();
        }
        assert!(asking.await.unwrap().ends_with("done"));
        tokio::time::timeout(PATIENCE, shutdown.finished()).await.unwrap();
        drop(idle);
    }
}
