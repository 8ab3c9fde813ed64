//! The demo's directory, which vanishes with it, and in it a program that everybody may execute.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Error;
use crate::process::may_execute_in;

/// A directory of the demo's own, removed with everything in it when it is dropped.
#[derive(Debug)]
pub(super) struct DemoDirectory {
    path: PathBuf,
}

// === impl DemoDirectory ===

impl DemoDirectory {
    pub(super) fn new() -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| Error::Directory { path, cause }
        };
        let parent = parent.canonicalize().map_err(failed(&parent))?;
        let number = getrandom::u64().map_err(|cause| Error::Random { cause })?;
        let path = parent.join(format!("mcpwrap-demo-{number:016x}"));
        // Children with ids of their own pass through, and nobody lists it.
        DirBuilder::new().mode(0o711).create(&path).map_err(failed(&path))?;
        let directory = Self { path };
        fs::set_permissions(&directory.path, Permissions::from_mode(0o711))
            .map_err(failed(&directory.path))?;
        Ok(directory)
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.path.join("state")
    }

    pub(super) fn audit(&self) -> PathBuf {
        self.path.join("audit.jsonl")
    }

    /// The running program at a place that every user may execute, with nothing else beside it. Its own place
    /// may be in the home of the person at the terminal.
    pub(super) fn program(&self) -> Result<PathBuf, Error> {
        let own = std::env::current_exe().map_err(|cause| Error::Program { cause })?;
        if !may_execute_in(&self.path) {
            return Ok(own);
        }
        let place = || -> io::Result<PathBuf> {
            let dir = self.path.join("bin");
            DirBuilder::new().mode(0o755).create(&dir)?;
            fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
            let program = dir.join("mcpwrap");
            let open_to_all = fs::metadata(&own)?.permissions().mode() & 0o005 == 0o005;
            if !open_to_all || fs::hard_link(&own, &program).is_err() {
                fs::copy("/proc/self/exe", &program)?;
                fs::set_permissions(&program, Permissions::from_mode(0o755))?;
            }
            Ok(program)
        };
        place().map_err(|cause| Error::Program { cause })
    }
}

impl Drop for DemoDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "cannot remove {}", self.path.display());
        }
    }
}
