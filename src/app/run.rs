//! What every mode does: bind, say where, serve until told to stop, leave nothing behind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::bridge::Pool;
use crate::config::{Listen, Port};
use crate::shutdown::Shutdown;
use crate::{audit, http, process, seal};

/// How long everything may take to finish after the first signal.
const GRACE: Duration = Duration::from_secs(20);
/// How many ports after the default one are tried.
const PORTS_TRIED: u16 = 100;

/// What the operator hears of a running process.
#[derive(Debug)]
pub enum News {
    /// It listens.
    Listening {
        /// The endpoint.
        url: String,
        /// Whether another port than the default one had to do.
        moved_from: Option<u16>,
    },
    /// The server has introduced itself.
    Introduced {
        /// Its name and version, where it has any.
        title: Option<(String, String)>,
        /// The revision it speaks.
        version: &'static str,
        /// Its tools.
        tools: Vec<String>,
    },
    /// The server could not be started; the next call tries again.
    NotStarted {
        /// Why.
        why: String,
    },
    /// Watched files changed and the server is being restarted.
    Restarting,
    /// The process is about to end.
    Stopping,
}

/// Why a mode ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A watched path cannot be watched.
    #[error("watch {}", path.display())]
    Watch {
        /// The path.
        path: PathBuf,
        /// What the library said.
        #[source]
        cause: notify::Error,
    },
    /// The runtime or its signals could not be set up.
    #[error("set up the runtime")]
    Runtime {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Processes cannot be started.
    #[error("prepare to start processes")]
    Process(#[from] process::Error),
    /// A configured origin is none.
    #[error("read --allow-origin")]
    Origin(#[from] http::NotAnOrigin),
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    /// The keys that seal states are not there.
    #[error("load the sealing keys")]
    Seal(#[from] seal::Error),
    /// The listener failed.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// A part of the process ended by itself.
    #[error("a part of the process ended unexpectedly; the log says which")]
    Part,
}

/// Binds the address; a default port that is taken gives way to the next free one.
pub(super) async fn bind(listen: Listen) -> Result<(TcpListener, Option<u16>), Error> {
    let wanted = listen.addr;
    let last = match listen.port {
        Port::Given => 0,
        Port::Default => PORTS_TRIED,
    };
    let mut failed = None;
    for offset in 0..=last {
        let Some(port) = wanted.port().checked_add(offset) else { break };
        let address = SocketAddr::new(wanted.ip(), port);
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok((listener, (offset > 0).then_some(wanted.port()))),
            Err(cause) if cause.kind() == std::io::ErrorKind::AddrInUse => {
                failed.get_or_insert(cause);
            }
            Err(cause) => return Err(Error::Bind { address, cause }),
        }
    }
    let cause = failed.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(Error::Bind { address: wanted, cause })
}

/// Serves until a signal or a fault, then sees to it that everything ends.
pub(super) async fn until_stopped(
    listener: TcpListener,
    endpoint: http::Endpoint,
    pool: Pool,
    shutdown: Shutdown,
    tell: &(impl Fn(News) + Sync),
) -> Result<(), Error> {
    let set_up = |cause| Error::Runtime { cause };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(set_up)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(set_up)?;
    let serving = http::serve(listener, endpoint, shutdown.clone());
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => Some(served),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        () = shutdown.finishing() => None,
    };
    tell(News::Stopping);
    shutdown.finish();
    let finish = async {
        let serve = async {
            match served {
                Some(served) => served,
                None => serving.await,
            }
        };
        let (served, ()) = tokio::join!(serve, pool.close());
        shutdown.finished().await;
        served
    };
    tokio::pin!(finish);
    let served = tokio::select! {
        served = &mut finish => served,
        _ = interrupt.recv() => { shutdown.abort(); finish.await }
        _ = terminate.recv() => { shutdown.abort(); finish.await }
        () = tokio::time::sleep(GRACE) => { shutdown.abort(); finish.await }
    };
    served?;
    if shutdown.failed() { Err(Error::Part) } else { Ok(()) }
}
