//! Credential files and the children that read them: a file goes when the last child that was given it has ended.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Which credential files are in use; a clone knows the same.
#[derive(Clone, Debug, Default)]
pub(super) struct FilesInUse(Arc<Mutex<HashMap<PathBuf, usize>>>);

/// One child's use of one file.
#[derive(Debug)]
pub(super) struct FileInUse {
    all: FilesInUse,
    path: PathBuf,
}

// === impl FilesInUse ===

impl FilesInUse {
    /// Notes one more child that is given a file; `write` makes the file, and nothing is removed meanwhile.
    pub(super) fn take<E>(
        &self,
        path: &Path,
        write: impl FnOnce() -> Result<(), E>,
    ) -> Result<FileInUse, E> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write()?;
        *uses.entry(path.to_owned()).or_default() += 1;
        Ok(FileInUse { all: self.clone(), path: path.to_owned() })
    }
}

impl Drop for FileInUse {
    fn drop(&mut self) {
        let mut uses = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = uses.get_mut(&self.path) else { return };
        *left -= 1;
        if *left == 0 {
            uses.remove(&self.path);
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::warn!(%error, "cannot remove a credential file");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_lives_as_long_as_any_child_that_reads_it() {
        let dir = Scratch::new();
        let path = dir.join("TOKEN");
        let files = FilesInUse::default();
        let take = || files.take(&path, || fs::write(&path, "secret")).unwrap();
        let (first, successor) = (take(), take());
        drop(first);
        assert!(path.exists());
        drop(successor);
        assert!(!path.exists());
        drop(take());
        assert!(!path.exists());
    }
}
