//! Which user id belongs to which user: given once, kept for ever in the state directory, never shared.
//!
//! The numbers are never given anew, not even those of users who are long gone: a file of theirs may still be there.

mod reserved;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
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
    list: Mutex<List>,
}

/// The file as far as it has been read: nothing in it ever changes, and others only add to it.
#[derive(Debug)]
struct List {
    file: File,
    /// How many bytes, all of them whole lines.
    read: u64,
    lines: usize,
    given: HashMap<Box<str>, u32>,
    taken: HashSet<u32>,
    /// No id of the range before this is free.
    next: u32,
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
    reserved::fits(range, &reserved::all(), &reserved::mapped()) && reserved::named(range).is_none()
}

// === impl Uids ===

impl Uids {
    /// The ids of a range, as far as they are given already.
    ///
    /// # Errors
    ///
    /// If the system has a user in the range, or the file cannot be opened or was damaged.
    pub fn open(state_dir: &Path, range: RangeInclusive<u32>) -> Result<Self, Error> {
        let local = reserved::all().into_iter().find(|one| one.overlaps(&range));
        if let Some(by) = local.or_else(|| reserved::named(&range)) {
            return Err(Error::Taken { first: *range.start(), last: *range.end(), by });
        }
        let path = state_dir.join(FILE);
        let file = private_file::open_or_create(&path).map_err(|source| Error::Open { source })?;
        let list = Mutex::new(List::new(file, *range.start()));
        let uids = Self { range, path, list };
        let mut list = uids.list.lock().unwrap_or_else(PoisonError::into_inner);
        uids.locked(&mut list, |list| list.catch_up(&uids.path))?;
        drop(list);
        Ok(uids)
    }

    /// A range that nobody has, as far as can be asked, where mcpwrap is root and may give ids: from the lowest that was
    /// given to a user before to at least the highest, so that a restart finds the same.
    #[must_use]
    pub fn default_range(state_dir: &Path) -> Option<RangeInclusive<u32>> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let text = fs::read_to_string(state_dir.join(FILE)).unwrap_or_default();
        let given: Vec<u32> =
            text.lines().filter_map(|line| line.split_once(' ')?.0.parse().ok()).collect();
        let given = given.iter().min().copied().zip(given.iter().max().copied());
        reserved::free(given, &reserved::all(), &reserved::mapped(), reserved::named)
    }

    /// The id of a user; the first time it is written down before it is told. What it costs does not depend on how many
    /// users there are.
    ///
    /// # Errors
    ///
    /// If none is left, the user has one outside the range, or the file cannot be used.
    pub fn allocate(&self, digest: &str) -> Result<u32, Error> {
        if digest.is_empty() || digest.contains(char::is_whitespace) {
            return Err(Error::Digest { digest: digest.to_owned() });
        }
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        // An id once given is never taken back, so there is nothing to look up.
        let known = list.given.get(digest).copied();
        let uid = match known {
            Some(uid) => uid,
            None => self.locked(&mut list, |list| {
                list.catch_up(&self.path)?;
                match list.given.get(digest) {
                    Some(uid) => Ok(*uid),
                    None => self.give(list, digest),
                }
            })?,
        };
        let (first, last) = (*self.range.start(), *self.range.end());
        let inside = self.range.contains(&uid);
        if inside { Ok(uid) } else { Err(Error::Elsewhere { uid, first, last }) }
    }

    fn give(&self, list: &mut List, digest: &str) -> Result<u32, Error> {
        let (first, last) = (*self.range.start(), *self.range.end());
        let free = (list.next..=last).find(|uid| !list.taken.contains(uid));
        let count = u64::from(last - first) + 1;
        let uid = free.ok_or(Error::Exhausted { count, first, last })?;
        let line = format!("{uid} {digest}\n");
        let written = list.file.write_all(line.as_bytes());
        written.and_then(|()| list.file.sync_data()).map_err(|source| self.failed(source))?;
        list.read += line.len() as u64;
        list.lines += 1;
        list.taken.insert(uid);
        list.given.insert(digest.into(), uid);
        list.next = uid.saturating_add(1);
        Ok(uid)
    }

    /// Two processes may share a state directory, so the file is locked while it is read on and written.
    fn locked<T>(
        &self,
        list: &mut List,
        work: impl FnOnce(&mut List) -> Result<T, Error>,
    ) -> Result<T, Error> {
        list.file.lock().map_err(|source| self.failed(source))?;
        let done = work(list);
        list.file.unlock().map_err(|source| self.failed(source))?;
        done
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }
}

// === impl List ===

impl List {
    fn new(file: File, first: u32) -> Self {
        let (given, taken) = (HashMap::new(), HashSet::new());
        Self { file, read: 0, lines: 0, given, taken, next: first }
    }

    /// Reads what has been added since.
    fn catch_up(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let length = self.file.metadata().map_err(failed)?.len();
        if length < self.read {
            // Somebody else wrote it anew: whatever he wrote has to make sense from the start.
            (self.read, self.lines) = (0, 0);
            self.given.clear();
            self.taken.clear();
        }
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(self.read)).map_err(failed)?;
        (&self.file).take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
        // A crash may have cut the last line, whose number was then never told to anybody.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            self.file.set_len(self.read + whole as u64).map_err(failed)?;
        }
        for line in text[..whole].lines() {
            let damaged = || Error::Damaged { path: path.to_owned(), line: self.lines + 1 };
            let (uid, digest) = line.split_once(' ').ok_or_else(damaged)?;
            let uid: u32 = uid.parse().map_err(|_| damaged())?;
            if self.taken.contains(&uid) || self.given.contains_key(digest) {
                return Err(damaged());
            }
            self.taken.insert(uid);
            self.given.insert(digest.into(), uid);
            self.lines += 1;
            self.read += line.len() as u64 + 1;
        }
        self.file.seek(SeekFrom::Start(self.read)).map_err(failed)?;
        Ok(())
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

    /// Nothing that has been read is read again, however many users there are.
    #[test]
    fn a_look_up_reads_only_what_others_have_added() {
        let dir = Scratch::new();
        let (ours, theirs) = {
            let open = || Uids::open(&dir, 300_000..=300_009).unwrap();
            (open(), open())
        };
        assert_eq!(ours.allocate("alice").unwrap(), 300_000);
        assert_eq!(theirs.allocate("bob").unwrap(), 300_001);
        assert_eq!(ours.allocate("carol").unwrap(), 300_002);
        assert_eq!(ours.allocate("bob").unwrap(), 300_001);
        // Of the same length, so that whoever looked at it again would stumble.
        let text = fs::read_to_string(dir.join(FILE)).unwrap();
        fs::write(dir.join(FILE), "?".repeat(text.len())).unwrap();
        assert_eq!(ours.allocate("alice").unwrap(), 300_000);
        assert_eq!(ours.allocate("dave").unwrap(), 300_003);
        assert!(matches!(theirs.allocate("erin"), Err(Error::Damaged { .. })));
    }
}
