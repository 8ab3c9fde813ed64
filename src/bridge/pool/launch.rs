//! Starts the operating-system process of one principal's child: its environment, its credentials, its walls.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::super::recording;
use super::capacity::Reservation;
use super::credential_files::FileInUse;
use super::home_limit::Watched;
use super::isolated::{Fitted, Isolated, PassingHome};
use super::last_word::{Hearer, LastWord};
use super::launch_error::LaunchError;
use crate::audit;
use crate::auth::Principal;
use crate::credentials::{self, CredentialSet, Sources};
use crate::mcp::Lines;
use crate::process::walls::{Looks, Walls};
use crate::process::{
    self, ChildCommand, Environment, Exit, Process, ProcessHandle, Spawner, Stdin, Tree, stderr,
};
use crate::redact::{Learned, Redactor};
use crate::server::PROBE;

/// How long the end of stderr may come after that of the process.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

type ChildLines = Lines<process::Stdout>;

/// How children are started: everything but whose they are.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// Starts the processes.
    pub spawner: Spawner,
    /// The program, the same for everybody.
    pub program: OsString,
    /// Its arguments, the same for everybody: no secret and nothing of a caller belongs here.
    pub args: Vec<OsString>,
    /// The working directory; mcpwrap's own, or the child's home, where absent.
    pub cwd: Option<PathBuf>,
    /// How the logs call the children.
    pub name: String,
    /// The longest line a child may write, in bytes.
    pub max_line: usize,
    /// Where credentials come from.
    pub sources: Sources,
    /// Masks them wherever a child's output is shown.
    pub redactor: Redactor,
    /// What a child finds around it.
    pub confinement: Confinement,
}

/// What a child finds around it.
#[derive(Clone, Debug)]
pub enum Confinement {
    /// The developer's own environment.
    Developer {
        /// It.
        env: Environment,
    },
    /// A home and walls for each user.
    Isolated(Arc<Isolated>),
}

/// A process and its streams.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) stdin: Stdin,
    pub(super) lines: ChildLines,
    handle: ProcessHandle,
    tail: stderr::Tail,
    /// Reads stderr to its end.
    stderr: JoinHandle<()>,
    /// Who may know what it wrote there.
    hearer: Hearer,
    name: String,
    /// What the child holds: while it lives, these values are this user's.
    credentials: CredentialSet,
    redactor: Redactor,
    /// While anything of it may still be shown.
    _masks: Arc<Vec<Learned>>,
    files: Vec<FileInUse>,
    /// The home, where there is a limit to it.
    pub(super) watched: Option<Watched>,
    /// Comes back when nothing of the process is left.
    reservation: Arc<Reservation>,
}

/// A process that is nobody's, and its home.
pub(super) struct Bare {
    pub(super) process: Process,
    /// Removed when it is dropped, which is to be after the end of the process.
    pub(super) home: Option<PassingHome>,
}

// === impl Launcher ===

impl Launcher {
    /// What the child may do beyond being its user.
    ///
    /// # Errors
    /// When a claim that a template names is missing or unfit.
    pub fn authority(&self, principal: &Principal) -> Result<Arc<str>, LaunchError> {
        let env: Vec<String> = match &self.confinement {
            Confinement::Developer { .. } => Vec::new(),
            Confinement::Isolated(isolated) => {
                isolated.rendered(principal)?.into_values().collect()
            }
        };
        let extra: Vec<&str> = env.iter().map(String::as_str).collect();
        let digest = self.sources.authority_digest(principal, &extra);
        digest.map(Into::into).map_err(|cause| LaunchError::Credentials { cause })
    }

