//! A directory that must be seen, without what is hidden in it: made anew, with everything else put into it by itself.
//!
//! Nothing is laid over what is hidden: a mount over a file goes with the file when its owner replaces it, and what is
//! not there yet cannot be covered. What comes into the real directory later is not seen here at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::process::linux::step::Step;

/// What of the hidden lies in this directory.
pub(super) fn within(directory: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    hidden.iter().filter(|path| path.starts_with(directory)).cloned().collect()
}

/// Shows a directory, by its real path in what is mounted at `root`, without what is hidden in it; `place` shows a whole.
pub(super) fn show(
    root: &Path,
    source: &Path,
    at: &Path,
    hidden: &[PathBuf],
    place: &impl Fn(&Path, &Path) -> Result<(), Step>,
) -> Result<(), Step> {
    let failed = || format!("show {} without what is hidden in it", source.display());
    let old = root.join(source.strip_prefix("/").unwrap_or(source));
    let found = fs::symlink_metadata(&old).map_err(Step::io(failed()))?;
    fs::create_dir_all(at).map_err(Step::io(failed()))?;
    let entries = fs::read_dir(&old).map_err(Step::io(failed()))?;
    for entry in entries {
        let name = entry.map_err(Step::io(failed()))?.file_name();
        let (path, old, at) = (source.join(&name), old.join(&name), at.join(&name));
        // Gone meanwhile, which is nobody's fault.
        let Ok(kind) = old.symlink_metadata().map(|found| found.file_type()) else { continue };
        let inside = within(&path, hidden);
        if inside.contains(&path) {
            continue;
        }
        if kind.is_symlink() {
            let target = fs::read_link(&old).map_err(Step::io(failed()))?;
            symlink(target, &at).map_err(Step::io(failed()))?;
        } else if !inside.is_empty() {
            show(root, &path, &at, &inside, place)?;
        } else if kind.is_dir() || kind.is_file() {
            place(&path, &at)?;
        }
    }
    // Whoever could not look into the real one cannot look into this one either. Without root the child is its owner
    // already, or has read it as what it is.
    if geteuid().is_root() {
        chown(at, Some(found.uid()), Some(found.gid())).map_err(Step::io(failed()))?;
    }
    let mode = Permissions::from_mode(found.mode() & 0o755);
    fs::set_permissions(at, mode).map_err(Step::io(failed()))
}
