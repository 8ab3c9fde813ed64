//! The first process of a pid namespace: starts stage 2, collects orphans, tells how the command ended, and ends.
//!
//! Its end is the end of the namespace: the kernel kills whatever is left, however fast it forks. It holds no
//! credential and no capability, and nothing in the namespace can signal or trace it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getpid};

use super::descriptors::close_others;
use super::report::Report;
use super::supervisor::UNNAMED;
use super::{MISUSED, STAGE_2, walls};

/// The command and the way to the supervisor.
struct Init {
    command: Pid,
    /// Ends with the supervisor; nothing is ever written to it.
    lifeline: File,
    outcome: File,
    signals: SignalFd,
}

pub(super) fn run(lifeline: RawFd, outcome: RawFd, spec: RawFd, status: RawFd) -> ExitCode {
    match Init::start(lifeline, outcome, spec, status) {
        Ok(mut init) => init.watch(),
        Err(_) => ExitCode::from(MISUSED),
    }
}

// === impl Init ===

impl Init {
    fn start(lifeline: RawFd, outcome: RawFd, spec: RawFd, status: RawFd) -> io::Result<Self> {
        prctl::set_name(c"mcpwrap-init")?;
        prctl::set_dumpable(false)?;
        // The second string; the first is the lifeline. There is no parent to look at from inside the namespace.
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // Opened anew so that they close by themselves when stage 2 is executed.
        let mut reading = OpenOptions::new();
        reading.read(true).custom_flags(libc::O_NONBLOCK);
        let lifeline = reading.open(format!("/proc/self/fd/{lifeline}"))?;
        let outcome = OpenOptions::new().write(true).open(format!("/proc/self/fd/{outcome}"))?;
        let mut wanted = SigSet::empty();
        wanted.add(Signal::SIGCHLD);
        // All signals are blocked since the supervisor, and none but this one is looked at.
        let signals =
            SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        close_others(&[
            lifeline.as_raw_fd(),
            outcome.as_raw_fd(),
            signals.as_fd().as_raw_fd(),
            spec,
            status,
        ])?;
        let child = Command::new("/proc/self/exe")
            .arg0("mcpwrap")
            .arg(STAGE_2)
            .args([getpid().as_raw(), spec, status].map(|number| number.to_string()))
            .env_clear()
            .spawn()?;
        close_others(&[lifeline.as_raw_fd(), outcome.as_raw_fd(), signals.as_fd().as_raw_fd()])?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        walls::drop_capabilities().map_err(|_| io::ErrorKind::PermissionDenied)?;
        let command = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        Ok(Self { command, lifeline, outcome, signals })
    }

    fn watch(&mut self) -> ExitCode {
        loop {
            let mut fds = [self.lifeline.as_fd(), self.signals.as_fd()]
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            // An interrupted wait only means one more look around.
            let _ = poll(&mut fds, PollTimeout::NONE);
            let orphaned = fds[0].any().unwrap_or(true);
            if orphaned {
                return ExitCode::FAILURE;
            }
            while let Ok(Some(_)) = self.signals.read_signal() {}
            if let Some(outcome) = self.reap() {
                // Without a listener the supervisor is gone, and we are about to be.
                let _ = self.outcome.write_all(outcome.line().as_bytes());
                return ExitCode::SUCCESS;
            }
        }
    }

    /// Collects whoever has ended; yields how the command did.
    fn reap(&self) -> Option<Report> {
        loop {
            let ended = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Report::Exited(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Report::Signaled(signal as i32)),
                Ok(WaitStatus::StillAlive) => return None,
                Ok(_) | Err(Errno::EINTR) => continue,
                // Ended by a real-time signal, for which there is no name.
                Err(Errno::EINVAL) if nix::sys::signal::kill(self.command, None).is_err() => {
                    (self.command, Report::Signaled(UNNAMED))
                }
                Err(Errno::EINVAL) => continue,
                Err(_) => return Some(Report::Signaled(UNNAMED)),
            };
            if ended.0 == self.command {
                return Some(ended.1);
            }
        }
    }
}
