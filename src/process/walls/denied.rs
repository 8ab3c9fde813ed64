//! What a child complains of that is there, but not for it: found in what it says, so that the walls explain themselves.
//!
//! A child may say what it likes, so only so many of its paths are ever looked at, and each that is there is told once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Paths, Ways};

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
/// More of one child are not looked at: a hostile one would have us ask the file system for ever.
const MOST_LOOKS: usize = 64;
/// More are not told: whoever has read so many hints knows where to look.
const MOST_TOLD: usize = 256;
/// Places that are never shown as they are on the machine.
const NEVER: &[&str] = &["/proc", "/sys", "/dev"];

/// The paths that children complained of, and that were there.
#[derive(Debug, Default)]
pub struct Denied {
    told: Mutex<BTreeSet<PathBuf>>,
}

/// How often the paths of one child were looked at.
#[derive(Debug, Default)]
pub struct Looks(usize);

// === impl Denied ===

impl Denied {
    /// A path in this line of a child that exists on the machine but is not shown, once for all children.
    pub fn in_line(&self, line: &str, shown: &Paths, looks: &mut Looks) -> Option<PathBuf> {
        let lower = line.to_lowercase();
        if !COMPLAINTS.iter().any(|words| lower.contains(words)) {
            return None;
        }
        let words = line.split(|char: char| char.is_whitespace() || AROUND.contains(&char));
        let named = words.map(|word| Path::new(word.trim_end_matches('.')));
        let mut candidates = named.filter(|path| path.is_absolute() && looks.may_look());
        candidates
            .find(|path| {
                !is_known(path, shown) && path.symlink_metadata().is_ok() && self.is_new(path)
            })
            .map(Path::to_owned)
    }

    fn is_new(&self, path: &Path) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST_TOLD && told.insert(path.to_owned())
    }
}

// === impl Looks ===

impl Looks {
    fn may_look(&mut self) -> bool {
        let may = self.0 < MOST_LOOKS;
        self.0 += usize::from(may);
        may
    }
}

/// Whether it is shown, or never will be.
fn is_known(path: &Path, shown: &Paths) -> bool {
    let mut known = shown.readable.iter().chain(&shown.writable).chain(&shown.hidden);
    path.parent().is_none()
        || NEVER.iter().any(|never| path.starts_with(never))
        || known.any(|known| path.starts_with(known))
        || Ways::to_all(&shown.hidden).iter().any(|hidden| path.starts_with(hidden))
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
            let line = format!("error: {words}: '{}'.", dir.join(name).display());
            denied.in_line(&line, &shown, &mut Looks::default())
        };
        assert_eq!(said("working on it", "repository"), None);
        assert_eq!(said("No such file or directory", "nowhere"), None);
        assert_eq!(said("No such file or directory", "shown/x"), None);
        assert_eq!(said("No such file or directory", "state"), None);
        assert_eq!(said("Permission denied", "repository"), Some(dir.join("repository")));
        assert_eq!(said("Permission denied", "repository"), None);
    }

    /// One that names many paths has neither those of others nor what comes later kept from being told.
    #[test]
    fn a_child_cannot_have_everything_looked_at() {
        let (denied, shown) = (Denied::default(), Paths::default());
        let (mut hostile, mut other) = (Looks::default(), Looks::default());
        for number in 0..2 * MOST_TOLD {
            let line = format!("/nowhere/{number}: not found");
            assert_eq!(denied.in_line(&line, &shown, &mut hostile), None);
        }
        assert_eq!(denied.in_line("/etc: not found", &shown, &mut hostile), None);
        let told = denied.in_line("/etc: not found", &shown, &mut other);
        assert_eq!(told, Some("/etc".into()));
    }
}
