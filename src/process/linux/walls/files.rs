//! Landlock: which files a child may touch, and whom it may signal and connect to.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use nix::errno::Errno;

use crate::process::linux::step::Step;
use crate::process::walls::Paths;

/// The newest version whose rights we know; the kernel's own is used where it is older.
const NEWEST: ABI = ABI::V10;
/// What every program reads and writes.
const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Whose `/tmp` and `/dev/shm` the child sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Temporary {
    Own,
    Shared,
}

/// Denies everything but what the paths allow.
pub(super) fn restrict(paths: &Paths, temporary: Temporary) -> Result<(), Step> {
    let mut readable = paths.readable.clone();
    readable.extend(["/proc", "/dev/fd"].map(PathBuf::from));
    let mut writable = paths.writable.clone();
    if temporary == Temporary::Own {
        writable.extend(["/tmp", "/dev/shm"].map(PathBuf::from));
    }
    let enforced = enforce(&readable, &writable)
        .map_err(|_| Step::new("restrict its files", Errno::EOPNOTSUPP))?;
    if enforced == RulesetStatus::NotEnforced {
        return Err(Step::new("restrict its files with Landlock", Errno::EOPNOTSUPP));
    }
    Ok(())
}

fn enforce(
    readable: &[PathBuf],
    writable: &[PathBuf],
) -> Result<RulesetStatus, landlock::RulesetError> {
    let devices = DEVICES.iter().map(Path::new);
    let device_access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(NEWEST)))?
        .add_rules(path_beneath_rules(devices, device_access))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// The kernel's version of Landlock, 0 where there is none. Asked on a thread that ends at once, because the only way
/// to ask is to be restricted.
pub(in crate::process::linux) fn abi() -> i32 {
    let asked = std::thread::spawn(|| {
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V1))
            .and_then(Ruleset::create)
            .and_then(landlock::RulesetCreated::restrict_self);
        match status.map(|status| status.landlock) {
            Ok(LandlockStatus::Available { effective_abi, kernel_abi }) => {
                kernel_abi.unwrap_or(effective_abi as i32)
            }
            _ => 0,
        }
    });
    asked.join().unwrap_or_default()
}
