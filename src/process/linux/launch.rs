//! The execution of one supervisor, with its pipes and its lifeline.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use command_fds::CommandFdExt;
use nix::fcntl::{FcntlArg, fcntl};

use super::SUPERVISOR;
use super::pid_namespace::PidNamespace;
use crate::process::Program;

/// What a pipe is widened to, so that large messages stream; the system's default is a sixteenth of it.
const WIDE: i32 = 1024 * 1024;

/// How much fits into stdin and stdout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PipeSize {
    Default,
    Wide,
}

/// A supervisor and our ends of what connects us.
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) lifeline: UnixStream,
    pub(super) streams: Streams,
}

/// Our ends of the pipes that pass the supervisor by.
pub(super) struct Streams {
    pub(super) spec: PipeWriter,
    pub(super) stdin: PipeWriter,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// Starts a supervisor, which starts stage 2, which waits for its specification.
pub(super) fn launch(
    program: &Program,
    pipes: PipeSize,
    pid_namespace: PidNamespace,
) -> io::Result<Launched> {
    let (lifeline, theirs) = UnixStream::pair()?;
    lifeline.set_nonblocking(true)?;
    let (child_spec, spec) = io::pipe()?;
    let (child_stdin, stdin) = io::pipe()?;
    let (stdout, child_stdout) = io::pipe()?;
    let (stderr, child_stderr) = io::pipe()?;
    if pipes == PipeSize::Wide {
        // A refusal only costs speed.
        let _ = fcntl(&stdin, FcntlArg::F_SETPIPE_SZ(WIDE));
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(WIDE));
    }
    let own = std::process::id().cast_signed();
    let numbers = [own, child_stdin.as_raw_fd(), child_spec.as_raw_fd(), pid_namespace.number()];
    // The descriptors keep their numbers: moving them to fixed ones could hit the pipe over which the standard
    // library learns that the execution failed.
    let child = Command::new(executable(program))
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
    let streams = Streams { spec, stdin, stdout, stderr };
    Ok(Launched { child, lifeline, streams })
}

/// The binary that carries the supervisor.
fn executable(program: &Program) -> &Path {
    match program {
        Program::Own => Path::new("/proc/self/exe"),
        Program::At(path) => path,
    }
}
