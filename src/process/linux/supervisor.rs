//! The first stage: stands above one command and sees to it that nothing of its tree is left.
//!
//! One thread, a few kilobytes, an empty environment. It never reads the specification, so no credential is ever
//! in its memory.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Stdin};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, close, dup2_stderr, dup2_stdout, getpid, getppid};

use super::pid_namespace::PidNamespace;
use super::report::{KILL, Report, TERMINATE};
use super::{INIT, MISUSED, STAGE_2, signals, tree, walls};

/// Between a SIGTERM to the supervisor itself and the end of the tree.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// How often a tree that is being killed is looked at.
const ROUND: Duration = Duration::from_millis(10);
/// After this, what is still alive is left to mcpwrap: the system is stuck, or the tree is not ours to kill.
const GIVE_UP: Duration = Duration::from_secs(4);
/// What the kernel sends when the spawning thread ends: the second string beside the lifeline.
const ORPHANED: Signal = Signal::SIGUSR1;

/// Stands for any real-time signal.
pub(super) const UNNAMED: i32 = nix::libc::SIGSYS + 1;

/// One command and what is known of it.
struct Supervisor {
    command: Pid,
    lifeline: Stdin,
    orders: Orders,
    signals: SignalFd,
    /// Ends when stage 2 has become the command; brings a failure if it could not.
    status: Option<PipeReader>,
    /// Where there is a pid namespace: the way to its first process, which stands above the command.
    init: Option<Init>,
    outcome: Option<Report>,
    phase: Phase,
}

/// The first process of a pid namespace, as seen from outside.
struct Init {
    /// How the command ended, which the end of the namespace does not tell.
    outcome: PipeReader,
    /// Its end is ours: the namespace goes when this does.
    _lifeline: PipeWriter,
}

/// Whether mcpwrap can still give orders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orders {
    Open,
    Ended,
}

/// Where the tree is on its way out.
enum Phase {
    Running,
    Terminating { kill_at: Instant },
    Killing { give_up: Instant },
}

/// Whether any child is left.
#[derive(PartialEq, Eq)]
enum Tree {
    Alive,
    Gone,
}

pub(super) fn run(parent: i32, stdin: i32, spec: i32, pid_namespace: PidNamespace) -> ExitCode {
    if let Err(step) = pid_namespace.make() {
        let reports = [Report::Failed(step.into()), Report::Exited(i32::from(MISUSED))];
        for report in reports {
            // Nobody may be listening any more.
            let _ = nix::unistd::write(io::stdin(), report.line().as_bytes());
        }
        return ExitCode::from(MISUSED);
    }
    match Supervisor::start(parent, stdin, spec, pid_namespace) {
        Ok(mut supervisor) => supervisor.watch(),
        // mcpwrap sees the end of the lifeline without a report, which says all there is to say.
        Err(_) => ExitCode::from(MISUSED),
    }
}

// === impl Supervisor ===

