//! What can go wrong when a process is started.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name or the value of a variable cannot be carried by an environment.
    #[error("the environment variable {name:?} has an empty name or holds '=' or a zero byte")]
    Variable {
        /// The name as given.
        name: String,
    },
    /// The program, an argument or the directory holds a zero byte.
    #[error("the command holds a zero byte")]
    ZeroByte,
    /// A path of the walls is no text.
    #[error("a path that the walls name is not valid unicode")]
    PathText,
    /// Walls without namespaces cannot hide this, because something around it is readable.
    #[error("{path} cannot be hidden from a child that may read what is around it")]
    Exposed {
        /// What has to stay hidden.
        path: PathBuf,
    },
    /// Root behind walls is still root to every file that it reaches.
    #[error("a child cannot be given root's user or group id")]
    RootIdentity,
    /// Walls need Linux.
    #[error("there are no walls on this system")]
    NoWalls,
    /// The working directory of mcpwrap itself is gone.
    #[error("the current directory cannot be read")]
    CurrentDirectory {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The thread that starts processes could not be started.
    #[error("the spawning thread cannot be started")]
    Thread {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The thread that starts processes is gone.
    #[error("the spawning thread has ended")]
    ThreadEnded,
    /// A pipe, a socket or the supervisor could not be made.
    #[error("the supervisor of {name} cannot be started")]
    Supervisor {
        /// How the logs call the child.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The supervisor ended before the command ran.
    #[error("the supervisor of {name} was lost while it started")]
    SupervisorLost {
        /// How the logs call the child.
        name: String,
    },
    /// The command could not be executed.
    #[error("{program:?} cannot be executed")]
    Exec {
        /// The program as given.
        program: String,
        /// Why not.
        #[source]
        source: ExecFailure,
    },
    /// The command was not running in time.
    #[error("{name} did not start within {within:?}")]
    Deadline {
        /// How the logs call the child.
        name: String,
        /// The deadline.
        within: Duration,
    },
}

/// Why a command could not be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExecFailure {
    /// There is no such file.
    #[error("no such program, neither as a path nor in the child's PATH")]
    NotFound,
    /// The file is there, but what its first line (or its header) names is not.
    #[error("the program is there, but the interpreter or loader that it names is not")]
    InterpreterMissing,
    /// The file may not be executed.
    #[error("the program is not executable")]
    NotExecutable,
    /// Something on the way to the program keeps the child out.
    #[error("the child may not enter {path}, which is on the way to the program")]
    Unreachable {
        /// The directory, or the program itself.
        path: String,
    },
    /// The working directory could not be entered.
    #[error("the working directory cannot be entered: {}", described(*errno))]
    WorkingDirectory {
        /// The system's error number.
        errno: i32,
    },
    /// Arguments and environment are too large.
    #[error("arguments and environment are larger than the system allows")]
    TooLarge,
    /// A step before the execution failed.
    #[error("the process could not {step}: {}", described(*errno))]
    Preparation {
        /// The step, as a verb and its object.
        step: String,
        /// The system's error number.
        errno: i32,
    },
    /// Anything else.
    #[error("{}", described(*errno))]
    Other {
        /// The system's error number.
        errno: i32,
    },
}

fn described(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}
