//! The one thread that starts supervisors, hears their reports and kills what a lost one leaves behind.
//!
//! It lives as long as mcpwrap: a parent-death signal fires when the spawning *thread* ends. And because one thread
//! does both, a supervisor that was just started is never mistaken for a stranger.

use std::collections::HashSet;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use command_fds::CommandFdExt;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::sync::{mpsc, oneshot, watch};

use super::report::{self, Report};
use super::{SUPERVISOR, signals, tree};
use crate::process::exit::State;
use crate::process::{Exit, Program};

/// What a pipe is widened to, so that large messages stream; the system's default is a sixteenth of it.
const PIPE_CAPACITY: i32 = 1024 * 1024;
/// With more processes than this, pipes keep their default size: an unprivileged user may widen 64 MiB in all,
/// and beyond that even new pipes shrink.
const WIDENED_PROCESSES: usize = 16;
/// How often the strangers are looked at while there may be any.
const ROUND: Duration = Duration::from_millis(5);
/// After this the sweep gives up on whoever is still alive.
const SWEEP: Duration = Duration::from_secs(5);
/// So many looks that find nobody end a sweep: one look may miss a child whose sibling ends just then.
const QUIET_ROUNDS: u8 = 2;

/// A request to start a supervisor.
pub(super) struct Job {
    pub(super) program: Program,
    pub(super) name: String,
    pub(super) reply: oneshot::Sender<io::Result<Parts>>,
}

/// What a started supervisor consists of on our side.
pub(super) struct Parts {
    pub(super) lifeline: UnixStream,
    pub(super) spec: PipeWriter,
    pub(super) stdin: PipeWriter,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
    pub(super) state: watch::Receiver<State>,
    pub(super) fate: Arc<Fate>,
}

/// By when a supervisor has to be gone; set once, by the side that holds the handles.
#[derive(Debug, Default)]
pub(super) struct Fate(pub(super) OnceLock<Instant>);

pub(super) struct Keeper {
    jobs: mpsc::Receiver<Job>,
    bell: UnixStream,
    live: Vec<Live>,
    /// Children that mcpwrap was born with, when it was executed by something that had any.
    foreign: HashSet<i32>,
    sweep: Option<Sweep>,
}

/// A supervisor that has not ended.
struct Live {
    name: String,
    child: Child,
    lifeline: UnixStream,
    inbox: Vec<u8>,
    exit: Option<Exit>,
    state: watch::Sender<State>,
    fate: Arc<Fate>,
    verdict: Verdict,
}

/// Whether a supervisor has been killed for being late.
#[derive(PartialEq, Eq)]
enum Verdict {
    Open,
    Executed,
}

/// The search for the orphans of lost supervisors.
struct Sweep {
    until: Instant,
    quiet: u8,
    lost: Vec<watch::Sender<State>>,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(jobs: mpsc::Receiver<Job>, bell: UnixStream) -> Self {
        // Orphans of a lost supervisor come to us instead of to init. Without it they would escape the sweep, but a
        // kernel that refuses this does not exist since 3.4.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        signals::catch_ignored();
        Self {
            jobs,
            bell,
            live: Vec::new(),
            foreign: own_children().into_iter().collect(),
            sweep: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let ready = self.wait();
            self.start_requested();
            for index in ready.into_iter().rev() {
                self.hear(index);
            }
            self.execute_late();
            self.sweep();
        }
    }

