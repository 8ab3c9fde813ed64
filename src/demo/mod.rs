//! `mcpwrap demo`: what `serve` does, on one machine with nothing to install.
//!
//! Only the world around it is made up: two users, their identity provider, their tokens and an example server.
//! What stands between them is built by [`app`] from the options that an operator would type.

use std::path::PathBuf;

use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use self::directory::DemoDirectory;
use self::isolation::Isolation;
use self::provider::Provider;
use self::walk::Walk;
use crate::app::{self, Built, build, open_store, outbound_client, runtime, until_stopped};
use crate::config::{self, Rounds, Typed};
use crate::problem::Problem;
use crate::shutdown::Shutdown;
use crate::store::UserRef;
use crate::{outbound, process, store};

mod directory;
mod example;
mod isolation;
mod provider;
mod session;
mod walk;

pub use example::example_main;

const ALICE: &str = "alice";
const BOB: &str = "bob";

/// What the person at the terminal hears.
#[derive(Debug)]
pub enum News {
    /// What was set up.
    World {
        /// The walls around the children.
        walls: String,
        /// The identity provider.
        issuer: String,
        /// What remains open, a sentence each.
        cautions: Vec<String>,
    },
    /// A step was taken.
    Step {
        /// Which.
        title: &'static str,
        /// Whether it went as promised.
        result: StepResult,
        /// What was seen.
        seen: String,
    },
    /// All steps held, and it stays up.
    Ready {
        /// The endpoint.
        url: String,
        /// Where tokens are to be had.
        issuer: String,
    },
}

/// Whether a step went as promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It did.
    Passed,
    /// It did not.
    Failed,
}

