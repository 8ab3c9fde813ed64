//! A directory for one unit test: its own, its owner's alone, gone afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::hex;

/// The directory; it is there, and empty.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).unwrap();
        let path = std::env::temp_dir().join(format!("mcpwrap-test-{}", hex::encode(&name)));
        crate::private_file::make_directory(&path).unwrap();
        // Where the system's own is a link, paths that are compared must not hold it.
        Self(path.canonicalize().unwrap())
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
