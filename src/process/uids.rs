//! Which user id belongs to which user: given once, kept for ever in the state directory, never shared.
//!
//! The numbers are never given anew, not even those of users who are long gone: a file of theirs may still be there.

mod reserved;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::private_file;

pub use reserved::Reserved;

/// The file in the state directory: a line for every user, number first.
const FILE: &str = "uids";
/// A million users; what is larger was not written by us.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// Gives every user an id of his own.
#[derive(Debug)]
pub struct Uids {
    range: RangeInclusive<u32>,
    path: PathBuf,
    file: Mutex<File>,
}

/// Why there is no id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system gives some of the range to somebody else.
    #[error("the range from {first} to {last} is not free: {by}")]
    Taken {
        /// The first of the range.
        first: u32,
        /// The last of the range.
        last: u32,
        /// Whose some of it is.
        by: Reserved,
    },
    /// Every id of the range has been given to somebody.
    #[error("all {count} user ids from {first} to {last} are given to users")]
    Exhausted {
        /// How many there are.
        count: u64,
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
    /// The user has one from another range, and his files belong to it.
    #[error("the user has the id {uid}, which is not in the range from {first} to {last}")]
    Elsewhere {
        /// What he has.
        uid: u32,
        /// The first of the range.
        first: u32,
        /// The last of the range.
        last: u32,
    },
    /// The digest has white space in it or nothing at all.
    #[error("the digest {digest:?} of a user is not one word")]
    Digest {
        /// The digest as given.
        digest: String,
    },
    /// The file holds what we did not write.
    #[error("the line {line} of {path} is no user id and digest, or is there twice")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The file is not to be had, or not ours alone.
    #[error("open the list of user ids")]
    Open {
        /// Why not.
        #[source]
        source: private_file::Error,
    },
    /// The file cannot be read or written.
    #[error("{path} cannot be read or written")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Whether these ids are there, and kept for nobody.
#[must_use]
pub fn is_free(range: &RangeInclusive<u32>) -> bool {
    reserved::fits(range, &reserved::all(), &reserved::mapped())
}

// === impl Uids ===

impl Uids {
    /// The ids of a range, as far as they are given already.
    ///
    /// # Errors
    ///
    /// If the system has a user in the range, or the file cannot be opened or was damaged.
    pub fn open(state_dir: &Path, range: RangeInclusive<u32>) -> Result<Self, Error> {
        if let Some(by) = reserved::all().into_iter().find(|one| one.overlaps(&range)) {
            return Err(Error::Taken { first: *range.start(), last: *range.end(), by });
        }
        let path = state_dir.join(FILE);
        let file = private_file::open_or_create(&path).map_err(|source| Error::Open { source })?;
        let uids = Self { range, path, file: Mutex::new(file) };
        uids.locked(|uids, file| uids.given(file).map(drop))?;
        Ok(uids)
    }

    /// A range that nobody has, where mcpwrap is root and may give ids: from the lowest that was given to a user before,
    /// so that a restart finds the same.
    #[must_use]
    pub fn default_range(state_dir: &Path) -> Option<RangeInclusive<u32>> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let text = fs::read_to_string(state_dir.join(FILE)).unwrap_or_default();
        let given = text.lines().filter_map(|line| line.split_once(' ')?.0.parse().ok()).min();
        reserved::free(given, &reserved::all(), &reserved::mapped())
    }

    /// The id of a user; the first time it is written down before it is told.
    ///
    /// # Errors
    ///
    /// If none is left, the user has one outside the range, or the file cannot be used.
    pub fn allocate(&self, digest: &str) -> Result<u32, Error> {
        if digest.is_empty() || digest.contains(char::is_whitespace) {
            return Err(Error::Digest { digest: digest.to_owned() });
        }
        let (first, last) = (*self.range.start(), *self.range.end());
        self.locked(|uids, file| {
            let given = uids.given(file)?;
            if let Some(&uid) = given.get(digest) {
                let inside = uids.range.contains(&uid);
                return if inside { Ok(uid) } else { Err(Error::Elsewhere { uid, first, last }) };
            }
            let taken: BTreeSet<u32> = given.into_values().collect();
            let free = uids.range.clone().find(|uid| !taken.contains(uid));
            let count = u64::from(last - first) + 1;
            let uid = free.ok_or(Error::Exhausted { count, first, last })?;
            let written = file.write_all(format!("{uid} {digest}\n").as_bytes());
            written.and_then(|()| file.sync_data()).map_err(|source| uids.failed(source))?;
            Ok(uid)
        })
    }

    /// Two processes may share a state directory, so the file is locked, for the few reads and writes of one look-up.
    fn locked<T>(
        &self,
        work: impl FnOnce(&Self, &mut File) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.lock().map_err(|source| self.failed(source))?;
        let done = work(self, &mut file);
        file.unlock().map_err(|source| self.failed(source))?;
        done
    }

    fn given(&self, file: &mut File) -> Result<BTreeMap<String, u32>, Error> {
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.take(MAX_FILE).read_to_string(&mut text));
        read.map_err(|source| self.failed(source))?;
        // A crash may have cut the last line, whose number was then never told to anybody.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(|source| self.failed(source))?;
        }
        let mut given = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (index, line) in text[..whole].lines().enumerate() {
            let damaged = || Error::Damaged { path: self.path.clone(), line: index + 1 };
            let (uid, digest) = line.split_once(' ').ok_or_else(damaged)?;
            let uid: u32 = uid.parse().map_err(|_| damaged())?;
            if !taken.insert(uid) || given.insert(digest.to_owned(), uid).is_some() {
                return Err(damaged());
            }
        }
        Ok(given)
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn everybody_keeps_his_own_and_nobody_gets_anothers() {
        let dir = Scratch::new();
        let uids = Uids::open(&dir, 300_000..=300_001).unwrap();
        assert_eq!(uids.allocate("alice").unwrap(), 300_000);
        assert_eq!(uids.allocate("bob").unwrap(), 300_001);
        let second = Uids::open(&dir, 300_000..=300_001).unwrap();
        assert_eq!(second.allocate("alice").unwrap(), 300_000);
        assert!(matches!(second.allocate("carol"), Err(Error::Exhausted { count: 2, .. })));
        let wider = Uids::open(&dir, 300_001..=300_002).unwrap();
        assert_eq!(wider.allocate("carol").unwrap(), 300_002);
        assert!(matches!(wider.allocate("alice"), Err(Error::Elsewhere { uid: 300_000, .. })));
    }

    #[test]
    fn a_cut_line_is_forgotten_and_a_damaged_one_is_not() {
        let dir = Scratch::new();
        drop(Uids::open(&dir, 300_000..=300_009).unwrap());
        fs::write(dir.join(FILE), "300000 alice\n30000").unwrap();
        let uids = Uids::open(&dir, 300_000..=300_009).unwrap();
        assert_eq!(uids.allocate("bob").unwrap(), 300_001);
        assert_eq!(uids.allocate("alice").unwrap(), 300_000);
        for damage in ["300000 x\n300000 y\n", "1 x\n2 x\n", "x\n"] {
            fs::write(dir.join(FILE), damage).unwrap();
            assert!(matches!(
                Uids::open(&dir, 1..=2),
                Err(Error::Damaged { .. } | Error::Taken { .. })
            ));
            assert!(matches!(uids.allocate("carol"), Err(Error::Damaged { .. })));
        }
    }
}
