//! Files that nobody but their owner may read or write: how they are made, and when they are believed.
//!
//! What is judged is the file that was opened, not its name, which can be changed in between. What we keep ourselves
//! must belong to us and to nobody else; what an operator gives us may be a link, and may be for other readers.
//! It does not know what stands in a file. Everything here blocks.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::hex;

/// A secret in a file is never longer, in bytes.
pub const MAX_SECRET: usize = 64 * 1024;

/// Certificates of authorities in one file are never longer, in bytes; those of a whole system are a quarter of it.
pub const MAX_CERTIFICATES: usize = 1024 * 1024;
/// Which file it is, whatever its name, and on which filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    filesystem: u64,
    file: u64,
}

/// Who beside its owner may read a file that an operator gives us; nobody else may write it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Nobody.
    Owner,
    /// Whoever the operator likes, such as the group of a container's secrets.
    Others,
}

/// A file that is written whole before it gets its name; without a name it goes when this is dropped.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    file: File,
}

/// Why a file is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The system refuses it.
    #[error("use {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// It belongs to somebody else, or others may read or write it.
    #[error("{} belongs to another user or is open to others", path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
    },
    /// Others than its owner may write it.
    #[error("the file {} can be written by other users", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to somebody else, who could change it.
    #[error("the file {} belongs to another user", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory, a pipe or a device, too long, empty, or no text.
    #[error("the file {} does not hold what it should", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
    },
}

// === what we keep ===

/// Opens a file of ours to read it.
///
/// # Errors
/// [`Error`], where it is a link or open to others too.
pub fn open(path: &Path) -> Result<File, Error> {
    judged(path, with_flags(OpenOptions::new().read(true), Links::Refused))
}

/// Opens a file of ours to read it and write at its end; makes it where there is none.
///
/// # Errors
/// [`Error`], where it is a link or open to others too.
pub fn open_or_create(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    mode(&mut options, 0o600);
    judged(path, with_flags(&mut options, Links::Refused))
}

/// Opens a log to write at its end; what is made is for our group to read, which may collect it.
///
/// What is there already is not judged: an operator may have made it as a pipe, or for other readers.
///
/// # Errors
/// The system refuses it.
pub fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    mode(&mut options, 0o640);
    options.open(path)
}

/// Makes a directory of ours and those above it, unless it is there.
///
/// # Errors
/// [`Error`], where others could replace what is in it too.
pub fn make_directory(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(failed(path))?;
    let found = fs::metadata(path).map_err(failed(path))?;
    match found.is_dir() && is_ours(&found) && !is_open(&found, 0o022) {
        true => Ok(()),
        false => Err(Error::Exposed { path: path.to_owned() }),
    }
}

/// Makes the names in a directory last: a file is durable only when its directory is.
///
/// # Errors
/// [`Error::Io`].
pub fn sync_directory(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed(path))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

// === what an operator gives us ===

/// Reads a secret of at most [`MAX_SECRET`] bytes; one newline at its end is cut.
///
/// # Errors
/// [`Error`]; [`Error::Unfit`] too where it is empty, no text, or longer than [`MAX_SECRET`].
pub fn read_secret(path: &Path, readers: Readers) -> Result<SecretString, Error> {
    let bytes = read_given(path, readers, MAX_SECRET)?;
    let unfit = || Error::Unfit { path: path.to_owned() };
    let text = str::from_utf8(&bytes).map_err(|_| unfit())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() || text.contains('\0') {
        return Err(unfit());
    }
    Ok(SecretString::from(text))
}

