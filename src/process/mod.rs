//! An OS process for one stdio server: its environment, its supervisor, its end. Knows nothing of MCP or users.
//!
//! On Linux every `CMD` has a *supervisor* above it, the same binary under another first argument:
//!
//! ```text
//! mcpwrap ──lifeline (socketpair)──▶ supervisor ──▶ stage 2 ──exec──▶ CMD ──▶ whatever CMD starts
//!    └──────────── specification, stdin, stdout, stderr (pipes) ────────▶ ┘
//! ```
//!
//! - The supervisor is a subreaper, so whatever a double fork orphans comes back to it and dies with `CMD`. The end
//!   of the lifeline tells it that mcpwrap died. It holds no credential: its environment is empty and the
//!   specification, which carries the secrets, is read by stage 2 alone.
//! - Stage 2 makes itself what `CMD` expects (session, signals, descriptors, directory), builds the [`walls`] around
//!   itself and executes it.
//! - If a supervisor itself is killed, its orphans come to mcpwrap, which is a subreaper too and kills every child
//!   that it does not know. Therefore **nothing else in mcpwrap may start processes**: a helper program is
//!   started through [`Spawner`] like any other.
//!
//! Where the walls have a pid namespace, one more stage stands between the two:
//!
//! ```text
//! supervisor ──lifeline (pipe)──▶ init, number 1 of the namespace ──▶ stage 2 ──exec──▶ CMD
//!     ◀────────── how CMD ended ───┘
//! ```
//!
//! The supervisor makes the user and the pid namespace for its children and stays outside. Init collects orphans; its
//! end, and it ends with `CMD` or with its lifeline, is the end of the namespace: the kernel kills whatever is in it.
//! Stage 2 makes the mount and ipc namespaces, so that init never depends on what a child sees.
//!
//! Without a pid namespace this does not hold against a supervisor and mcpwrap killed in the same instant (only `CMD`
//! itself dies then, by its parent-death signal), nor against a hostile child that forks faster than it is killed.

mod command;
#[cfg(unix)]
pub mod environment;
mod error;
mod exit;
#[cfg(unix)]
pub mod home;
#[cfg(unix)]
pub mod leftovers;
mod own_environment;
#[cfg(unix)]
pub mod removal;
#[cfg(unix)]
pub mod resolve;
mod running;
mod settings;
pub mod stderr;
#[cfg(unix)]
pub mod uids;
pub mod walls;

#[cfg(all(target_os = "linux", not(mcpwrap_portable)))]
mod linux;
#[cfg(not(all(target_os = "linux", not(mcpwrap_portable))))]
mod portable;

#[cfg(all(target_os = "linux", not(mcpwrap_portable)))]
use linux as system;
#[cfg(not(all(target_os = "linux", not(mcpwrap_portable))))]
use portable as system;

pub use command::{ChildCommand, Environment, Program};
pub use error::{Error, ExecFailure};
pub use exit::Exit;
pub use own_environment::own_variable;
pub use running::Process;
pub use settings::Deadlines;
pub use system::{
    ProcessHandle, Spawner, Stderr, Stdin, Stdout, Tree, conceal_variables, may_execute_in, probe,
    protect_memory, raise_open_files, stage_main,
};