/// Why the demo ends badly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint cannot be built or served.
    #[error(transparent)]
    Serve(#[from] app::Error),
    /// The demo's own options are wrong.
    #[error("read the demo's own options: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Options {
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// The directory for everything that is kept cannot be made.
    #[error("make a directory in {}", path.display())]
    Directory {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The program cannot be put where every user may execute it.
    #[error("lay out the program for the children")]
    Program {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Processes cannot be started.
    #[error("prepare to start processes")]
    Processes {
        /// Why not.
        #[source]
        cause: process::Error,
    },
    /// The system gives no random numbers.
    #[error("make random numbers")]
    Random {
        /// Why not.
        #[source]
        cause: getrandom::Error,
    },
    /// The identity provider has no key.
    #[error("make the identity provider's key")]
    Key,
    /// The identity provider cannot listen.
    #[error("start the identity provider on loopback")]
    Provider {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The tokens cannot be kept.
    #[error("put the users' credentials into the store")]
    Store {
        /// Why not.
        #[source]
        cause: store::Error,
    },
    /// The endpoint did not answer.
    #[error("call the endpoint")]
    Call {
        /// Why not.
        #[source]
        cause: outbound::Error,
    },
    /// The endpoint answered something else.
    #[error("the endpoint answered {what}")]
    Unexpected {
        /// What it answered.
        what: String,
    },
    /// Not every step went as promised.
    #[error("{failed} of the demo's steps did not hold")]
    Steps {
        /// How many.
        failed: usize,
    },
}

/// Shows the production path, once or until a signal.
///
/// # Errors
/// See [`Error`].
pub fn demo(rounds: Rounds, tell: impl Fn(News) + Send + Sync) -> Result<(), Error> {
    let directory = DemoDirectory::new()?;
    let result = runtime(config::default_threads())?.block_on(run_in(&directory, rounds, &tell));
    drop(directory);
    result
}

async fn run_in(
    directory: &DemoDirectory,
    rounds: Rounds,
    tell: &(impl Fn(News) + Send + Sync),
) -> Result<(), Error> {
    let shutdown = Shutdown::new();
    stop_on_early_signals(&shutdown)?;
    let result = served(directory, rounds, tell, &shutdown).await;
    shutdown.finish();
    shutdown.finished().await;
    result
}

async fn served(
    directory: &DemoDirectory,
    rounds: Rounds,
    tell: &(impl Fn(News) + Send + Sync),
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let provider = Provider::start(shutdown).await?;
    let issuer = provider.issuer();
    let isolation = Isolation::highest().await?;
    let config = options(directory, &issuer, &isolation, rounds)?;
    let secrets = fill_store(&config, &issuer).await?;
    let client = outbound_client(None)?;
    let Built { url, listeners, gate, news, .. } = build(&config, shutdown, &client).await?;
    provider.serve_tokens_for(&url);
    let cautions = news.into_iter().filter_map(|news| match news {
        app::News::Caution { text } => Some(text),
        _ => None,
    });
    tell(News::World {
        walls: isolation.described,
        issuer: issuer.clone(),
        cautions: cautions.collect(),
    });
    let walk = Walk {
        client,
        endpoint: Url::parse(&url).map_err(|cause| app::Error::PublicUrl { cause })?,
        issuer: issuer.clone(),
        audit: directory.audit(),
        secrets,
        tell,
    };
    let walking = async {
        let walked = tokio::select! {
            // Told to stop halfway: what does not answer any more has not failed.
            biased;
            () = shutdown.finishing() => Ok(()),
            walked = walk.go() => walked,
        };
        let stay = walked.is_ok() && rounds == Rounds::UntilStopped && !shutdown.is_finishing();
        if stay {
            tell(News::Ready { url, issuer });
            shutdown.finishing().await;
        }
        shutdown.finish();
        walked
    };
    let silent = |_| {};
    let serving = until_stopped(listeners, gate, shutdown.clone(), config.grace, &silent);
    let (served, walked) = tokio::join!(serving, walking);
    served?;
    walked
}

/// A signal may come before the server listens for any, and must find somebody who removes what was made by then;
/// the end of the terminal may come at any time.
fn stop_on_early_signals(shutdown: &Shutdown) -> Result<(), Error> {
    let set_up = |cause| app::Error::Runtime { cause };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(set_up)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(set_up)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(set_up)?;
    let stop = shutdown.clone();
    shutdown.spawn_work(async move {
        let wait = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = stop.finishing() => {}
            }
        };
        tokio::select! {
            () = wait => {}
            // Only the demo lives in a terminal that may be closed.
            _ = hangup.recv() => {}
        }
        stop.finish();
    });
    Ok(())
}

/// What an operator would type.
fn options(
    directory: &DemoDirectory,
    issuer: &str,
    isolation: &Isolation,
    rounds: Rounds,
) -> Result<config::Serve, Error> {
    let mut typed = Typed::default();
    let mut set = |name: &str, value: &str| typed.insert(name, [value.into()]);
    set("oidc", &format!("demo={issuer}"));
    set("credential", &format!("{0}=store:{0}", example::CREDENTIAL));
    set("env", &format!("{}={{sub}}", example::USER));
    set("isolation", isolation.level);
    if let Some(range) = &isolation.uids {
        set("uid-range", range);
    }
    if rounds == Rounds::Once {
        set("listen", "127.0.0.1:0");
    }
    set("name", "demo");
    typed.insert("state-dir", [directory.state_dir().into()]);
    typed.insert("audit", [directory.audit().into()]);
    typed.insert("command", [directory.program()?.into(), example::ARGUMENT.into()]);
    // Nothing of the environment and no file: the demo is the same everywhere.
    let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    config::serve(&typed, |_| None, read).map_err(|problems| Error::Options { problems })
}

/// Gives each user a credential, as `mcpwrap secret set` would.
async fn fill_store(config: &config::Serve, issuer: &str) -> Result<[SecretString; 2], Error> {
    let store = open_store(config.state_dir.clone(), None).await?;
    let secrets = [new_secret(ALICE)?, new_secret(BOB)?];
    for (subject, secret) in [ALICE, BOB].into_iter().zip(&secrets) {
        let user = UserRef { issuer: issuer.to_owned(), tenant: None, subject: subject.to_owned() };
        let kept = store.set(&user, example::CREDENTIAL, secret).await;
        kept.map_err(|cause| Error::Store { cause })?;
    }
    Ok(secrets)
}

/// Starts like its user's name, which is the part that is shown.
fn new_secret(user: &str) -> Result<SecretString, Error> {
    let random = || getrandom::u64().map_err(|cause| Error::Random { cause });
    let start: String = user.chars().take(3).collect();
    Ok(SecretString::from(format!("{start}_{:016x}{:016x}", random()?, random()?)))
}
