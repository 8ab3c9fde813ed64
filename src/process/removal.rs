//! Removing what somebody else has written, however deeply it is nested.
//!
//! Neither stack nor descriptors grow with the depth: what lies two levels deep is moved up, so that two directories are
//! open at most. No link is followed.

use std::ffi::{CStr, CString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// A directory, never a link to one.
const OPEN: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// A directory that is being emptied.
struct Emptied {
    top: File,
    /// The next name for what is moved up.
    next: u64,
    /// How many entries are gone from where they were.
    steps: u64,
}

/// Removes a directory with all that is in it. Blocks.
///
/// # Errors
///
/// If it is no directory, or something cannot be removed; the rest is.
pub fn remove(dir: &Path) -> io::Result<()> {
    empty(dir)?;
    fs::remove_dir(dir)
}

/// Removes all that is in a directory. Blocks.
///
/// # Errors
///
/// As [`remove`].
pub(super) fn empty(dir: &Path) -> io::Result<()> {
    let top = File::from(open(dir, OPEN, Mode::empty())?);
    let mut emptied = Emptied { top, next: 0, steps: 0 };
    loop {
        let before = emptied.steps;
        let done = emptied.pass();
        // What is left after a pass without a step cannot be removed.
        if emptied.steps == before {
            return done;
        }
    }
}

// === impl Emptied ===

impl Emptied {
    /// Removes every file in it and every directory whose own entries are then in it instead.
    fn pass(&mut self) -> io::Result<()> {
        let mut done = Ok(());
        for name in names(&self.top)? {
            let removed = match unlinkat(&self.top, &*name, UnlinkatFlags::NoRemoveDir) {
                // Linux says the one of a directory, POSIX the other.
                Err(Errno::EISDIR | Errno::EPERM) => self.directory(&name),
                Ok(()) => {
                    self.steps += 1;
                    Ok(())
                }
                Err(errno) => Err(errno.into()),
            };
            done = done.and(removed);
        }
        done
    }

    fn directory(&mut self, name: &CStr) -> io::Result<()> {
        let inner = openat(&self.top, name, OPEN, Mode::empty()).map(File::from)?;
        // Caches are often closed to their own owner.
        let _ = inner.set_permissions(Permissions::from_mode(0o700));
        let mut done = Ok(());
        for name in names(&inner)? {
            let gone = match unlinkat(&inner, &*name, UnlinkatFlags::NoRemoveDir) {
                Err(Errno::EISDIR | Errno::EPERM) => self.move_up(&inner, &name),
                gone => gone,
            };
            self.steps += u64::from(gone.is_ok());
            done = done.and(gone);
        }
        done?;
        unlinkat(&self.top, name, UnlinkatFlags::RemoveDir)?;
        self.steps += 1;
        Ok(())
    }

    /// Gives a directory in `inner` a name of its own in the uppermost one.
    fn move_up(&mut self, inner: &File, name: &CStr) -> nix::Result<()> {
        let mut closed = false;
        loop {
            let above = format!("removed-{}", self.next);
            match renameat(inner, name, &self.top, above.as_str()) {
                // The name is taken.
                Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => self.next += 1,
                // Whoever is not root may move only what he may write to.
                Err(Errno::EACCES) if !closed => {
                    let own = File::from(openat(inner, name, OPEN, Mode::empty())?);
                    let _ = own.set_permissions(Permissions::from_mode(0o700));
                    closed = true;
                }
                moved => {
                    self.next += 1;
                    return moved;
                }
            }
        }
    }
}

/// What is in a directory now, without itself and its parent.
fn names(dir: &File) -> io::Result<Vec<CString>> {
    let mut list = Dir::openat(dir, c".", OPEN, Mode::empty())?;
    let mut names = Vec::new();
    for entry in list.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::mkdirat;

    use super::*;
    use crate::scratch::Scratch;

    /// Deeper than the stack of a thread lets a function call itself for each level.
    const DEEP: usize = 16_000;

    fn nest(dir: &Path) {
        let mut at = File::from(open(dir, OPEN, Mode::empty()).unwrap());
        for _ in 0..DEEP {
            mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = openat(&at, "d", OPEN, Mode::empty()).unwrap().into();
        }
    }

    #[test]
    fn no_depth_is_too_deep() {
        let dir = Scratch::new();
        nest(&dir);
        empty(&dir).unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[test]
    fn everything_goes_and_nothing_that_a_link_leads_to() {
        let (dir, victim) = (Scratch::new(), Scratch::new());
        fs::write(victim.join("kept"), "").unwrap();
        fs::create_dir_all(dir.join("top/a/b/c")).unwrap();
        fs::create_dir_all(dir.join("top/e/b")).unwrap();
        // Names that what is moved up would have.
        fs::create_dir_all(dir.join("top/removed-0/full")).unwrap();
        fs::write(dir.join("top/removed-1"), "").unwrap();
        fs::write(dir.join("top/a/b/c/file"), "").unwrap();
        for place in ["top/link", "top/a/link", "top/a/b/link"] {
            symlink(&*victim, dir.join(place)).unwrap();
        }
        for closed in ["top/a/b/c", "top/a/b", "top/a"] {
            fs::set_permissions(dir.join(closed), Permissions::from_mode(0o555)).unwrap();
        }
        remove(&dir.join("top")).unwrap();
        assert!(!dir.join("top").exists() && victim.join("kept").exists());
        symlink(&*victim, dir.join("link")).unwrap();
        assert!(remove(&dir.join("link")).is_err());
        assert!(victim.join("kept").exists());
        let missing = remove(&dir.join("nowhere")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
