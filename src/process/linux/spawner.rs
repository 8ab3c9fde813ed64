//! The way to a process: hands the request to the spawner thread and the specification to stage 2.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use super::handle::Terms;
use super::pid_namespace::PidNamespace;
use super::spawner_thread::{SpawnRequest, SpawnerThread, Started};
use super::spec::{Purpose, Spec, Text};
use super::wakeup::Wakeup;
use crate::process::walls::Walls;
use crate::process::{ChildCommand, Deadlines, Environment, Error, Exit, Process, Program};

/// Requests that wait for the spawner thread; further callers wait in line, each under his own deadline.
const QUEUE: usize = 256;

/// Starts processes; a clone is cheap.
///
/// All spawners of a process share one thread, which lives as long as the process does.
#[derive(Clone, Debug)]
pub struct Spawner {
    program: Program,
    deadlines: Deadlines,
    queue: SpawnQueue,
}

/// The way to the spawner thread.
#[derive(Clone, Debug)]
struct SpawnQueue {
    requests: mpsc::Sender<SpawnRequest>,
    wakeup: Wakeup,
}

/// The way to the one spawner thread of this process, once there is one.
static SHARED: Mutex<Option<SpawnQueue>> = Mutex::new(None);

// === impl Spawner ===

impl Spawner {
    /// A spawner whose supervisors are run from `program`.
    ///
    /// # Errors
    ///
    /// If the spawner thread cannot be started.
    pub fn new(program: Program, deadlines: Deadlines) -> Result<Self, Error> {
        Ok(Self { program, deadlines, queue: SpawnQueue::shared()? })
    }

    /// Starts a command and waits until it runs. A caller that goes away while waiting takes the process with him.
    ///
    /// # Errors
    ///
    /// If the command cannot be executed, or does not run within the deadline.
    pub async fn spawn(&self, command: ChildCommand) -> Result<Process, Error> {
        let within = self.deadlines.start;
        tokio::time::timeout(within, self.start(&command, Purpose::Execute))
            .await
            .unwrap_or_else(|_| Err(Error::Deadline { name: command.name.clone(), within }))
    }

    /// Looks from behind the walls whether a command could be executed, without doing it, and yields those of the
    /// paths that it could not open.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn look(
        &self,
        command: &ChildCommand,
        paths: &[PathBuf],
    ) -> Result<Vec<PathBuf>, Error> {
        let within = self.deadlines.start;
        let purpose = Purpose::Look(paths.iter().map(|path| Text::of(path)).collect());
        let looked = async {
            let mut process = self.start(command, purpose).await?;
            let mut seen = Vec::new();
            let read = process.stdout.read_to_end(&mut seen).await;
            let lost = || Error::SupervisorLost { name: command.name.clone() };
            read.map_err(|_| lost())?;
            let denied: Vec<usize> = serde_json::from_slice(&seen).map_err(|_| lost())?;
            Ok(denied.into_iter().filter_map(|number| paths.get(number).cloned()).collect())
        };
        tokio::time::timeout(within, looked)
            .await
            .unwrap_or_else(|_| Err(Error::Deadline { name: command.name.clone(), within }))
    }

    /// Ends every process of a user id that is root's to give, however fast they fork, and yields whether that could be
    /// done: one of them may end who does it.
    ///
    /// # Errors
    ///
    /// If there is no process to do it.
    pub async fn end_all_of(&self, uid: u32) -> Result<Exit, Error> {
        let command = ChildCommand {
            program: OsString::new(),
            args: Vec::new(),
            env: Environment::cleared(),
            cwd: None,
            name: format!("the end of user id {uid}"),
            walls: Walls::None,
        };
        let within = self.deadlines.start;
        let done = async {
            let process = self.start(&command, Purpose::EndAllOf(uid)).await?;
            Ok(process.handle.exited().await)
        };
        tokio::time::timeout(within, done)
            .await
            .unwrap_or_else(|_| Err(Error::Deadline { name: command.name.clone(), within }))
    }

    async fn start(&self, command: &ChildCommand, purpose: Purpose<'_>) -> Result<Process, Error> {
        let specification = Spec::encode(command, purpose)?;
        let failed = |source| Error::Supervisor { name: command.name.clone(), source };
        let (reply, started) = oneshot::channel();
        let terms = Terms {
            name: command.name.clone(),
            deadlines: self.deadlines,
            spawner_thread: self.queue.wakeup.clone(),
        };
        let pid_namespace = PidNamespace::of(&command.walls);
        let request = SpawnRequest { program: self.program.clone(), pid_namespace, terms, reply };
        self.queue.requests.send(request).await.map_err(|_| Error::ThreadEnded)?;
        self.queue.wakeup.wake();
        let started = started.await.map_err(|_| Error::ThreadEnded)?;
        let Started { handle, streams } = started.map_err(failed)?;
        let stdin = pipe::Sender::from_owned_fd(streams.stdin.into()).map_err(failed)?;
        let stdout = pipe::Receiver::from_owned_fd(streams.stdout.into()).map_err(failed)?;
        let stderr = pipe::Receiver::from_owned_fd(streams.stderr.into()).map_err(failed)?;
        let mut sink = pipe::Sender::from_owned_fd(streams.spec.into()).map_err(failed)?;
        // A stage that ended before it read everything has said why over the lifeline.
        let _ = sink.write_all(&specification).await;
        drop((sink, specification));
        let state = handle.settled().await;
        match (state.pid, state.exit) {
            (Some(pid), _) => Ok(Process { stdin, stdout, stderr, handle, pid }),
            (None, Some(Exit::ExecFailed { reason })) => Err(Error::Exec {
                program: command.program.to_string_lossy().into_owned(),
                source: reason,
            }),
            (None, _) => Err(Error::SupervisorLost { name: command.name.clone() }),
        }
    }
}

// === impl SpawnQueue ===

impl SpawnQueue {
    fn shared() -> Result<Self, Error> {
        // Two threads would take each other's supervisors for orphans, so the lock is held while one is started.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some(queue) => Ok(queue.clone()),
            None => {
                let queue = Self::start().map_err(|source| Error::Thread { source })?;
                Ok(shared.insert(queue).clone())
            }
        }
    }

    fn start() -> io::Result<Self> {
        let (wakeup, woken) = Wakeup::new()?;
        let (requests, received) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("processes".to_owned())
            .spawn(move || SpawnerThread::new(received, woken).run())?;
        Ok(Self { requests, wakeup })
    }
}
