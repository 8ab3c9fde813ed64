//! Credentials that stand in a file of this machine.
//!
//! It judges the file that it has opened, not the name: a name can be changed in between.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

/// No credential is longer.
pub const MAX_VALUE: usize = 64 * 1024;

/// Why a file gives no credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened or read.
    #[error("read the file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Others than its owner may write to it.
    #[error("the file {} can be written by other users", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory, a pipe or a device, too long, empty, or no text.
    #[error("the file {} holds no credential", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a credential; one newline at its end is cut. Blocks.
///
/// # Errors
/// [`Error`].
pub fn read(path: &Path) -> Result<SecretString, Error> {
    let bytes = read_bytes(path)?;
    let unfit = || Error::Unfit { path: path.to_owned() };
    let text = str::from_utf8(&bytes).map_err(|_| unfit())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() || text.contains('\0') {
        return Err(unfit());
    }
    Ok(SecretString::from(text))
}

/// Reads a file that holds no secret under the same rules. Blocks.
///
/// # Errors
/// [`Error`].
pub(super) fn read_public(path: &Path) -> Result<Vec<u8>, Error> {
    read_bytes(path).map(|bytes| bytes.to_vec())
}

fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let io = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => Error::Absent { path: path.to_owned() },
        _ => Error::Io { path: path.to_owned(), cause },
    };
    let file = open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() || metadata.len() > MAX_VALUE as u64 {
        return Err(Error::Unfit { path: path.to_owned() });
    }
    if is_writable_by_others(&metadata) {
        return Err(Error::Exposed { path: path.to_owned() });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_VALUE + 1));
    file.take(MAX_VALUE as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > MAX_VALUE {
        return Err(Error::Unfit { path: path.to_owned() });
    }
    Ok(bytes)
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Opening a pipe would wait for a writer that may never come.
        options.custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
    }
    options.open(path)
}

#[cfg(unix)]
fn is_writable_by_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn is_writable_by_others(_: &std::fs::Metadata) -> bool {
    false
}
