//! What every mode does: bind, say where, serve until told to stop, leave nothing behind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Listen, Origins, Port};
use crate::credentials;
use crate::gate::Gate;
use crate::problem::Problem;
use crate::shutdown::Shutdown;
use crate::{audit, http, outbound, process, seal};

/// How long everything may take to end once the grace is over: children get the end of their stdin, then SIGTERM.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long everything may take to be dropped; children are killed within less.
const ABORT_WITHIN: Duration = Duration::from_secs(15);
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
    /// Something else is served too.
    AlsoListening {
        /// What, and where.
        text: String,
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
    /// Something that the operator should know although it works.
    Caution {
        /// A sentence without an end.
        text: String,
    },
    /// What a child sees of the file system.
    Shown {
        /// A word for how, and the path.
        lines: Vec<String>,
    },
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
    /// The configuration is wrong in one or more places.
    #[error("the configuration is wrong")]
    Problems {
        /// All of them.
        problems: Vec<Problem>,
    },
    /// The memory of who holds which credential could not be set up.
    #[error("set up the watch for shared credentials")]
    Watching {
        /// Why not.
        #[source]
        cause: getrandom::Error,
    },
    /// The file with further certificate authorities is not to be had.
    #[error("read --ca-file")]
    CaFile {
        /// Why not.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The outbound HTTP client could not be set up.
    #[error("set up the outbound http client")]
    Outbound {
        /// Why not.
        #[source]
        cause: outbound::Error,
    },
    /// The vault's address or login is not usable.
    #[error("read the vault's settings from the environment")]
    VaultSettings {
        /// What is wrong.
        #[source]
        cause: credentials::SettingsError,
    },
    /// The vault cannot be used.
    #[error("set up the vault")]
    Vault {
        /// Why not.
        #[source]
        cause: credentials::VaultError,
    },
    /// The store's master key is not there.
    #[error("load the store's master key")]
    MasterKey {
        /// Why not.
        #[source]
        cause: crate::store::keys::Error,
    },
    /// The encrypted store cannot be used.
    #[error("open the encrypted store")]
    Store {
        /// Why not.
        #[source]
        cause: crate::store::Error,
    },
    /// No user id is left for the installer.
    #[error("give the installer a user id of its own")]
    Uid {
        /// Why not.
        #[source]
        cause: process::uids::Error,
    },
    /// The state directory cannot be used.
    #[error("make the state directory {}", path.display())]
    StateDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The public URL is none.
    #[error("read the public url")]
    PublicUrl {
        /// What is wrong.
        #[source]
        cause: url::ParseError,
    },
    /// A credential source lacks what it needs.
    #[error("set up the credential sources")]
    Sources {
        /// What.
        #[source]
        cause: credentials::Error,
    },
    /// A part of the process ended by itself.
    #[error("a part of the process ended unexpectedly; the log says which")]
    Part,
}

// === impl Error ===

impl Error {
    /// Problems that were found when the parts were put together, now with who said what.
    pub(super) fn problems(problems: Vec<Problem>, origins: &Origins) -> Self {
        let problems = problems.into_iter().map(|problem| origins.attribute(problem));
        Self::Problems { problems: problems.collect() }
    }
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

/// Serves until a signal or a fault, then sees to it that everything ends: calls have `grace`, a second signal ends
/// everything at once.
pub(crate) async fn until_stopped(
    listeners: Vec<http::Listener>,
    gate: Gate,
    shutdown: Shutdown,
    grace: Duration,
    tell: &(impl Fn(News) + Sync),
) -> Result<(), Error> {
    let mut signals = Signals::new()?;
    let serving = join_all(listeners.into_iter().map(|one| one.serve(shutdown.clone())));
    tokio::pin!(serving);
    let mut is_serving = true;
    tokio::select! {
        _ = &mut serving => is_serving = false,
        () = signals.next() => {}
        () = shutdown.draining() => {}
    }
    tell(News::Stopping);
    let ending = shutdown.clone();
    let end = async move {
        let serve = async {
            if is_serving {
                serving.await;
            }
        };
        let close = async {
            ending.drain();
            // The rest is served meanwhile: answers to the questions of calls that go on, and refusals.
            gate.idle().await;
            ending.finish();
            gate.close().await;
        };
        tokio::join!(serve, close);
        // Whoever could still write to the audit log is gone before it is waited for.
        drop(gate);
        ending.finished().await;
    };
    tokio::pin!(end);
    let ended = tokio::select! {
        () = &mut end => true,
        () = signals.next() => false,
        () = tokio::time::sleep(grace) => {
            shutdown.overrun();
            tokio::select! {
                () = &mut end => true,
                () = signals.next() => false,
                () = tokio::time::sleep(END_WITHIN) => false,
            }
        }
    };
    if !ended {
        shutdown.abort();
        tokio::time::timeout(ABORT_WITHIN, end).await.map_err(|_| Error::Part)?;
    }
    if shutdown.failed() { Err(Error::Part) } else { Ok(()) }
}

/// The signals that end the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let of = |kind| signal(kind).map_err(|cause| Error::Runtime { cause });
        let (interrupt, terminate) = (of(SignalKind::interrupt())?, of(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addr: SocketAddr, port: Port) -> Listen {
        Listen { addr, port }
    }

    /// Whichever port that is: the real default may be anybody's on the machine that runs this.
    #[tokio::test]
    async fn a_default_port_that_is_taken_gives_way_and_a_given_one_does_not() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = taken.local_addr().unwrap();
        let (listener, moved_from) = bind(at(addr, Port::Default)).await.unwrap();
        assert!(listener.local_addr().unwrap().port() > addr.port());
        assert_eq!(moved_from, Some(addr.port()));
        let refused = bind(at(addr, Port::Given)).await;
        assert!(matches!(refused, Err(Error::Bind { address, .. }) if address == addr));
    }
}