impl Supervisor {
    fn start(parent: i32, stdin: i32, spec: i32, pid_namespace: PidNamespace) -> io::Result<Self> {
        prctl::set_name(c"mcpwrap-watch")?;
        prctl::set_dumpable(false)?;
        prctl::set_child_subreaper(true)?;
        signals::catch_ignored();
        // Nothing may end the supervisor but the end of its work: a terminal's signals are for mcpwrap alone.
        SigSet::all().thread_block()?;
        let mut wanted = SigSet::empty();
        wanted.add(Signal::SIGCHLD);
        wanted.add(Signal::SIGTERM);
        wanted.add(ORPHANED);
        let signals =
            SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        prctl::set_pdeathsig(ORPHANED)?;
        if getppid().as_raw() != parent {
            return Err(io::ErrorKind::NotConnected.into());
        }

        let (status, status_writer) = passed_pipe()?;
        let mut next = Command::new("/proc/self/exe");
        next.arg0("mcpwrap")
            .env_clear()
            .stdin(Stdio::from(File::open(format!("/proc/self/fd/{stdin}"))?));
        let status_number = status_writer.as_raw_fd();
        let (child, init) = if pid_namespace == PidNamespace::Shared {
            let numbers = [getpid().as_raw(), spec, status_number];
            let child = next.arg(STAGE_2).args(numbers.map(|number| number.to_string())).spawn()?;
            (child, None)
        } else {
            let (outcome, outcome_writer) = passed_pipe()?;
            let (lifeline, our_end) = io::pipe()?;
            share(&lifeline)?;
            let numbers = [lifeline.as_raw_fd(), outcome_writer.as_raw_fd(), spec, status_number];
            let child = next.arg(INIT).args(numbers.map(|number| number.to_string())).spawn()?;
            // Those of the user namespace, which only the stages inside have a use for.
            if pid_namespace == PidNamespace::NewInUserNamespace {
                walls::drop_capabilities().map_err(|_| io::ErrorKind::PermissionDenied)?;
            }
            (child, Some(Init { outcome, _lifeline: our_end }))
        };
        // It still holds what the command is to get.
        drop(next);
        // The command alone holds its pipes: otherwise mcpwrap would not see them end with it.
        drop(status_writer);
        close(stdin)?;
        close(spec)?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        Ok(Self {
            command: Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?),
            lifeline: io::stdin(),
            orders: Orders::Open,
            signals,
            status: Some(status),
            init,
            outcome: None,
            phase: Phase::Running,
        })
    }

    fn watch(&mut self) -> ExitCode {
        loop {
            let ready = self.wait();
            if ready.status {
                self.read_status();
            }
            if ready.orders {
                self.take_orders();
            }
            self.take_signals();
            let tree = self.reap();
            match self.phase {
                _ if tree == Tree::Gone => break,
                Phase::Running => {}
                Phase::Terminating { kill_at } if Instant::now() < kill_at => {}
                Phase::Terminating { .. } => self.kill(),
                Phase::Killing { give_up } if Instant::now() < give_up => {
                    self.signal(Signal::SIGKILL);
                }
                // No last report: mcpwrap takes that for a loss and sweeps up after us.
                Phase::Killing { .. } => return ExitCode::FAILURE,
            }
        }
        if let Some(outcome) = self.outcome.take() {
            self.report(outcome.line().as_bytes());
        }
        ExitCode::SUCCESS
    }

    fn wait(&self) -> Ready {
        let timeout = match self.phase {
            Phase::Running => PollTimeout::NONE,
            Phase::Terminating { kill_at } => {
                let left = kill_at.saturating_duration_since(Instant::now());
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::ZERO)
            }
            Phase::Killing { .. } => PollTimeout::try_from(ROUND).unwrap_or(PollTimeout::ZERO),
        };
        let unused = self.signals.as_fd();
        let status = self.status.as_ref().map_or(unused, AsFd::as_fd);
        let orders = if self.orders == Orders::Open { self.lifeline.as_fd() } else { unused };
        let mut fds =
            [self.signals.as_fd(), status, orders].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        // An interrupted or failed wait only means one more look around.
        let _ = poll(&mut fds, timeout);
        let any = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        Ready {
            status: self.status.is_some() && any(&fds[1]),
            orders: self.orders == Orders::Open && any(&fds[2]),
        }
    }

    /// Stage 2 became the command, or says why it could not.
    fn read_status(&mut self) {
        let Some(mut status) = self.status.take() else {
            return;
        };
        let mut failure = Vec::new();
        // Stage 2 writes at once or not at all, so this does not wait.
        let _ = status.read_to_end(&mut failure);
        if failure.is_empty() {
            self.report(Report::Started(self.visible_pid()).line().as_bytes());
        } else {
            self.report(&[Report::FAILED.as_bytes(), &failure, b"\n"].concat());
        }
    }

    /// The command's number as mcpwrap sees it; in a namespace it is the first child of the first process.
    fn visible_pid(&self) -> u32 {
        let first = self.command.as_raw();
        let inside = self.init.as_ref().and_then(|_| tree::children(first).first().copied());
        inside.unwrap_or(first).unsigned_abs()
    }

    /// How the command in a namespace ended, if its first process lived to tell.
    fn outcome_inside(&mut self) -> Option<Report> {
        let mut line = String::new();
        self.init.take()?.outcome.read_to_string(&mut line).ok()?;
        Report::parse(line.trim_end())
    }

    fn take_orders(&mut self) {
        let mut orders = [0; 16];
        let count = match nix::unistd::read(&self.lifeline, &mut orders) {
            Ok(count) => count,
            Err(Errno::EINTR | Errno::EAGAIN) => return,
            Err(_) => 0,
        };
        if count == 0 {
            // mcpwrap is gone, or nobody wants this process any more.
            self.orders = Orders::Ended;
            self.kill();
        }
        for order in &orders[..count] {
            match *order {
                TERMINATE => self.signal(Signal::SIGTERM),
                KILL => self.kill(),
                _ => {}
            }
        }
    }

    fn take_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            match Signal::try_from(i32::try_from(signal.ssi_signo).unwrap_or_default()) {
                Ok(Signal::SIGTERM) if matches!(self.phase, Phase::Running) => {
                    self.signal(Signal::SIGTERM);
                    self.phase = Phase::Terminating { kill_at: Instant::now() + TERM_GRACE };
                }
                Ok(ORPHANED) => self.kill(),
                _ => {}
            }
        }
    }

    /// Collects whoever has ended; the end of the command is the end of its tree.
    fn reap(&mut self) -> Tree {
        loop {
            let ended = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Report::Exited(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Report::Signaled(signal as i32)),
                Ok(WaitStatus::StillAlive) => return Tree::Alive,
                Ok(_) | Err(Errno::EINTR) => continue,
                // Somebody was ended by a real-time signal, for which there is no name. If it was the command, it
                // can no longer be found.
                Err(Errno::EINVAL) if nix::sys::signal::kill(self.command, None).is_err() => {
                    (self.command, Report::Signaled(UNNAMED))
                }
                Err(Errno::EINVAL) => continue,
                Err(_) => return Tree::Gone,
            };
            if ended.0 == self.command {
                // What stage 2 wrote before it ended comes before the news of its end.
                self.read_status();
                self.outcome = Some(self.outcome_inside().unwrap_or(ended.1));
                self.kill();
            }
        }
    }

    fn kill(&mut self) {
        if !matches!(self.phase, Phase::Killing { .. }) {
            self.phase = Phase::Killing { give_up: Instant::now() + GIVE_UP };
        }
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        tree::signal(&tree::descendants(getpid().as_raw()), signal);
    }

    fn report(&self, line: &[u8]) {
        // Nobody may be listening any more; the work is the same.
        let _ = nix::unistd::write(&self.lifeline, line);
    }
}

/// A pipe whose writing end the next stage inherits.
fn passed_pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    share(&writer)?;
    Ok((reader, writer))
}

/// Lets a descriptor survive the execution of the next stage.
fn share(fd: &impl AsFd) -> io::Result<()> {
    nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;
    Ok(())
}

/// What a wait found.
struct Ready {
    status: bool,
    orders: bool,
}
