//! Which file systems let no program be executed.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

/// Whether programs in this folder can be executed, as far as its file system is concerned.
#[must_use]
pub fn may_execute_in(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|system| !system.flags().contains(FsFlags::ST_NOEXEC))
}
