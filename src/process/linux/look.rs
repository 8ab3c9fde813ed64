//! A look around behind the walls, in the place of the command: whether it could be executed, and what it would not find.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{AccessFlags, access};

use super::spec::Text;
use crate::process::ExecFailure;

/// The kernel reads no more of a first line.
const FIRST_LINE: u64 = 256;

/// Writes the numbers of those paths to stdout that cannot be opened from here, a line of JSON.
pub(super) fn around(paths: &[Text<'_>]) -> io::Result<()> {
    let denied: Vec<usize> = paths
        .iter()
        .enumerate()
        .filter(|(_, path)| !opens(Path::new(&*path.0)))
        .map(|(number, _)| number)
        .collect();
    let mut line = serde_json::to_vec(&denied)?;
    line.push(b'\n');
    io::stdout().write_all(&line)
}

/// Whether the kernel would execute this program, as far as one can tell without doing it.
pub(super) fn program(path: &Path) -> Result<(), ExecFailure> {
    executable(path)?;
    match interpreter(path) {
        Some(interpreter) if executable(&interpreter).is_err() => {
            Err(ExecFailure::InterpreterMissing)
        }
        _ => Ok(()),
    }
}

/// The directory on the way to a path that may not be entered.
pub(super) fn barrier(path: &Path) -> Option<PathBuf> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    let denied = |error: &io::Error| error.raw_os_error() == Some(libc::EACCES);
    let at = way.iter().find(|step| step.symlink_metadata().as_ref().is_err_and(denied))?;
    at.parent().map(Path::to_owned)
}

fn executable(path: &Path) -> Result<(), ExecFailure> {
    if let Some(barrier) = barrier(path) {
        return Err(ExecFailure::Unreachable { path: barrier.to_string_lossy().into_owned() });
    }
    match path.metadata() {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            return Err(ExecFailure::NotExecutable);
        }
        Err(_) => return Err(ExecFailure::NotFound),
        Ok(found) if !found.is_file() => return Err(ExecFailure::NotExecutable),
        Ok(_) => {}
    }
    match access(path, AccessFlags::X_OK) {
        Ok(()) if access(path, AccessFlags::R_OK).is_ok() && !opens(path) => {
            Err(ExecFailure::Unreachable { path: path.to_string_lossy().into_owned() })
        }
        Ok(()) => Ok(()),
        Err(Errno::EACCES) => Err(ExecFailure::NotExecutable),
        Err(errno) => Err(ExecFailure::Other { errno: errno as i32 }),
    }
}

fn opens(path: &Path) -> bool {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).is_ok()
}

/// What the first line of a script names.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.trim_ascii().split(|byte| byte.is_ascii_whitespace()).next()?;
    Some(Path::new(std::ffi::OsStr::from_bytes(word)).to_owned())
}
