//! The directories of one user: his home, his temporary files, his caches. Knows users only by their digests.
//!
//! A home belongs to one authority of its user: what a client that may only read leaves there never comes before a
//! child of the same user that may do more.
//!
//! Every step is taken from the open parent directory and refuses symbolic links, so nothing that a child left behind
//! can lead mcpwrap, which may be root, to another place.

mod usage;

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, fchown, geteuid};

pub use usage::free_space;

/// How the homes begin that are nobody's and do not last; no digest of a user looks like this.
pub const NOBODY: &str = "nobody-";
/// Where the homes are, beneath the state directory.
pub(super) const HOMES: &str = "homes";
/// Where the credential files of a user are, beneath his root.
pub(super) const CREDENTIALS: &str = "credentials";
/// Where the homes of a user's authorities are, beneath his root.
const AUTHORITIES: &str = "authorities";
/// So much of an authority's digest names its home: paths of sockets in it have 108 bytes in all.
const SHORT: usize = 16;
/// The tenant of users that have none; no digest looks like this.
const NO_TENANT: &str = "_";
/// The longest digest.
const DIGEST: usize = 128;
/// For the owner alone.
const PRIVATE: u32 = 0o700;
/// Others may pass through, if they know where to.
const PASSABLE: u32 = 0o711;
/// One group may pass through.
const GROUP_ONLY: u32 = 0o710;

/// Whose a home is, by digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose<'a> {
    /// The user.
    pub user: &'a str,
    /// His tenant, if he has one.
    pub tenant: Option<&'a str>,
    /// What the children in it may do; absent where all of the user's share one home.
    pub authority: Option<&'a str>,
}

/// The directories of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// What holds all of them; mcpwrap's own, so that a child cannot put a link in the place of one of them.
    pub root: PathBuf,
    /// `HOME`.
    pub home: PathBuf,
    /// `TMPDIR`.
    pub tmp: PathBuf,
    /// `XDG_CACHE_HOME`.
    pub cache: PathBuf,
    /// `XDG_CONFIG_HOME`.
    pub config: PathBuf,
    /// `XDG_DATA_HOME`.
    pub data: PathBuf,
    /// `XDG_STATE_HOME`.
    pub state: PathBuf,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: PathBuf,
    /// The state directory that holds every home.
    pub state_dir: PathBuf,
}

/// Why a home could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that could lead elsewhere.
    #[error("a digest must be 1 to {DIGEST} letters, digits or '-', and {digest:?} is not")]
    Digest {
        /// The digest as given.
        digest: String,
    },
    /// A directory could not be made or entered; a symbolic link is refused here.
    #[error("the directory {path} cannot be prepared")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory belongs to somebody else.
    #[error("the directory {path} belongs to {found:?} (user and group id), not to {expected:?}")]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: (u32, u32),
        /// Whose it should be.
        expected: (u32, u32),
    },
}

/// Whose a directory is to be.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    /// Any, where it opens nothing.
    gid: Option<u32>,
}

/// A directory that has been entered.
struct Entered {
    path: PathBuf,
    file: File,
}

/// Makes the directories of a user, or checks those that are there.
///
/// # Errors
///
/// If a digest is no plain name, a directory cannot be made, is a symbolic link, or belongs to somebody else.
pub fn prepare(state_dir: &Path, whose: Whose<'_>, ids: Option<(u32, u32)>) -> Result<Home, Error> {
    let Whose { user, tenant, authority } = whose;
    whose.check()?;
    let own = Owner { uid: geteuid().as_raw(), gid: None };
    let user_own = ids.map_or(own, |(uid, gid)| Owner { uid, gid: Some(gid) });
    // Somebody with another user id has to pass through what is ours to reach what is his.
    let above = if ids.is_some() { PASSABLE } else { PRIVATE };
    let state = Entered::state_dir(state_dir, above)?;
    let tenants = state.directory(HOMES, above, own)?;
    let users = tenants.directory(tenant.unwrap_or(NO_TENANT), above, own)?;
    // Only the user's own group passes: what he opens to everybody is still not open to his neighbours.
    let (mode, passed_by) = match ids {
        Some((_, gid)) => (GROUP_ONLY, Owner { gid: Some(gid), ..own }),
        None => (PRIVATE, own),
    };
    let root = users.directory(user, mode, passed_by)?;
    let around = match authority {
        None => &root,
        Some(authority) => {
            let all = root.directory(AUTHORITIES, mode, passed_by)?;
            &all.directory(&authority[..authority.len().min(SHORT)], mode, passed_by)?
        }
    };
    let home = Home::of_dirs(&around.path, &root.path, &state.path);
    for path in home.writable() {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        around.directory(name, PRIVATE, user_own)?;
    }
    Ok(home)
}