    /// Waits for a ring, a report or a deadline; yields the supervisors that have something to say, in order.
    fn wait(&mut self) -> Vec<usize> {
        let now = Instant::now();
        let late = self
            .live
            .iter()
            .filter(|live| live.verdict == Verdict::Open)
            .filter_map(|live| live.fate.0.get());
        let late = late
            .map(|by| by.saturating_duration_since(now) + Duration::from_millis(1))
            .min();
        let round = self.sweep.as_ref().map(|_| ROUND);
        let timeout = late.into_iter().chain(round).min();
        let timeout = timeout.map_or(PollTimeout::NONE, |wait| {
            PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
        });
        let lifelines = self.live.iter().map(|live| live.lifeline.as_fd());
        let mut fds: Vec<_> = lifelines
            .chain([self.bell.as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        if poll(&mut fds, timeout).is_err() {
            return Vec::new();
        }
        let count = self.live.len();
        let ready = (0..count)
            .filter(|index| fds[*index].any().unwrap_or(true))
            .collect();
        drop(fds);
        let mut rings = [0; 64];
        while matches!(self.bell.read(&mut rings), Ok(count) if count > 0) {}
        ready
    }

    fn start_requested(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            let widen = self.live.len() < WIDENED_PROCESSES;
            let started = launch(&job.program, widen.then_some(PIPE_CAPACITY)).map(
                |(child, lifeline, parts)| {
                    let (sender, state) = watch::channel(State::Starting);
                    let fate = Arc::new(Fate::default());
                    self.live.push(Live {
                        name: job.name,
                        child,
                        lifeline,
                        inbox: Vec::new(),
                        exit: None,
                        state: sender,
                        fate: fate.clone(),
                        verdict: Verdict::Open,
                    });
                    parts(state, fate)
                },
            );
            // A caller that has gone away drops the parts, and with them the lifeline.
            let _ = job.reply.send(started);
        }
    }

    /// Reads what a supervisor says; its end is the end of its process.
    fn hear(&mut self, index: usize) {
        let live = &mut self.live[index];
        if live.read() == Orders::Open {
            return;
        }
        let mut live = self.live.swap_remove(index);
        // It has closed the lifeline, so it is ending already; the kill is for one that closed it without ending.
        let _ = live.child.kill();
        let _ = live.child.wait();
        match live.exit {
            Some(exit) => {
                live.state.send_replace(State::Ended(exit));
            }
            None => {
                tracing::warn!(child = live.name, "supervisor lost, killing its tree");
                let sweep = self.sweep.get_or_insert_with(|| Sweep {
                    until: Instant::now(),
                    quiet: 0,
                    lost: Vec::new(),
                });
                sweep.until = Instant::now() + SWEEP;
                sweep.quiet = 0;
                sweep.lost.push(live.state);
            }
        }
    }

    /// Kills the supervisors that have not ended when they should have: stopped ones, for instance.
    fn execute_late(&mut self) {
        let now = Instant::now();
        for live in &mut self.live {
            if live.verdict == Verdict::Open && live.fate.0.get().is_some_and(|by| *by <= now) {
                live.verdict = Verdict::Executed;
                let _ = live.child.kill();
            }
        }
    }

    /// One look for children that nobody knows, and the end of those.
    fn sweep(&mut self) {
        let Some(sweep) = &mut self.sweep else {
            return;
        };
        let known: HashSet<i32> = self
            .live
            .iter()
            .map(|live| live.child.id().cast_signed())
            .collect();
        let mut strangers = own_children();
        strangers.retain(|pid| !known.contains(pid) && !self.foreign.contains(pid));
        sweep.quiet = if strangers.is_empty() {
            sweep.quiet + 1
        } else {
            0
        };
        for stranger in strangers {
            tree::signal(&[stranger], Signal::SIGKILL);
            tree::signal(&tree::descendants(stranger), Signal::SIGKILL);
            let _ = waitpid(Pid::from_raw(stranger), Some(WaitPidFlag::WNOHANG));
        }
        let late = Instant::now() >= sweep.until;
        if sweep.quiet < QUIET_ROUNDS && !late {
            return;
        }
        if late {
            tracing::error!("processes of a lost supervisor are still alive");
        }
        for lost in sweep.lost.drain(..) {
            lost.send_replace(State::Ended(Exit::SupervisorLost));
        }
        self.sweep = None;
    }
}

// === impl Live ===

/// Whether a supervisor can still report.
#[derive(PartialEq, Eq)]
enum Orders {
    Open,
    Ended,
}

impl Live {
    fn read(&mut self) -> Orders {
        let mut chunk = [0; 512];
        loop {
            match self.lifeline.read(&mut chunk) {
                Ok(0) => return Orders::Ended,
                Ok(count) => self.inbox.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Orders::Open,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Orders::Ended,
            }
            while let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                self.note(&String::from_utf8_lossy(&line[..end]));
            }
            if self.inbox.len() > report::MAX {
                return Orders::Ended;
            }
        }
    }

    fn note(&mut self, line: &str) {
        match Report::parse(line) {
            Some(Report::Started(pid)) => {
                self.state.send_replace(State::Running { pid });
            }
            Some(Report::Failed(reason)) => self.exit = Some(Exit::ExecFailed { reason }),
            // After a failure to execute, how stage 2 ended is of no interest.
            Some(Report::Exited(code)) if self.exit.is_none() => self.exit = Some(Exit::Code(code)),
            Some(Report::Signaled(signal)) if self.exit.is_none() => {
                self.exit = Some(Exit::Signal(signal))
            }
            Some(Report::Exited(_) | Report::Signaled(_)) => {}
            None => tracing::warn!(child = self.name, "supervisor said something unknown"),
        }
    }
}

fn own_children() -> Vec<i32> {
    tree::children(std::process::id().cast_signed())
}

/// Starts a supervisor; what is still missing from its parts is only known to the caller.
fn launch(
    program: &Program,
    capacity: Option<i32>,
) -> io::Result<(
    Child,
    UnixStream,
    impl FnOnce(watch::Receiver<State>, Arc<Fate>) -> Parts,
)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (child_spec, spec) = io::pipe()?;
    let (child_stdin, stdin) = io::pipe()?;
    let (stdout, child_stdout) = io::pipe()?;
    let (stderr, child_stderr) = io::pipe()?;
    if let Some(capacity) = capacity {
        // A refusal only costs speed.
        let _ = fcntl(&stdin, FcntlArg::F_SETPIPE_SZ(capacity));
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(capacity));
    }
    let numbers = [
        std::process::id().cast_signed(),
        child_stdin.as_raw_fd(),
        child_spec.as_raw_fd(),
    ];
    // The descriptors keep their numbers: moving them to fixed ones could hit the pipe over which the standard
    // library learns that the execution failed.
    let child = Command::new(program.path())
        .arg0("mcpwrap")
        .arg(SUPERVISOR)
        .args(numbers.map(|number| number.to_string()))
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(child_stdout))
        .stderr(Stdio::from(child_stderr))
        .preserved_fds(vec![child_stdin.into(), child_spec.into()])
        .spawn()?;
    let lifeline = ours.try_clone()?;
    Ok((child, ours, move |state, fate| Parts {
        lifeline,
        spec,
        stdin,
        stdout,
        stderr,
        state,
        fate,
    }))
}
