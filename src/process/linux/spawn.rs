//! The way to a process: hands the request to the keeper and the specification to stage 2.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use super::handle::{Process, Terms};
use super::keeper::{Job, Keeper, Started};
use crate::process::spec::Spec;
use crate::process::{ChildCommand, Deadlines, Error, Exit, Program};

/// Requests that wait for the spawning thread; further callers wait in line, each under his own deadline.
const QUEUE: usize = 256;

/// Starts processes; a clone is cheap.
///
/// All spawners of a process share one thread, which lives as long as the process does.
#[derive(Clone, Debug)]
pub struct Spawner {
    program: Program,
    deadlines: Deadlines,
    keeper: Line,
}

/// The way to the keeper.
#[derive(Clone, Debug)]
pub(super) struct Line {
    jobs: mpsc::Sender<Job>,
    bell: Arc<UnixStream>,
}

/// The one keeper of this process, once there is one.
static KEEPER: Mutex<Option<Line>> = Mutex::new(None);

// === impl Spawner ===

impl Spawner {
    /// A spawner whose supervisors are run from `program`.
    ///
    /// # Errors
    ///
    /// If the spawning thread cannot be started.
    pub fn new(program: Program, deadlines: Deadlines) -> Result<Self, Error> {
        Ok(Self { program, deadlines, keeper: Line::shared()? })
    }

    /// Starts a command and waits until it runs. A caller that goes away while waiting takes the process with him.
    ///
    /// # Errors
    ///
    /// If the command cannot be executed, or does not run within the deadline.
    pub async fn spawn(&self, command: ChildCommand) -> Result<Process, Error> {
        let within = self.deadlines.start;
        tokio::time::timeout(within, self.start(&command))
            .await
            .unwrap_or_else(|_| Err(Error::Deadline { name: command.name.clone(), within }))
    }

    async fn start(&self, command: &ChildCommand) -> Result<Process, Error> {
        let specification = Spec::encode(command)?;
        let failed = |source| Error::Supervisor { name: command.name.clone(), source };
        let (reply, started) = oneshot::channel();
        let terms = Terms {
            name: command.name.clone(),
            deadlines: self.deadlines,
            keeper: self.keeper.clone(),
        };
        let room = command.walls.room();
        let job = Job { program: self.program.clone(), room, terms, reply };
        self.keeper.jobs.send(job).await.map_err(|_| Error::ThreadEnded)?;
        self.keeper.ring();
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

// === impl Line ===

impl Line {
    fn shared() -> Result<Self, Error> {
        // Two keepers would take each other's supervisors for strangers, so the lock is held while one is started.
        let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
        match &*keeper {
            Some(line) => Ok(line.clone()),
            None => {
                let line = Self::start().map_err(|source| Error::Thread { source })?;
                Ok(keeper.insert(line).clone())
            }
        }
    }

    fn start() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let (jobs, requests) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("processes".to_owned())
            .spawn(move || Keeper::new(requests, ear).run())?;
        Ok(Self { jobs, bell: Arc::new(bell) })
    }

    /// Wakes the keeper; a bell that is full of rings has been heard anyway.
    pub(super) fn ring(&self) {
        let _ = (&*self.bell).write(&[1]);
    }
}
