//! A running process as the rest of mcpwrap has it, whatever the system.

use super::{ProcessHandle, Stderr, Stdin, Stdout};

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// What the command reads; to drop it is the polite way to end a stdio server.
    pub stdin: Stdin,
    /// What the command writes.
    pub stdout: Stdout,
    /// What the command says beside it; must be read, or the command stalls.
    pub stderr: Stderr,
    /// The hold on the process.
    pub handle: ProcessHandle,
    /// The command's process id.
    pub pid: u32,
}
