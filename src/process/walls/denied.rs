//! What a child complains of that is there, but not for it: found in what it says, so that the walls explain themselves.
//!
//! A child may say what it likes, so only so many paths are ever looked at, and each is told once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Paths;

/// How programs and libraries say that a file is not there, or not for them.
const COMPLAINTS: &[&str] = &[
    "no such file",
    "enoent",
    "filenotfound",
    "does not exist",
    "not found",
    "cannot access",
    "permission denied",
    "permissionerror",
    "eacces",
    "read-only file system",
    "erofs",
    "not a git repository",
];
/// What may stand around a path.
const AROUND: &[char] =
    &['\'', '"', '`', '(', ')', '[', ']', '<', '>', '{', '}', ',', ';', ':', '='];
/// More are not looked at: a hostile child would have us ask the file system for ever.
const MOST: usize = 64;
/// Places that are never shown as they are on the machine.
const NEVER: &[&str] = &["/proc", "/sys", "/dev"];

/// The paths that children complained of.
#[derive(Debug, Default)]
pub struct Denied {
    told: Mutex<BTreeSet<PathBuf>>,
}

// === impl Denied ===

impl Denied {
    /// A path in this line that exists on the machine but is not shown, once.
    pub fn in_line(&self, line: &str, shown: &Paths) -> Option<PathBuf> {
        let lower = line.to_lowercase();
        if !COMPLAINTS.iter().any(|words| lower.contains(words)) {
            return None;
        }
        let words = line.split(|char: char| char.is_whitespace() || AROUND.contains(&char));
        let named = words.map(|word| Path::new(word.trim_end_matches('.')));
        let mut candidates = named.filter(|path| path.is_absolute() && !is_known(path, shown));
        candidates
            .find(|path| self.is_new(path) && path.symlink_metadata().is_ok())
            .map(Path::to_owned)
    }

    fn is_new(&self, path: &Path) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert(path.to_owned())
    }
}

/// Whether it is shown, or never will be.
fn is_known(path: &Path, shown: &Paths) -> bool {
    let mut known = shown.readable.iter().chain(&shown.writable).chain(&shown.hidden);
    path.parent().is_none()
        || NEVER.iter().any(|never| path.starts_with(never))
        || known.any(|known| path.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_path_that_exists_but_is_not_shown_is_told_once() {
        let dir = Scratch::new();
        for name in ["repository", "shown", "state"] {
            std::fs::create_dir(dir.join(name)).unwrap();
        }
        let shown = Paths {
            readable: vec![dir.join("shown")],
            hidden: vec![dir.join("state")],
            ..Paths::default()
        };
        let denied = Denied::default();
        let said = |words: &str, name: &str| {
            denied.in_line(&format!("error: {words}: '{}'.", dir.join(name).display()), &shown)
        };
        assert_eq!(said("working on it", "repository"), None);
        assert_eq!(said("No such file or directory", "nowhere"), None);
        assert_eq!(said("No such file or directory", "shown/x"), None);
        assert_eq!(said("No such file or directory", "state"), None);
        assert_eq!(said("Permission denied", "repository"), Some(dir.join("repository")));
        assert_eq!(said("Permission denied", "repository"), None);
    }

    #[test]
    fn a_child_cannot_have_everything_looked_at() {
        let denied = Denied::default();
        for number in 0..MOST {
            let line = format!("/nowhere/{number}: not found");
            assert_eq!(denied.in_line(&line, &Paths::default()), None);
        }
        assert_eq!(denied.in_line("/etc: not found", &Paths::default()), None);
    }
}
