//! Starts the operating-system process of one principal's child.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Principal;
use crate::mcp::Lines;
use crate::process::{
    self, ChildCommand, Environment, Exit, ProcessHandle, Spawner, Stdin, stderr,
};

/// How children are started: everything but whose they are.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// Starts the processes.
    pub spawner: Spawner,
    /// The program and its arguments, the same for everybody.
    pub program: OsString,
    /// See `program`.
    pub args: Vec<OsString>,
    /// What every child's environment begins with.
    pub env: Environment,
    /// The working directory; mcpwrap's own where absent.
    pub cwd: Option<PathBuf>,
    /// How the logs call the children.
    pub name: String,
    /// The longest line a child may write, in bytes.
    pub max_line: usize,
}

/// A process and its streams.
#[derive(Debug)]
pub struct Launched {
    pub(super) stdin: Stdin,
    pub(super) lines: super::start::ChildLines,
    handle: ProcessHandle,
    tail: stderr::Tail,
    name: String,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The operating system, or the command.
    #[error("start the process")]
    Process {
        /// What exactly.
        #[source]
        cause: process::Error,
    },
}

// === impl Launcher ===

impl Launcher {
    /// What the child may do beyond being its user (DESIGN.md section 5).
    #[must_use]
    pub fn authority(&self, _principal: &Principal) -> Arc<str> {
        "local".into()
    }

    /// Starts a process for `principal`.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub async fn launch(&self, _principal: &Principal) -> Result<Launched, LaunchError> {
        let command = ChildCommand {
            program: self.program.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            name: self.name.clone(),
            walls: process::walls::Walls::None,
        };
        let process =
            self.spawner.spawn(command).await.map_err(|cause| LaunchError::Process { cause })?;
        let tail = stderr::Tail::default();
        let (sink, kept) = (stderr::log(self.name.clone()), tail.clone());
        tokio::spawn(async move {
            let limits = stderr::Limits::default();
            let drained = stderr::drain(process.stderr, limits, kept, str::to_owned, sink).await;
            if let Err(error) = drained {
                tracing::debug!(%error, "the server's stderr broke");
            }
        });
        Ok(Launched {
            stdin: process.stdin,
            lines: Lines::new(process.stdout, self.max_line),
            handle: process.handle,
            tail,
            name: self.name.clone(),
        })
    }
}

// === impl Launched ===

impl Launched {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn last_words(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// How the process ended, if it does so in time.
    pub(super) async fn exit_within(&self, patience: Duration) -> Option<Exit> {
        tokio::time::timeout(patience, self.handle.exited()).await.ok()
    }

    /// Closes its stdin and sees to it that nothing of it is left.
    pub(super) async fn end(self) -> Option<Exit> {
        let Self { stdin, lines, handle, .. } = self;
        drop(stdin);
        // A child that still writes must not block on a full pipe while it ends.
        let reading = tokio::spawn(drain(lines));
        let exit = handle.stop().await;
        reading.abort();
        Some(exit)
    }
}

async fn drain(mut lines: super::start::ChildLines) {
    while let Ok(Some(_)) = lines.next().await {}
}

impl LaunchError {
    /// What the client may know.
    #[must_use]
    pub fn for_user(&self) -> String {
        match self {
            Self::Process { cause } => match cause {
                process::Error::Exec { source, .. } => source.to_string(),
                cause => cause.to_string(),
            },
        }
    }
}