    /// Starts a process for `principal`.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub(super) async fn launch(
        &self,
        principal: &Arc<Principal>,
        reservation: Arc<Reservation>,
        audit: &audit::Log,
    ) -> Result<Launched, LaunchError> {
        reservation.starting();
        let fetched = self.sources.fetch(principal).await;
        recording::fetched(audit, principal, &fetched);
        let credentials = fetched.map_err(|cause| LaunchError::Credentials { cause })?;
        let learn = |one: &credentials::Credential| self.redactor.learn(&one.value);
        let masks = Arc::new(credentials.iter().map(learn).collect::<Vec<_>>());
        // Directories, ids and files are made by system calls that may take their time.
        let (own, owner) = (self.clone(), Arc::clone(principal));
        let fitting = tokio::task::spawn_blocking(move || {
            let fitted = own.fit(&owner)?.furnish(&credentials)?;
            Ok::<_, LaunchError>((fitted, credentials))
        });
        let (fitted, credentials) = fitting.await.map_err(|_| LaunchError::Interrupted)??;
        let process = self.spawn(fitted.env, fitted.cwd, fitted.walls).await?;
        let tail = stderr::Tail::default();
        let (sink, kept) = (self.sink(), tail.clone());
        let redactor = self.redactor.clone();
        let masked = Arc::clone(&masks);
        let stderr = tokio::spawn(async move {
            let limits = stderr::Limits::default();
            let mask = |text: &str, shown| redactor.mask_up_to(text, shown).into_owned();
            let drained = stderr::drain(process.stderr, limits, kept, mask, sink).await;
            if let Err(error) = drained {
                tracing::debug!(%error, "the server's stderr broke");
            }
            drop(masked);
        });
        Ok(Launched {
            stdin: process.stdin,
            lines: Lines::new(process.stdout, self.max_line),
            handle: process.handle,
            tail,
            stderr,
            hearer: match self.confinement {
                Confinement::Developer { .. } => Hearer::User,
                Confinement::Isolated(_) => Hearer::Operator,
            },
            name: self.name.clone(),
            credentials,
            redactor: self.redactor.clone(),
            _masks: masks,
            files: fitted.delivered,
            watched: fitted.watched,
            reservation,
        })
    }

    /// Starts a process that is nobody's, without any credential.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub(super) async fn launch_bare(&self) -> Result<Bare, LaunchError> {
        let own = self.clone();
        let fitting = tokio::task::spawn_blocking(move || match &own.confinement {
            Confinement::Developer { env } => Ok((Fitted::open(env.clone()), None)),
            Confinement::Isolated(isolated) => {
                isolated.fit_nobody().map(|(fitted, home)| (fitted, Some(home)))
            }
        });
        let (fitted, home) = fitting.await.map_err(|_| LaunchError::Interrupted)??;
        let process = self.spawn(fitted.env, fitted.cwd, fitted.walls).await?;
        Ok(Bare { process, home })
    }

    async fn spawn(
        &self,
        env: Environment,
        own_place: Option<PathBuf>,
        walls: Walls,
    ) -> Result<Process, LaunchError> {
        let command = ChildCommand {
            program: self.program.clone(),
            args: self.args.clone(),
            env,
            cwd: self.cwd.clone().or(own_place),
            name: self.name.clone(),
            walls,
        };
        self.spawner.spawn(command).await.map_err(|cause| LaunchError::Process { cause })
    }

    /// The log, with an explanation where we, or the walls, are what a child complains of.
    fn sink(&self) -> impl FnMut(&str) + Send + use<> {
        let mut log = explained(self.name.clone());
        let confinement = self.confinement.clone();
        let mut looks = Looks::default();
        move |line| {
            log(line);
            if let Confinement::Isolated(isolated) = &confinement {
                isolated.explain(line, &mut looks);
            }
        }
    }

    fn fit(&self, principal: &Principal) -> Result<Fitted, LaunchError> {
        match &self.confinement {
            Confinement::Developer { env } => Ok(Fitted::open(env.clone())),
            Confinement::Isolated(isolated) => isolated.fit(principal, &self.authority(principal)?),
        }
    }
}

// === impl Launched ===

impl Launched {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub(super) fn last_words(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// Names, sources and keyed fingerprints of what the child was given, for the audit log.
    pub(super) fn given(&self) -> Vec<String> {
        let show = |one: &credentials::Credential| {
            format!("{} from {} ({})", one.name, one.source, one.fingerprint)
        };
        self.credentials.iter().map(show).collect()
    }

    /// Notes that the process is ready for work.
    pub(super) fn is_running(&self) {
        self.reservation.running();
    }

    /// It, to look at.
    pub(super) fn tree(&self) -> Tree {
        self.handle.tree()
    }

    /// Notes that the process is on its way out.
    pub(super) fn is_ending(&self) {
        self.reservation.ending();
    }

    /// How the process ended, if it does so in time.
    pub(super) async fn exit_within(&self, patience: Duration) -> Option<Exit> {
        tokio::time::timeout(patience, self.handle.exited()).await.ok()
    }

    /// Ends it at once, whatever it is doing.
    pub(super) async fn kill(&self) {
        self.handle.kill().await;
    }

    /// Ends it as [`end`](Self::end) does, and returns how that went and what it said last.
    pub(super) async fn end_of_start(
        mut self,
        hurry: impl Future<Output = ()>,
    ) -> (Option<Exit>, LastWord) {
        let (tail, hearer) = (self.tail.clone(), self.hearer);
        let stderr = std::mem::replace(&mut self.stderr, tokio::spawn(async {}));
        let exit = self.end(hurry).await;
        // Somebody else may hold the pipe; what was said so far has to do then.
        let _ = tokio::time::timeout(LAST_WORDS_WITHIN, stderr).await;
        (exit, LastWord::of(&tail.lines(), hearer))
    }

    /// Closes its stdin and sees to it that nothing of it is left; from `hurry` on, it is killed at once.
    pub(super) async fn end(self, hurry: impl Future<Output = ()>) -> Option<Exit> {
        self.reservation.ending();
        let Self { stdin, lines, handle, files, reservation, .. } = self;
        drop(stdin);
        // A child that still writes must not block on a full pipe while it ends.
        let reading = tokio::spawn(drain(lines));
        let exit = tokio::select! {
            exit = handle.stop() => exit,
            () = hurry => handle.kill().await,
        };
        reading.abort();
        // Their files are removed, which may take a disk its time.
        let _ = tokio::task::spawn_blocking(move || drop(files)).await;
        drop(reservation);
        Some(exit)
    }
}

/// The sink of a child's stderr. Servers of the older SDKs fill a screen about a method that they do not know, which is
/// said to be ours.
fn explained(name: String) -> impl FnMut(&str) {
    let mut log = stderr::log(name.clone());
    let mut explained = false;
    move |line| {
        log(line);
        if !explained && line.contains(PROBE) {
            explained = true;
            tracing::info!(
                child = name,
                "the lines about {PROBE} answer mcpwrap, which asks a server once how it speaks; \
                 --child-era saves the question"
            );
        }
    }
}

async fn drain(mut lines: ChildLines) {
    while let Ok(Some(_)) = lines.next().await {}
}
