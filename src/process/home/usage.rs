//! How much of the disk a home uses, and what of it can be given back without a loss.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, fstatat};
use nix::sys::statvfs::statvfs;

use super::Home;
use crate::process::removal;

/// What the smallest file counts: names use up a file system too.
const LEAST: u64 = 4096;
/// What every home consists of: seven directories, the one that holds them, and one for credentials.
const DIRECTORIES: u64 = 9;
/// The system's unit of what a file occupies.
const BLOCK: u64 = 512;
/// What lies deeper cannot be measured; each level holds a descriptor meanwhile.
const DEPTH: usize = 128;

/// What has been counted of a home.
struct Count {
    left: u64,
    /// Files with several names, which count once.
    seen: HashSet<u64>,
}

/// More than there may be, or more than can be measured.
struct Exceeded;

/// How many bytes of a path's file system we may still use; nothing, where it cannot be asked.
#[must_use]
pub fn free_space(path: &Path) -> Option<u64> {
    let found = statvfs(path).ok()?;
    Some(found.blocks_available().saturating_mul(found.fragment_size()))
}

// === impl Home ===

impl Home {
    /// Whether everything that its user may write to holds more than `most` bytes. What cannot be measured, because its
    /// user closed it to us or nested it without end, does. Blocks.
    #[must_use]
    pub fn exceeds(&self, most: u64) -> bool {
        let mut count = Count { left: most, seen: HashSet::new() };
        count.home(self).is_err()
    }

    /// Whether homes together hold more than `most` bytes, with the directories that they consist of. Blocks.
    #[must_use]
    pub fn exceed(homes: &[Self], most: u64) -> bool {
        let mut count = Count { left: most, seen: HashSet::new() };
        let homes = &mut homes.iter();
        homes.any(|home| count.take(DIRECTORIES * LEAST).and_then(|()| count.home(home)).is_err())
    }

    /// Removes what nobody may rely on: temporary files, caches, sockets, not the directories that hold them. To be called
    /// when no child uses it. Blocks.
    ///
    /// # Errors
    ///
    /// If something cannot be removed; the rest is.
    pub fn clear_scratch(&self) -> io::Result<()> {
        let empty = |path: &Path| match removal::empty(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        let emptied = [&self.tmp, &self.cache, &self.runtime].map(|path| empty(path));
        emptied.into_iter().collect()
    }
}

// === impl Count ===

impl Count {
    fn home(&mut self, home: &Home) -> Result<(), Exceeded> {
        home.writable().into_iter().try_for_each(|path| {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            match Dir::open(path, flags, Mode::empty()) {
                Ok(dir) => self.directory(dir, DEPTH),
                Err(Errno::ENOENT) => Ok(()),
                Err(_) => Err(Exceeded),
            }
        })
    }

    fn take(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.left = self.left.checked_sub(bytes).ok_or(Exceeded)?;
        Ok(())
    }

    fn directory(&mut self, mut dir: Dir, depth: usize) -> Result<(), Exceeded> {
        let names: Vec<_> = dir
            .iter()
            .flatten()
            .map(|entry| (entry.file_name().to_owned(), entry.file_type()))
            .filter(|(name, _)| !matches!(name.to_bytes(), b"." | b".."))
            .take(usize::try_from(self.left / LEAST).unwrap_or(usize::MAX).saturating_add(1))
            .collect();
        for (name, kind) in names {
            let found = match fstatat(&dir, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                // It has gone since.
                Err(Errno::ENOENT) => continue,
                Err(_) => return Err(Exceeded),
            };
            if found.st_nlink > 1
                && kind != Some(Type::Directory)
                && !self.seen.insert(found.st_ino)
            {
                continue;
            }
            let bytes = u64::try_from(found.st_blocks).unwrap_or_default().saturating_mul(BLOCK);
            self.take(bytes.max(LEAST))?;
            if kind.is_none_or(|kind| kind == Type::Directory) {
                let flags =
                    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                match Dir::openat(&dir, name.as_c_str(), flags, Mode::empty()) {
                    Ok(inner) => self.directory(inner, depth.checked_sub(1).ok_or(Exceeded)?)?,
                    Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
                    Err(_) => return Err(Exceeded),
                }
            }
        }
        Ok(())
    }
}
