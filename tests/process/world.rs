//! Processes as `/proc` shows them, and commands to start.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mcpwrap::process::{ChildCommand, Deadlines, Environment, Exit, Process, Program, Spawner};
use tokio::io::AsyncReadExt;

/// Longer than anything here takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Those that a program knows; two more belong to the C library, which leaves them ignored.
pub(crate) const STANDARD_SIGNALS: u64 = (1 << 31) - 1;

/// The arguments of `sleep` that tell the processes of one test from all others.
pub(crate) struct Marker(pub(crate) String);

// === impl Marker ===

impl Marker {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("1000{:07}{number:03}", std::process::id()))
    }

    /// The processes that carry the marker, but for those that have ended and wait to be collected.
    pub(crate) fn carriers(&self) -> Vec<i32> {
        pids().into_iter().filter(|pid| cmdline(*pid).contains(&self.0)).collect()
    }

    pub(crate) async fn gone(&self) {
        eventually(&format!("no process of {}", self.0), || self.carriers().is_empty()).await;
    }
}

pub(crate) fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub(crate) fn cmdline(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

pub(crate) fn field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.map(|rest| rest.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
}

pub(crate) fn standard_signals(pid: i32, mask: &str) -> u64 {
    u64::from_str_radix(&field(pid, mask), 16).unwrap() & STANDARD_SIGNALS
}

pub(crate) fn parent_of(pid: i32) -> i32 {
    field(pid, "PPid").parse().unwrap()
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !holds() {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

pub(crate) fn spawner() -> Spawner {
    let quick = Duration::from_millis(300);
    // Only the tests that stop a supervisor want it to be given up soon.
    let kill = if std::env::var(crate::parent::PARENT)
        .is_ok_and(|role| role == crate::parent::STOPPED_SUPERVISOR)
    {
        quick
    } else {
        PATIENCE
    };
    let deadlines = Deadlines { start: PATIENCE, close: quick, term: quick, kill };
    Spawner::new(Program::At(PathBuf::from(env!("CARGO_BIN_EXE_mcpwrap"))), deadlines).unwrap()
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
        walls: mcpwrap::process::walls::Walls::None,
    }
}

pub(crate) fn shell(script: &str) -> ChildCommand {
    command("sh", &["-c", script])
}

pub(crate) async fn start(command: ChildCommand) -> Process {
    spawner().spawn(command).await.unwrap()
}

pub(crate) async fn output(command: ChildCommand) -> String {
    let mut process = start(command).await;
    drop(process.stdin);
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, process.stdout.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(process.handle.exited().await, Exit::Code(0));
    text
}

/// Trees that try to stay: each script's processes carry the marker `$M` in their arguments.
pub(crate) const TREES: [(&str, usize, &str); 5] = [
    ("background", 2, "sleep $M & exec sleep $M"),
    ("double fork", 2, "(sleep $M &) ; exec sleep $M"),
    ("own session", 2, "setsid -f sleep $M; exec sleep $M"),
    ("nested shells", 3, "sh -c 'sh -c \"sleep $M & sleep $M\" & sleep $M' & wait"),
    ("deaf to SIGTERM", 2, "trap '' TERM; setsid -f sleep $M; sleep $M; sleep $M"),
];

pub(crate) async fn tree(script: &str, count: usize) -> (Process, Marker) {
    let marker = Marker::new();
    (tree_of(script, count, &marker).await, marker)
}

pub(crate) async fn tree_of(script: &str, count: usize, marker: &Marker) -> Process {
    let mut command = shell(script);
    command.env.set("M", marker.0.clone());
    let process = start(command).await;
    eventually("the tree stands", || sleeping(marker) == count).await;
    process
}

/// How many carriers have become what they are meant to be.
pub(crate) fn sleeping(marker: &Marker) -> usize {
    marker.carriers().into_iter().filter(|pid| cmdline(*pid).starts_with("sleep ")).count()
}
