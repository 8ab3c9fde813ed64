//! Credential files that a mcpwrap left behind when it was killed: gone before the first child starts, unless another
//! mcpwrap uses the same state directory.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::home::{CREDENTIALS, HOMES, NOBODY};
use super::removal;
use crate::private_file;

/// Held, shared, by every mcpwrap that uses the directory.
const LOCK: &str = "in-use";

/// The state directory is in use as long as this lives.
#[derive(Debug)]
pub struct InUse {
    _lock: File,
}

/// Removes what was left behind, where nobody else can need it.
///
/// # Errors
///
/// If the state directory cannot be used.
pub fn sweep(state_dir: &Path) -> io::Result<InUse> {
    private_file::make_directory(state_dir).map_err(io::Error::other)?;
    let lock = private_file::open_or_create(&state_dir.join(LOCK)).map_err(io::Error::other)?;
    match lock.try_lock() {
        Ok(()) => {
            remove_passing(state_dir);
            let removed = remove(state_dir);
            if removed > 0 {
                tracing::warn!(
                    removed,
                    "removed credential files that a killed mcpwrap left behind"
                );
            }
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    lock.lock_shared()?;
    Ok(InUse { _lock: lock })
}

/// Homes that were to be removed with their child. No link is followed on the way down.
fn remove_passing(state_dir: &Path) {
    let homes = inside(&state_dir.join(HOMES)).into_iter().flat_map(|tenant| inside(&tenant));
    let name = |home: &PathBuf| home.file_name().map(|name| name.to_string_lossy().into_owned());
    for home in homes.filter(|home| name(home).is_some_and(|name| name.starts_with(NOBODY))) {
        if let Err(error) = removal::remove(&home) {
            tracing::error!(%error, "cannot remove a home that was left behind");
        }
    }
}

/// Everything on the way is mcpwrap's own and no child may write there; a link is no directory here.
fn remove(state_dir: &Path) -> usize {
    let users = inside(&state_dir.join(HOMES)).into_iter().flat_map(|tenant| inside(&tenant));
    let authorities = users.flat_map(|user| inside(&user.join(CREDENTIALS)));
    let files = authorities.flat_map(|authority| {
        let entries = fs::read_dir(authority).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
    });
    let mut removed = 0;
    for file in files {
        match fs::remove_file(file.path()) {
            Ok(()) => removed += 1,
            Err(error) => {
                tracing::error!(%error, "cannot remove a credential file that was left behind");
            }
        }
    }
    removed
}

fn inside(dir: &Path) -> Vec<PathBuf> {
    // What is reached through a link is not ours.
    if !fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir()) {
        return Vec::new();
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn credentials_of_the_past_are_removed_and_nothing_else() {
        let dir = Scratch::new();
        let user = dir.join("homes/_/0123abcd");
        fs::create_dir_all(user.join("credentials/abc")).unwrap();
        fs::create_dir_all(user.join("home")).unwrap();
        let (secret, draft) =
            (user.join("credentials/abc/TOKEN"), user.join("credentials/abc/.TOKEN.12"));
        let own = user.join("home/TOKEN");
        let passing = dir.join("homes/_").join(format!("{NOBODY}12"));
        fs::create_dir_all(passing.join("home")).unwrap();
        std::os::unix::fs::symlink(&user, passing.join("home/link")).unwrap();
        for file in [&secret, &draft, &own] {
            fs::write(file, "secret").unwrap();
        }
        std::os::unix::fs::symlink(user.join("home"), user.join("credentials/link")).unwrap();
        let first = sweep(&dir).unwrap();
        assert!(!secret.exists() && !draft.exists() && own.exists());
        assert!(!passing.exists());
        // Another one that starts beside it removes nothing.
        fs::write(&secret, "living").unwrap();
        let second = sweep(&dir).unwrap();
        assert!(secret.exists());
        drop((first, second));
        drop(sweep(&dir).unwrap());
        assert!(!secret.exists());
    }
}
