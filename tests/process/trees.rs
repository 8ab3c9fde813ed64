//! Commands to start, and trees of processes that try to stay.

use std::ffi::OsString;

use mcpwrap::process::walls::Walls;
use mcpwrap::process::{ChildCommand, Environment, Process, Spawner};

use crate::children::spawner;
use crate::proc::{Marker, cmdline, field};
use crate::wait::eventually;

/// Those that a program knows; two more belong to the C library, which leaves them ignored.
const STANDARD_SIGNALS: u64 = (1 << 31) - 1;

/// Trees that try to stay: each script's processes carry the marker `$M` in their arguments.
pub(crate) const TREES: [(&str, usize, &str); 5] = [
    ("background", 2, "sleep $M & exec sleep $M"),
    ("double fork", 2, "(sleep $M &) ; exec sleep $M"),
    ("own session", 2, "setsid -f sleep $M; exec sleep $M"),
    ("nested shells", 3, "sh -c 'sh -c \"sleep $M & sleep $M\" & sleep $M' & wait"),
    ("deaf to SIGTERM", 2, "trap '' TERM; setsid -f sleep $M; sleep $M; sleep $M"),
];

pub(crate) fn standard_signals(pid: i32, mask: &str) -> u64 {
    u64::from_str_radix(&field(pid, mask), 16).unwrap() & STANDARD_SIGNALS
}

pub(crate) fn environment() -> Environment {
    Environment::cleared().with("PATH", std::env::var("PATH").unwrap())
}

pub(crate) fn command(program: &str, args: &[&str]) -> ChildCommand {
    ChildCommand {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        env: environment(),
        cwd: None,
        name: "test".into(),
        walls: Walls::None,
    }
}

pub(crate) fn shell(script: &str) -> ChildCommand {
    command("sh", &["-c", script])
}

pub(crate) async fn tree(script: &str, count: usize) -> (Process, Marker) {
    let marker = Marker::new();
    (tree_of(&spawner(), script, count, &marker).await, marker)
}

pub(crate) async fn tree_of(
    spawner: &Spawner,
    script: &str,
    count: usize,
    marker: &Marker,
) -> Process {
    let mut command = shell(script);
    command.env.set("M", marker.0.clone());
    let process = spawner.spawn(command).await.unwrap();
    eventually("the tree stands", || sleeping(marker) == count).await;
    process
}

/// How many carriers have become what they are meant to be.
pub(crate) fn sleeping(marker: &Marker) -> usize {
    marker.carriers().into_iter().filter(|pid| cmdline(*pid).starts_with("sleep ")).count()
}

pub(crate) async fn gone(marker: &Marker) {
    eventually(&format!("no process of {}", marker.0), || marker.carriers().is_empty()).await;
}
