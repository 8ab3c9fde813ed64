//! Processes where there is no `/proc` and no subreaper: started directly, killed as a group where there are groups.
//!
//! Best effort, for `dev`: a descendant that leaves the group, and whatever runs when mcpwrap itself is killed,
//! stays. There are no walls, so `serve` refuses to start. Linux is where production runs; there
//! `--cfg mcpwrap_portable` selects this file, so that it is compiled and tested where nothing else is at hand.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
pub use tokio::process::{ChildStderr as Stderr, ChildStdin as Stdin, ChildStdout as Stdout};
use tokio::sync::{mpsc, watch};

use super::exit::State;
use super::walls::{Findings, Form, Refusal, Walls};
use super::{ChildCommand, Deadlines, Error, ExecFailure, Exit, Process, Program};

/// Orders that wait for one process; more are the same orders again.
const ORDERS: usize = 8;

/// The lowest limit of descriptors that systems have by default.
const USUAL_OPEN_FILES: usize = 256;

/// Starts processes; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Spawner {
    deadlines: Deadlines,
}

/// The hold on a process; when the last clone is dropped, its group is killed.
#[derive(Clone, Debug)]
pub struct ProcessHandle {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
    deadlines: Arc<Deadlines>,
}

/// A process with everything that descends from it, as far as it is known here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tree(());

/// What the task that owns the process can be told.
#[derive(Clone, Copy, Debug)]
enum Order {
    Terminate,
    Kill,
}

/// There are no stages here.
#[must_use]
pub fn stage_main(_: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    None
}

/// No walls are known here, whatever the machine.
pub async fn probe(_: &Spawner, _: Option<u32>) -> Findings {
    let refusal = Refusal { form: Form::Basic, reason: Error::NoWalls.to_string() };
    Findings { possible: Vec::new(), refusals: vec![refusal], landlock: 0 }
}

/// Whether programs in this folder can be executed: to be found out by trying.
#[must_use]
pub fn may_execute_in(_: &Path) -> bool {
    true
}

/// How many descriptors this process may have: the usual limit is left as it is.
#[must_use]
pub fn raise_open_files() -> usize {
    USUAL_OPEN_FILES
}

/// Nothing is done here, where only a developer serves himself.
///
/// # Errors
///
/// Never, here.
pub fn protect_memory() -> io::Result<()> {
    Ok(())
}

/// Nothing is done here, where only a developer serves himself.
///
/// # Errors
///
/// Never, here.
pub fn conceal_variables(_: &[String]) -> io::Result<()> {
    Ok(())
}

// === impl Spawner ===

impl Spawner {
    /// A spawner; there is no supervisor here, so the program is of no use.
    ///
    /// # Errors
    ///
    /// Never, here.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(_: Program, deadlines: Deadlines) -> Result<Self, Error> {
        Ok(Self { deadlines })
    }

    /// Starts a command.
    ///
    /// # Errors
    ///
    /// If the command cannot be executed.
    pub async fn spawn(&self, command: ChildCommand) -> Result<Process, Error> {
        if command.walls != Walls::None {
            return Err(Error::NoWalls);
        }
        let mut started = Command::new(&command.program);
        started
            .args(&command.args)
            .env_clear()
            .envs(command.env.inheritance())
            .envs(command.env.assignments()?);
        if let Some(cwd) = &command.cwd {
            started.current_dir(cwd);
        }
        #[cfg(unix)]
        started.process_group(0);
        started
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = started.spawn().map_err(|error| refused(&command, &error))?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take(), child.id());
        let (Some(stdin), Some(stdout), Some(stderr), Some(pid)) = streams else {
            return Err(Error::SupervisorLost { name: command.name });
        };
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (sender, state) = watch::channel(State { pid: Some(pid), exit: None });
        tokio::spawn(keep(child, pid, inbox, sender));
        let handle = ProcessHandle { orders, state, deadlines: Arc::new(self.deadlines) };
        Ok(Process { stdin, stdout, stderr, handle, pid })
    }
}

impl Spawner {
    /// Nobody has an id of his own here.
    ///
    /// # Errors
    ///
    /// Always.
    pub async fn end_all_of(&self, _: u32) -> Result<Exit, Error> {
        Err(Error::NoWalls)
    }

    /// There is nothing to look from behind.
    ///
    /// # Errors
    ///
    /// Always.
    pub async fn look(&self, _: &ChildCommand, _: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        Err(Error::NoWalls)
    }
}

fn refused(command: &ChildCommand, error: &io::Error) -> Error {
    let absent = command.cwd.as_ref().is_some_and(|cwd| !cwd.is_dir());
    let errno = error.raw_os_error().unwrap_or_default();
    let source = match error.kind() {
        _ if absent => ExecFailure::WorkingDirectory { errno },
        io::ErrorKind::NotFound => ExecFailure::NotFound,
        io::ErrorKind::PermissionDenied => ExecFailure::NotExecutable,
        io::ErrorKind::ArgumentListTooLong => ExecFailure::TooLarge,
        _ => ExecFailure::Other { errno },
    };
    Error::Exec { program: command.program.to_string_lossy().into_owned(), source }
}

/// Owns one process until it has ended.
async fn keep(
    mut child: Child,
    pid: u32,
    mut orders: mpsc::Receiver<Order>,
    state: watch::Sender<State>,
) {
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            order = orders.recv() => match order {
                Some(Order::Terminate) => terminate(pid),
                Some(Order::Kill) | None => {
                    kill_group(pid);
                    let _ = child.start_kill();
                    break child.wait().await;
                }
            },
        }
    };
    // The group may outlive its first process.
    kill_group(pid);
    let exit = status.map_or(Exit::SupervisorLost, ended);
    state.send_modify(|state| state.exit = Some(exit));
}

