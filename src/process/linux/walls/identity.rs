//! Who a child is to the kernel: its ids, and no capabilities.

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid};

use crate::process::linux::step::Step;

/// Becomes somebody else, if that is asked for.
pub(super) fn take(ids: Option<(u32, u32)>) -> Result<(), Step> {
    clear_bounding()?;
    let Some((uid, gid)) = ids else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&[]).map_err(Step::of("leave its groups"))?;
    setresgid(gid, gid, gid).map_err(Step::of("take its group id"))?;
    setresuid(uid, uid, uid).map_err(Step::of("take its user id"))
}

/// Kills every process of a user id but the calling one, which becomes its: the kernel sees to it that nobody forks in
/// between (kill(2), to process -1).
pub(in crate::process::linux) fn end_all_of(uid: u32) -> Result<(), Step> {
    take(Some((uid, uid)))?;
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        // There is none.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Step::new("end the processes of a user id", errno)),
    }
}

/// Gives up every capability there is.
pub(in crate::process::linux) fn drop_capabilities() -> Result<(), Step> {
    // A kernel without ambient capabilities has none to drop; every newer one can drop them.
    let _ = caps::clear(None, CapSet::Ambient);
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|_| Step::new("drop its capabilities", Errno::EPERM))?;
    }
    Ok(())
}

/// Makes sure that no program file can give back what is dropped. Who may not do this cannot gain anything by a
/// program file either, once new privileges are given up.
fn clear_bounding() -> Result<(), Step> {
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).unwrap_or(false) {
        caps::clear(None, CapSet::Bounding)
            .map_err(|_| Step::new("clear its bounding set", Errno::EPERM))?;
    }
    Ok(())
}
