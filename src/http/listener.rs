//! A listener: a bound socket, who answers, how many connections there may be, and how they all end.
//!
//! It knows nothing of MCP. What carries the bytes is for `accept` to say: a second listener, or one with TLS, is
//! another value and no other loop.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::{self, Answer, Limits};
use super::peer::{Network, Proxies};
use super::per_network_limit::PerNetworkLimit;
use crate::shutdown::Shutdown;

/// When the system has no descriptor left, a connection has to end before the next can come.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(200);

/// A bound socket and everything that its connections get.
pub struct Listener {
    socket: TcpListener,
    terms: Terms,
}

/// What every connection gets, whatever carries it.
struct Terms {
    limits: Limits,
    /// They speak for many, and may have more connections than one network.
    proxies: Proxies,
    answer: Answer,
}

// === impl Listener ===

impl Listener {
    /// A listener that gives each request to `answer`, with the address of the connection that it came over.
    pub fn new<A, F>(socket: TcpListener, limits: Limits, proxies: Proxies, answer: A) -> Self
    where
        A: Fn(Request<Incoming>, IpAddr) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let answer: Answer = Arc::new(move |request, peer| Box::pin(answer(request, peer)));
        Self { socket, terms: Terms { limits, proxies, answer } }
    }

    /// Serves until the process finishes; connections that are open then end with the answer they are giving, and
    /// streams in peace.
    pub async fn serve(self, shutdown: Shutdown) {
        let Self { socket, terms } = self;
        let serving = async {
            let mut open = terms.accept_all(|| accept(&socket), &shutdown).await;
            drop(socket);
            while open.join_next().await.is_some() {}
        };
        tokio::select! {
            () = serving => {}
            () = shutdown.aborting() => {}
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.socket).finish()
    }
}

// === impl Terms ===

impl Terms {
    /// Serves every stream that `accept` yields until the process finishes, and gives back those that are still open.
    async fn accept_all<A, F, IO>(&self, accept: A, shutdown: &Shutdown) -> JoinSet<()>
    where
        A: Fn() -> F,
        F: Future<Output = io::Result<(IO, IpAddr)>>,
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.limits;
        let places = Arc::new(Semaphore::new(limits.most));
        let networks = Arc::new(PerNetworkLimit::default());
        let mut open = JoinSet::new();
        loop {
            // Without a place nothing is accepted: further connections wait in the system's queue.
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
                accept().await.map(|(stream, peer)| (stream, peer, place))
            };
            let accepted = tokio::select! {
                () = shutdown.finishing() => return open,
                Some(_) = open.join_next() => continue,
                accepted = next => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    // Children share loopback, so that it counts like any network unless it was declared a proxy.
                    let most = match self.proxies.trust(peer) {
                        true => limits.most,
                        false => limits.most_of_one,
                    };
                    let network = Network::around(peer);
                    let Some(share) = PerNetworkLimit::take(&networks, network, most) else {
                        tracing::debug!(%peer, "closed a connection: its network has too many");
                        continue;
                    };
                    let (answer, shutdown) = (Arc::clone(&self.answer), shutdown.clone());
                    open.spawn(async move {
                        connection::serve(stream, peer, limits, &share, &shutdown, &answer).await;
                        drop((place, share));
                    });
                }
                Err(error) if is_of_one(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(NO_DESCRIPTOR_PAUSE).await;
                }
            }
        }
    }
}

async fn accept(socket: &TcpListener) -> io::Result<(TcpStream, IpAddr)> {
    let (stream, peer) = socket.accept().await?;
    // A small write after a large one would otherwise wait for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delays");
    }
    Ok((stream, peer.ip()))
}

/// Whether the error is of one connection that was given up before it was accepted.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests;
