//! The disk of the audit log, which can be full: a file system in memory whose size is changed, in a mount namespace
//! of this process, so that it goes with it.

use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::statvfs;

use crate::support::Scratch;

const ROOMY: &str = "size=4g";

/// A directory that may be on a disk of its own.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: Scratch,
    /// Why it is not.
    pub(crate) shared: Option<String>,
}

// === impl Disk ===

impl Disk {
    pub(crate) fn of_its_own() -> Self {
        let dir = Scratch::new();
        let shared = Self::mount(&dir).err().map(|error| error.to_string());
        Self { dir, shared }
    }

    fn mount(dir: &Path) -> nix::Result<()> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount(Some("soak"), dir, Some("tmpfs"), MsFlags::empty(), Some(ROOMY))
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// Leaves no more room than a page or two.
    pub(crate) fn fill(&self) {
        // Somebody may write while this looks, and less than what is there cannot be asked for.
        for spare in 1..1000 {
            let all = statvfs(&*self.dir).unwrap();
            let used = all.blocks() - all.blocks_free() + spare;
            if self.resize(&format!("size={}", used * all.fragment_size())).is_ok() {
                return;
            }
        }
        panic!("the disk cannot be made small");
    }

    pub(crate) fn free(&self) {
        self.resize(ROOMY).unwrap();
    }

    fn resize(&self, size: &str) -> nix::Result<()> {
        let none = None::<&str>;
        mount(none, &*self.dir, none, MsFlags::MS_REMOUNT, Some(size))
    }
}