/// The homes that a user's authorities have.
///
/// # Errors
///
/// If a digest is no plain name.
pub fn of_user(state_dir: &Path, whose: Whose<'_>) -> Result<Vec<Home>, Error> {
    whose.check()?;
    let state_dir = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    let tenant = state_dir.join(HOMES).join(whose.tenant.unwrap_or(NO_TENANT));
    let root = tenant.join(whose.user);
    let dirs = root.join(AUTHORITIES).read_dir().into_iter().flatten().flatten();
    Ok(dirs.map(|dir| Home::of_dirs(&dir.path(), &root, &state_dir)).collect())
}

// === impl Whose ===

impl Whose<'_> {
    /// Whether its digests lead nowhere else.
    fn check(&self) -> Result<(), Error> {
        for digest in [Some(self.user), self.tenant, self.authority].into_iter().flatten() {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if digest.is_empty() || digest.len() > DIGEST || !digest.bytes().all(plain) {
                return Err(Error::Digest { digest: digest.to_owned() });
            }
        }
        Ok(())
    }
}

// === impl Home ===

impl Home {
    fn of_dirs(dir: &Path, root: &Path, state_dir: &Path) -> Self {
        Self {
            home: dir.join("home"),
            tmp: dir.join("tmp"),
            cache: dir.join("cache"),
            config: dir.join("config"),
            data: dir.join("data"),
            state: dir.join("state"),
            runtime: dir.join("run"),
            root: root.to_owned(),
            state_dir: state_dir.to_owned(),
        }
    }

    /// The directory of credentials that its user may read and nobody but mcpwrap may change.
    ///
    /// # Errors
    ///
    /// As [`prepare`].
    pub fn credentials(&self, authority: &str, ids: Option<(u32, u32)>) -> Result<PathBuf, Error> {
        let own = Owner { uid: geteuid().as_raw(), gid: None };
        let failed = |source| Error::Directory { path: self.root.clone(), source };
        let file = File::open(&self.root).map_err(failed)?;
        let root = Entered { path: self.root.clone(), file };
        let (mode, owner) = match ids {
            Some((_, gid)) => (GROUP_ONLY, Owner { gid: Some(gid), ..own }),
            None => (PRIVATE, own),
        };
        let all = root.directory(CREDENTIALS, mode, owner)?;
        Ok(all.directory(authority, mode, owner)?.path)
    }

    /// Everything that its user may write to.
    #[must_use]
    pub fn writable(&self) -> [&Path; 7] {
        let Self { home, tmp, cache, config, data, state, runtime, .. } = self;
        [home, tmp, cache, config, data, state, runtime].map(PathBuf::as_path)
    }
}

// === impl Entered ===

impl Entered {
    fn state_dir(path: &Path, mode: u32) -> Result<Self, Error> {
        let failed = |source| Error::Directory { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(PRIVATE).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let flags = (OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let own = geteuid().as_raw();
        if found.uid() != own {
            let gid = found.gid();
            return Err(Error::Owner { path, found: (found.uid(), gid), expected: (own, gid) });
        }
        // Nobody else may put anything in its place; who passes through depends on who has to.
        let wanted = (found.mode() & 0o700) | (mode & 0o011);
        if found.mode() & 0o777 & !wanted != 0 || found.mode() & wanted != wanted {
            file.set_permissions(Permissions::from_mode(wanted)).map_err(failed)?;
        }
        Ok(Self { path, file })
    }

    /// Whether a crash came between making a directory and giving it away.
    fn forgotten(file: &File, path: &Path) -> bool {
        let ours = file.metadata().is_ok_and(|found| found.uid() == geteuid().as_raw());
        ours && std::fs::read_dir(path).is_ok_and(|mut list| list.next().is_none())
    }

    /// A directory in this one, made if it is not there; an empty new one is given to its owner.
    fn directory(&self, name: &str, mode: u32, owner: Owner) -> Result<Self, Error> {
        let path = self.path.join(name);
        let failed = |source: io::Error| Error::Directory { path: path.clone(), source };
        let made = match mkdirat(self.file.as_fd(), name, Mode::S_IRWXU) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(failed(errno.into())),
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(self.file.as_fd(), name, flags, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let file = File::from(fd);
        if let Some(gid) = owner.gid
            && (made || Self::forgotten(&file, &path))
        {
            let ids = (Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(gid)));
            fchown(&file, ids.0, ids.1).map_err(|errno| failed(errno.into()))?;
        }
        let found = file.metadata().map_err(failed)?;
        let (uid, gid) = (found.uid(), found.gid());
        if uid != owner.uid || owner.gid.is_some_and(|wanted| wanted != gid) {
            let expected = (owner.uid, owner.gid.unwrap_or(gid));
            return Err(Error::Owner { path, found: (uid, gid), expected });
        }
        if found.mode() & 0o7777 != mode {
            file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        }
        Ok(Self { path, file })
    }
}

#[cfg(test)]
mod tests;
