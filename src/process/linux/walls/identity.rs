//! Who a child is to the kernel: its ids, and no capabilities.

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

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
