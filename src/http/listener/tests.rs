//! The accept loop and its bounds, over real sockets.

use std::net::SocketAddr;

use axum::body::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::http::connection::{MOST_HEAD, MOST_HEADERS};
use crate::http::per_network_limit::Share;

const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(100);

async fn start(limits: Limits) -> (SocketAddr, Shutdown) {
    start_behind(Proxies::default(), limits).await
}

async fn start_behind(proxies: Proxies, limits: Limits) -> (SocketAddr, Shutdown) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let answer = |request: Request<Incoming>, _| async move {
        if request.uri().path() == "/known" {
            request.extensions().get::<Arc<Share>>().unwrap().vouch();
        }
        if request.uri().path() == "/slow" {
            let never = std::future::pending::<()>();
            let _ = tokio::time::timeout(3 * SILENCE, never).await;
        }
        Response::new(Body::from("done"))
    };
    let listener = Listener::new(socket, limits, proxies, answer);
    shutdown.spawn_work(listener.serve(shutdown.clone()));
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
    Limits { most: 100, most_of_one: 100, first: SILENCE / 2, idle: SILENCE }
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

/// A head is too large when its reader has had as much as it takes, so that no more than that is sent: what nobody
/// reads would hold up the write, and its refusal could be overtaken by a reset.
#[tokio::test]
async fn a_huge_head_is_refused() {
    let (at, _shutdown) = start(Limits { idle: PATIENCE, first: PATIENCE, ..short() }).await;
    let begin = "GET / HTTP/1.1\r\nx: ";
    let huge = format!("{begin}{}", "y".repeat(MOST_HEAD - begin.len()));
    assert!(ask(at, &huge).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS + 1));
    assert!(ask(at, &many).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn one_too_many_waits_until_another_ends() {
    let (at, _shutdown) =
        start(Limits { most: 1, idle: PATIENCE, first: PATIENCE, ..short() }).await;
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
    let (at, shutdown) = start(Limits { idle: PATIENCE, first: PATIENCE, ..short() }).await;
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

const ASKS: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A connection from this address of our own machine.
async fn connect_from(address: &str, at: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(at).await.unwrap()
}

/// Asks as somebody who is known, and keeps the connection.
async fn introduce(stream: &mut TcpStream) {
    stream.write_all(b"GET /known HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
    }
}

/// A child that holds every connection of its network does not keep the proxy on the same machine out: what has never
/// shown who it is makes room, the oldest first.
#[tokio::test]
async fn strangers_make_room_for_whoever_comes() {
    let limits = Limits { most: 9, most_of_one: 3, first: PATIENCE, idle: PATIENCE };
    let (at, _shutdown) = start(limits).await;
    let mut known = connect_from("127.0.0.1", at).await;
    introduce(&mut known).await;
    let mut oldest = connect_from("127.9.9.9", at).await;
    let mut younger = connect_from("127.9.9.9", at).await;
    let mut proxy = connect_from("127.0.0.1", at).await;
    let read = tokio::time::timeout(PATIENCE, oldest.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    for kept in [&mut known, &mut younger, &mut proxy] {
        kept.write_all(ASKS.as_bytes()).await.unwrap();
        let mut answer = String::new();
        kept.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
    }
}

/// Whoever shares loopback with us, such as a child, gets a share of the connections and no more, by whichever of its
/// addresses; who has one already, and has shown who he is, keeps it.
#[tokio::test]
async fn one_network_has_its_share_of_the_connections_loopback_too() {
    let limits = Limits { most: 8, most_of_one: 2, first: PATIENCE, idle: PATIENCE };
    let (at, _shutdown) = start(limits).await;
    let mut first = connect_from("127.0.0.1", at).await;
    let mut second = connect_from("127.0.0.1", at).await;
    for stream in [&mut first, &mut second] {
        introduce(stream).await;
    }
    for address in ["127.0.0.1", "127.9.9.9"] {
        let mut refused = connect_from(address, at).await;
        let read = tokio::time::timeout(PATIENCE, refused.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{address}: {read:?}");
    }
    for kept in [&mut first, &mut second] {
        kept.write_all(ASKS.as_bytes()).await.unwrap();
        let mut answer = String::new();
        kept.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
    }
    // Both have ended, so that there is room again as soon as the listener has seen it.
    let again = async {
        while !ask(at, ASKS).await.ends_with("done") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

/// A proxy speaks for many, on loopback as elsewhere, where it is declared one.
#[tokio::test]
async fn a_declared_proxy_may_have_all_connections() {
    let limits = Limits { most: 8, most_of_one: 1, first: PATIENCE, idle: PATIENCE };
    let (at, _shutdown) = start_behind(Proxies::new(&["127.0.0.1".parse().unwrap()]), limits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(TcpStream::connect(at).await.unwrap());
    }
    assert!(ask(at, ASKS).await.ends_with("done"));
    drop(open);
}
