//! The namespaces that have to be there before the first process of a child: made by its supervisor, for its children.
//!
//! The supervisor itself stays in the pid namespace of mcpwrap, or it could neither see nor end what it supervises.

use std::fs;
use std::io;

use caps::CapSet;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::step::Step;
use crate::process::walls::{Identity, Walls};

/// In which pid namespace a child lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PidNamespace {
    /// That of mcpwrap.
    Shared,
    /// One of its own.
    New,
    /// One of its own, in a user namespace of its own.
    NewInUserNamespace,
}

// === impl PidNamespace ===

impl PidNamespace {
    /// The one that belongs to these walls.
    pub(super) fn of(walls: &Walls) -> Self {
        match walls {
            Walls::Strict { identity: Identity::Uid { .. }, .. } => Self::New,
            Walls::Strict { identity: Identity::Namespaces, .. } => Self::NewInUserNamespace,
            Walls::Strict { identity: Identity::UidAlone { .. }, .. }
            | Walls::Basic { .. }
            | Walls::None => Self::Shared,
        }
    }

    /// Makes the namespaces. The process must be dumpable, because its files in `/proc` are root's otherwise.
    pub(super) fn make(self) -> Result<(), Step> {
        match self {
            Self::Shared => Ok(()),
            Self::New => {
                unshare(CloneFlags::CLONE_NEWPID).map_err(Step::of("make a pid namespace"))
            }
            Self::NewInUserNamespace => {
                let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
                if uid == 0 {
                    // Root in a namespace still owns every file of root.
                    return Err(Step::new("leave root without a user id to become", Errno::EPERM));
                }
                unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
                    .map_err(Step::of("make user and pid namespaces"))?;
                let map = Step::io("map its user id into the namespace");
                write_maps(uid, gid).map_err(map)?;
                keep_capabilities()
            }
        }
    }

    /// As an argument of a stage.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Shared => 0,
            Self::New => 1,
            Self::NewInUserNamespace => 2,
        }
    }

    pub(super) fn from_number(number: i32) -> Option<Self> {
        [Self::Shared, Self::New, Self::NewInUserNamespace]
            .into_iter()
            .find(|one| one.number() == number)
    }
}

/// One user and one group, both under their own numbers: files look as they always did.
fn write_maps(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Lets the capabilities of the namespace survive the execution of the next stages, which mount and then drop them.
fn keep_capabilities() -> Result<(), Step> {
    let failed = |_| Step::new("keep its capabilities", Errno::EPERM);
    let all = caps::read(None, CapSet::Permitted).map_err(failed)?;
    caps::set(None, CapSet::Inheritable, &all).map_err(failed)?;
    all.into_iter().try_for_each(|cap| caps::raise(None, CapSet::Ambient, cap).map_err(failed))
}