/// Reads a file of at most so many bytes; it must be ours or root's, as its owner could change it.
///
/// # Errors
/// [`Error`].
pub fn read_given(path: &Path, readers: Readers, most: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let unfit = || Error::Unfit { path: path.to_owned() };
    let options = with_flags(OpenOptions::new().read(true), Links::Followed).clone();
    let file = options.open(path).map_err(failed(path))?;
    let found = file.metadata().map_err(failed(path))?;
    if !found.is_file() {
        return Err(unfit());
    }
    if !is_ours(&found) {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    match readers {
        Readers::Owner if is_open(&found, 0o077) => {
            return Err(Error::Exposed { path: path.to_owned() });
        }
        Readers::Others if is_open(&found, 0o022) => {
            return Err(Error::Writable { path: path.to_owned() });
        }
        Readers::Owner | Readers::Others => {}
    }
    // The whole size at once: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed(path))?;
    if bytes.len() > most {
        return Err(unfit());
    }
    Ok(bytes)
}

// === impl Place ===

impl Place {
    /// That of the file with these metadata.
    #[must_use]
    pub fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        let (filesystem, file) = {
            use std::os::unix::fs::MetadataExt as _;
            (found.dev(), found.ino())
        };
        #[cfg(not(unix))]
        let (filesystem, file) = {
            let _ = found;
            (0, 0)
        };
        Self { filesystem, file }
    }

    /// Whether one of the two can fill up the other's disk.
    #[must_use]
    pub fn shares_disk_with(&self, other: &Self) -> bool {
        self.filesystem == other.filesystem
    }
}

// === impl Draft ===

impl Draft {
    /// Writes what shall become the file `path`, beside it; `owner`, a user and a group, or we will own it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(path: &Path, bytes: &[u8], owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(|cause| failed(path)(io::Error::other(cause)))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.{}", hex::encode(&suffix)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        mode(&mut options, 0o600);
        let file = options.open(&draft).map_err(failed(&draft))?;
        let mut draft = Self { path: draft, file };
        let written = give(&draft.file, owner).and_then(|()| draft.file.write_all(bytes));
        written.map_err(failed(&draft.path))?;
        Ok(draft)
    }

    /// Makes what was written outlast a crash of the machine; the name needs [`sync_directory`] besides.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(failed(&self.path))
    }

    /// Takes the place of the file, if there is one; a reader sees the old one or the new one, whole.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn replace(self, path: &Path) -> Result<(), Error> {
        fs::rename(&self.path, path).map_err(failed(path))
    }

    /// Becomes the file, unless somebody else was first: then his stays.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn place(self, path: &Path) -> Result<(), Error> {
        match fs::hard_link(&self.path, path) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => Err(failed(path)(cause)),
            _ => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a renaming there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

// === the rule ===

/// Whether a name may lead elsewhere.
#[derive(Clone, Copy)]
enum Links {
    Followed,
    Refused,
}

fn judged(path: &Path, options: &OpenOptions) -> Result<File, Error> {
    let file = options.open(path).map_err(failed(path))?;
    let found = file.metadata().map_err(failed(path))?;
    match found.is_file() && is_ours(&found) && !is_open(&found, 0o077) {
        true => Ok(file),
        false => Err(Error::Exposed { path: path.to_owned() }),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error + use<'_> {
    move |cause| match cause.kind() {
        ErrorKind::NotFound => Error::Absent { path: path.to_owned() },
        _ => Error::Io { path: path.to_owned(), cause },
    }
}

/// A link could lead to a file that others fill, and a pipe would make us wait for ever.
fn with_flags(options: &mut OpenOptions, links: Links) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use nix::fcntl::OFlag;
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = match links {
            Links::Followed => OFlag::O_NONBLOCK,
            Links::Refused => OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW,
        };
        options.custom_flags(flags.bits());
    }
    #[cfg(not(unix))]
    let _ = links;
    options
}

fn mode(options: &mut OpenOptions, mode: u32) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
    #[cfg(not(unix))]
    let _ = (options, mode);
}

#[cfg(unix)]
fn is_open(found: &Metadata, to: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.mode() & to != 0
}

#[cfg(unix)]
fn is_ours(found: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.uid() == nix::unistd::geteuid().as_raw() || found.uid() == 0
}

/// Gives the file to its user, where users have ids of their own.
#[cfg(unix)]
fn give(file: &File, owner: Option<(u32, u32)>) -> io::Result<()> {
    match owner {
        Some((uid, gid)) => std::os::unix::fs::fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn is_open(_: &Metadata, _: u32) -> bool {
    false
}

#[cfg(not(unix))]
fn is_ours(_: &Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn give(_: &File, _: Option<(u32, u32)>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
