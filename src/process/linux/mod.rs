//! Processes on Linux: the stages of a child, and the handles that the rest of mcpwrap holds.

mod descriptors;
mod handle;
mod init;
mod launch;
mod live;
mod look;
mod nameless;
mod noexec;
mod open_files;
mod pid_namespace;
mod probe;
mod protect;
mod report;
mod signals;
mod spawner;
mod spawner_thread;
mod spec;
mod stage2;
mod step;
mod supervisor;
mod tree;
mod wakeup;
mod walls;

use std::ffi::OsString;
use std::process::ExitCode;

use pid_namespace::PidNamespace;

pub use handle::ProcessHandle;
pub use nameless::Tree;
pub use noexec::may_execute_in;
pub use open_files::raise_open_files;
pub use probe::probe;
pub use protect::{conceal_variables, protect_memory};
pub use spawner::Spawner;
pub use tokio::net::unix::pipe::{Receiver as Stdout, Receiver as Stderr, Sender as Stdin};

/// The first argument that makes the binary a supervisor.
const SUPERVISOR: &str = "__supervisor";
/// The first argument that makes the binary the second stage.
const STAGE_2: &str = "__stage2";
/// The first argument that makes the binary the first process of a pid namespace.
const INIT: &str = "__init";
/// What a stage that was not started by mcpwrap ends with.
const MISUSED: u8 = 2;

/// Runs a stage of a child if the arguments ask for one; to be called before anything else in `main`.
#[must_use]
pub fn stage_main(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    let stage = args.next()?;
    if stage != SUPERVISOR && stage != STAGE_2 && stage != INIT {
        return None;
    }
    let numbers: Vec<i32> = args.filter_map(|arg| arg.to_str()?.parse().ok()).collect();
    Some(match (stage.to_str(), &numbers[..]) {
        (Some(SUPERVISOR), [parent, stdin, spec, number]) => {
            match PidNamespace::from_number(*number) {
                Some(pid_namespace) => supervisor::run(*parent, *stdin, *spec, pid_namespace),
                None => ExitCode::from(MISUSED),
            }
        }
        (Some(INIT), [lifeline, outcome, spec, status]) => {
            init::run(*lifeline, *outcome, *spec, *status)
        }
        (Some(STAGE_2), [supervisor, spec, status]) => stage2::run(*supervisor, *spec, *status),
        _ => ExitCode::from(MISUSED),
    })
}
