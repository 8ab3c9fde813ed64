//! The second stage: makes itself what the command expects, then becomes the command.
//!
//! The one place besides mcpwrap itself that sees the specification; its memory is replaced by the command's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{getppid, setsid};
use zeroize::Zeroizing;

use super::descriptors::close_others;
use super::open_files::lower_open_files;
use super::spec::{Purpose, Spec};
use super::{MISUSED, look, report, signals, walls};
use crate::process::ExecFailure;

/// The largest specification; the system refuses a far smaller argument list.
const MAX_SPEC: u64 = 16 * 1024 * 1024;

pub(super) fn run(supervisor: i32, spec: RawFd, status: RawFd) -> ExitCode {
    // Opened anew so that it closes by itself when the command is executed: that is how success is told.
    let Ok(mut status) = File::options().write(true).open(format!("/proc/self/fd/{status}")) else {
        return ExitCode::from(MISUSED);
    };
    let Err(failure) = serve_purpose(supervisor, spec, &status) else {
        return ExitCode::SUCCESS;
    };
    let _ = status.write_all(report::encode(&failure).as_bytes());
    ExitCode::from(MISUSED)
}

/// Only returns if the command could not be executed, or was only to be looked at.
fn serve_purpose(supervisor: i32, spec: RawFd, status: &File) -> Result<(), ExecFailure> {
    let bytes = prepare(supervisor, spec, status)?;
    let spec = serde_json::from_slice::<Spec<'_>>(&bytes)
        .map_err(|_| preparation("understand its specification", Errno::EPROTO))?;
    lower_open_files(spec.open_files)
        .map_err(|errno| preparation("limit its descriptors", errno))?;
    limit_files(&spec).map_err(|errno| preparation("limit the size of its files", errno))?;
    if let Purpose::EndAllOf(uid) = spec.purpose {
        return Ok(walls::end_all_of(uid)?);
    }
    walls::raise(&spec.walls, supervisor)?;
    std::env::set_current_dir(&*spec.cwd.0)
        .map_err(|error| ExecFailure::WorkingDirectory { errno: errno(&error) })?;
    match &spec.purpose {
        Purpose::Execute => Err(execute(&spec)),
        Purpose::EndAllOf(_) => Ok(()),
        Purpose::Look(paths) => {
            look::program(Path::new(&*spec.program.0))?;
            look::around(paths).map_err(|error| preparation("tell what it sees", errno_of(&error)))
        }
    }
}

/// Everything that does not depend on the command; yields the specification.
fn prepare(supervisor: i32, spec: RawFd, status: &File) -> Result<Zeroizing<Vec<u8>>, ExecFailure> {
    let step = |step: &'static str| move |errno: Errno| preparation(step, errno);
    prctl::set_dumpable(false).map_err(step("protect its memory"))?;
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(step("bind its life to its supervisor"))?;
    if getppid().as_raw() != supervisor {
        return Err(preparation("find its supervisor", Errno::ESRCH));
    }
    let bytes =
        read_spec(spec).map_err(|error| preparation("read its specification", errno_of(&error)))?;
    close_others(&[status.as_raw_fd()])
        .map_err(|error| preparation("close descriptors", errno_of(&error)))?;
    setsid().map_err(step("start a session"))?;
    signals::catch_ignored();
    // The supervisor has blocked all signals, and that is inherited. What has arrived meanwhile arrives now.
    SigSet::empty().thread_set_mask().map_err(step("unblock signals"))?;
    Ok(bytes)
}

fn read_spec(spec: RawFd) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(format!("/proc/self/fd/{spec}"))?.take(MAX_SPEC).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file that would become larger than it may is an error, or the end, of whoever writes it.
fn limit_files(spec: &Spec<'_>) -> nix::Result<()> {
    let largest = spec.walls.paths().and_then(|paths| paths.largest_file);
    largest.map_or(Ok(()), |bytes| setrlimit(Resource::RLIMIT_FSIZE, bytes, bytes))
}

/// Only returns if the command could not be executed.
fn execute(spec: &Spec<'_>) -> ExecFailure {
    let program = Path::new(&*spec.program.0);
    let error = Command::new(program)
        .args(spec.args.iter().map(|arg| &*arg.0))
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (&*name.0, &*value.0)))
        .exec();
    match errno(&error) {
        libc::ENOENT if is_present(spec) => ExecFailure::InterpreterMissing,
        libc::ENOENT | libc::ENOTDIR => ExecFailure::NotFound,
        // One directory in PATH that may not be searched makes the whole search end with this.
        libc::EACCES if is_bare(program) && !is_present(spec) => ExecFailure::NotFound,
        libc::EACCES | libc::ENOEXEC => match look::barrier(program) {
            Some(path) => ExecFailure::Unreachable { path: path.to_string_lossy().into_owned() },
            None => ExecFailure::NotExecutable,
        },
        libc::E2BIG => ExecFailure::TooLarge,
        errno => ExecFailure::Other { errno },
    }
}

/// Whether the program's file is there although the system says that something is not.
fn is_present(spec: &Spec<'_>) -> bool {
    let program = Path::new(&*spec.program.0);
    if !is_bare(program) {
        return program.is_file();
    }
    let path = spec.env.iter().find(|(name, _)| *name.0 == *"PATH");
    path.is_some_and(|(_, dirs)| {
        std::env::split_paths(&*dirs.0).any(|dir| dir.join(program).is_file())
    })
}

/// Whether the program is looked up in PATH.
fn is_bare(program: &Path) -> bool {
    !program.as_os_str().as_encoded_bytes().contains(&b'/')
}

fn preparation(step: &str, errno: Errno) -> ExecFailure {
    ExecFailure::Preparation { step: step.to_owned(), errno: errno as i32 }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(errno(error))
}