fn ended(status: ExitStatus) -> Exit {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Exit::Signal(signal);
    }
    status.code().map_or(Exit::SupervisorLost, Exit::Code)
}

#[cfg(unix)]
fn signal_group(pid: u32, signal: nix::sys::signal::Signal) {
    let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid.cast_signed()), signal);
}

#[cfg(unix)]
fn terminate(pid: u32) {
    signal_group(pid, nix::sys::signal::Signal::SIGTERM);
}

#[cfg(unix)]
fn kill_group(pid: u32) {
    signal_group(pid, nix::sys::signal::Signal::SIGKILL);
}

/// There is nothing between closed stdin and the kill.
#[cfg(not(unix))]
fn terminate(_: u32) {}

/// The process itself is killed by its owner.
#[cfg(not(unix))]
fn kill_group(_: u32) {}

// === impl Tree ===

impl Tree {
    /// Files without a name are not known here.
    #[must_use]
    pub fn nameless(self, _: &Path) -> Option<u64> {
        Some(0)
    }
}

// === impl ProcessHandle ===

impl ProcessHandle {
    /// What was started, to look at.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree(())
    }

    /// Resolves when the process has ended.
    pub async fn exited(&self) -> Exit {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| state.exit.is_some()).await;
        // Without a last word the task that owns the process is gone, and the process with it.
        ended.ok().and_then(|state| state.exit.clone()).unwrap_or(Exit::SupervisorLost)
    }

    /// Ends the process: waits for it to notice that its stdin is closed (the caller has dropped it), then asks the
    /// group to terminate, then kills it. Takes no longer than the deadlines together.
    pub async fn stop(&self) -> Exit {
        if let Some(exit) = self.exited_within(self.deadlines.close).await {
            return exit;
        }
        self.order(Order::Terminate);
        if let Some(exit) = self.exited_within(self.deadlines.term).await {
            return exit;
        }
        self.kill().await
    }

    /// Kills the group and waits until its first process is gone.
    pub async fn kill(&self) -> Exit {
        self.order(Order::Kill);
        self.exited_within(self.deadlines.kill).await.unwrap_or(Exit::SupervisorLost)
    }

    fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }

    async fn exited_within(&self, within: Duration) -> Option<Exit> {
        tokio::time::timeout(within, self.exited()).await.ok()
    }
}

// === impl Findings ===

impl Findings {
    /// What an operator can do about the forms that are refused.
    #[must_use]
    pub fn remedies(&self) -> Vec<&'static str> {
        vec![
            "run mcpwrap serve on Linux",
            "or use mcpwrap dev, which serves one developer without walls",
        ]
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::process::Environment;
    use crate::process::walls::Paths;

    fn shell(script: &str) -> ChildCommand {
        ChildCommand {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Environment::inherited().with("ADDED", "yes"),
            cwd: Some("/".into()),
            name: "test".into(),
            walls: Walls::None,
        }
    }

    fn spawner() -> Spawner {
        let soon = Duration::from_millis(1);
        Spawner::new(Program::Own, Deadlines { close: soon, ..Deadlines::default() }).unwrap()
    }

    #[tokio::test]
    async fn a_closed_stdin_ends_a_process_that_reads_it() {
        let mut process = spawner().spawn(shell("echo $ADDED; cat; exit 3")).await.unwrap();
        process.stdin.write_all(b"said\n").await.unwrap();
        drop(process.stdin);
        let mut out = String::new();
        process.stdout.read_to_string(&mut out).await.unwrap();
        assert_eq!((out.as_str(), process.handle.exited().await), ("yes\nsaid\n", Exit::Code(3)));
    }

    #[tokio::test]
    async fn the_group_is_told_to_terminate_and_the_last_handle_kills_it() {
        let mut process = spawner().spawn(shell("sleep 1000 & echo; wait")).await.unwrap();
        assert_eq!(process.stdout.read_u8().await.unwrap(), b'\n');
        assert_eq!(process.handle.stop().await, Exit::Signal(15));
        let deaf = "trap '' TERM; sleep 1000 & echo; wait";
        let mut process = spawner().spawn(shell(deaf)).await.unwrap();
        assert_eq!(process.stdout.read_u8().await.unwrap(), b'\n');
        drop(process.handle);
        // The other process of the group has this pipe too, so its end is the end of both.
        assert_eq!(process.stdout.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_cannot_be_started_says_why() {
        let absent = ChildCommand { program: "/nowhere".into(), ..shell("") };
        let error = spawner().spawn(absent).await.unwrap_err();
        assert!(matches!(error, Error::Exec { source: ExecFailure::NotFound, .. }), "{error}");
        let elsewhere = ChildCommand { cwd: Some("/nowhere".into()), ..shell("") };
        let error = spawner().spawn(elsewhere).await.unwrap_err();
        let Error::Exec { source: ExecFailure::WorkingDirectory { .. }, .. } = error else {
            panic!("{error}");
        };
    }

    #[tokio::test]
    async fn there_are_no_walls() {
        let walled = ChildCommand { walls: Walls::Basic { paths: Paths::system() }, ..shell("") };
        assert!(matches!(spawner().spawn(walled).await, Err(Error::NoWalls)));
        let findings = probe(&spawner(), None).await;
        assert!(findings.possible.is_empty() && !findings.remedies().is_empty());
    }
}
