//! Children that a test starts itself, by `mcpwrap::process`, as the program does.

use std::path::PathBuf;
use std::time::Duration;

use mcpwrap::process::{ChildCommand, Deadlines, Exit, Process, Program, Spawner};
use tokio::io::AsyncReadExt;

use super::proc::field;
use super::wait::{PATIENCE, soon};

/// Enough for a child that ends when it is asked to.
pub(crate) const QUICK: Duration = Duration::from_millis(300);

/// A spawner that asks a child to end for a short time only, and gives a supervisor all the time that it needs.
pub(crate) fn spawner() -> Spawner {
    spawner_that_gives_up_after(PATIENCE)
}

/// The same, for a supervisor that does not do what it is told within this time.
pub(crate) fn spawner_that_gives_up_after(kill: Duration) -> Spawner {
    let deadlines = Deadlines { start: PATIENCE, close: QUICK, term: QUICK, kill };
    Spawner::new(Program::At(PathBuf::from(env!("CARGO_BIN_EXE_mcpwrap"))), deadlines).unwrap()
}

pub(crate) async fn start(command: ChildCommand) -> Process {
    spawner().spawn(command).await.unwrap()
}

/// What a command that succeeds writes to stdout.
pub(crate) async fn output(command: ChildCommand) -> String {
    let mut process = start(command).await;
    drop(process.stdin);
    let (mut text, mut errors) = (String::new(), String::new());
    let read = async {
        tokio::try_join!(
            process.stdout.read_to_string(&mut text),
            process.stderr.read_to_string(&mut errors)
        )
    };
    soon("the end of the command's output", read).await.unwrap();
    assert_eq!(process.handle.exited().await, Exit::Code(0), "{text}{errors}");
    text
}

/// The process above: of a command its supervisor, or the first process of its namespace.
pub(crate) fn parent_of(pid: i32) -> i32 {
    field(pid, "PPid").parse().unwrap()
}
