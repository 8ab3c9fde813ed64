//! The walls, built by the process that will live behind them. Each one is a step; the first that fails ends the start.
//!
//! The order matters. Mounts need capabilities, so they come first. Identity needs them too, and takes them away.
//! Without capabilities nobody gets out of Landlock, and seccomp comes last because it forbids what the others use.

mod calls;
mod files;
mod holes;
mod identity;
mod mounts;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::process::linux::pid_namespace::PidNamespace;
use crate::process::linux::step::Step;
use crate::process::walls::Walls;

pub(super) use files::abi;
pub(super) use identity::{drop_capabilities, end_all_of};

/// Walls the calling process in; it must have one thread only.
pub(super) fn raise(walls: &Walls, supervisor: i32) -> Result<(), Step> {
    let Some(paths) = walls.paths() else {
        return Ok(());
    };
    let confined = PidNamespace::of(walls) != PidNamespace::Shared;
    if confined {
        mounts::build(paths)?;
    }
    identity::take(walls.ids())?;
    // The kernel forgets the signal whenever an identity changes.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(Step::of("bind its life to its supervisor"))?;
    if getppid().as_raw() != supervisor {
        return Err(Step::new("find its supervisor", Errno::ESRCH));
    }
    drop_capabilities()?;
    prctl::set_no_new_privs().map_err(Step::of("give up new privileges"))?;
    forbid_dumps().map_err(Step::of("forbid core dumps"))?;
    files::restrict(
        paths,
        if confined { files::Temporary::Own } else { files::Temporary::Shared },
    )?;
    calls::restrict(if confined { calls::Others::Hidden } else { calls::Others::Visible })
}

/// Less than any dump needs. With 0 the kernel would still feed a program that receives dumps by a pipe; but who is
/// born with 0 cannot get more.
fn forbid_dumps() -> nix::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
    let limit = most.min(1);
    setrlimit(Resource::RLIMIT_CORE, limit, limit)
}
