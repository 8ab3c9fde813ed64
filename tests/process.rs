//! The promise of `process/`: nothing outlives its reason, and a child gets exactly what it was given.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mcpwrap::process::{
    ChildCommand, Deadlines, Environment, Error, ExecFailure, Exit, Process, Program, Spawner,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Those that a program knows; two more belong to the C library, which leaves them ignored.
const STANDARD_SIGNALS: u64 = (1 << 31) - 1;
/// Set in the process that plays mcpwrap for the tests that kill it.
const PARENT: &str = "PROCESS_TEST_PARENT";

/// The arguments of `sleep` that tell the processes of one test from all others.
struct Marker(String);

// === impl Marker ===

impl Marker {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("1000{:07}{number:03}", std::process::id()))
    }

    /// The processes that carry the marker, but for those that have ended and wait to be collected.
    fn carriers(&self) -> Vec<i32> {
        pids()
            .into_iter()
            .filter(|pid| cmdline(*pid).contains(&self.0))
            .collect()
    }

    async fn gone(&self) {
        eventually(&format!("no process of {}", self.0), || {
            self.carriers().is_empty()
        })
        .await;
    }
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn cmdline(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.map(|rest| rest.trim_start_matches(':').trim().to_owned())
        .unwrap_or_default()
}

fn standard_signals(pid: i32, mask: &str) -> u64 {
    u64::from_str_radix(&field(pid, mask), 16).unwrap() & STANDARD_SIGNALS
}

fn parent_of(pid: i32) -> i32 {
    field(pid, "PPid").parse().unwrap()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !holds() {
            tick.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, wait).await.is_ok(),
        "never: {what}"
    );
}

fn spawner() -> Spawner {
    let quick = Duration::from_millis(300);
    // Only the tests that stop a supervisor want it to be given up soon.
    let kill = if std::env::var(PARENT).is_ok_and(|role| role == STOPPED_SUPERVISOR) {
        quick
    } else {
        PATIENCE
    };
    let deadlines = Deadlines {
        start: PATIENCE,
        close: quick,
        term: quick,
        kill,
    };
    Spawner::new(
        Program::At(PathBuf::from(env!("CARGO_BIN_EXE_mcpwrap"))),
        deadlines,
    )
    .unwrap()
}

fn environment() -> Environment {
    Environment::cleared().with("PATH", std::env::var("PATH").unwrap())
}

fn command(program: &str, args: &[&str]) -> ChildCommand {
    ChildCommand {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        env: environment(),
        cwd: None,
        name: "test".into(),
    }
}

fn shell(script: &str) -> ChildCommand {
    command("sh", &["-c", script])
}

async fn start(command: ChildCommand) -> Process {
    spawner().spawn(command).await.unwrap()
}

async fn output(command: ChildCommand) -> String {
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
const TREES: [(&str, usize, &str); 5] = [
    ("background", 2, "sleep $M & exec sleep $M"),
    ("double fork", 2, "(sleep $M &) ; exec sleep $M"),
    ("own session", 2, "setsid -f sleep $M; exec sleep $M"),
    (
        "nested shells",
        3,
        "sh -c 'sh -c \"sleep $M & sleep $M\" & sleep $M' & wait",
    ),
    (
        "deaf to SIGTERM",
        2,
        "trap '' TERM; setsid -f sleep $M; sleep $M; sleep $M",
    ),
];

async fn tree(script: &str, count: usize) -> (Process, Marker) {
    let marker = Marker::new();
    (tree_of(script, count, &marker).await, marker)
}

async fn tree_of(script: &str, count: usize, marker: &Marker) -> Process {
    let mut command = shell(script);
    command.env.set("M", marker.0.clone());
    let process = start(command).await;
    eventually("the tree stands", || sleeping(marker) == count).await;
    process
}

/// How many carriers have become what they are meant to be.
fn sleeping(marker: &Marker) -> usize {
    marker
        .carriers()
        .into_iter()
        .filter(|pid| cmdline(*pid).starts_with("sleep "))
        .count()
}

#[tokio::test]
async fn stop_ends_every_kind_of_tree() {
    for (name, count, script) in TREES {
        let (process, marker) = tree(script, count).await;
        drop(process.stdin);
        let exit = process.handle.stop().await;
        assert!(
            matches!(exit, Exit::Signal(_) | Exit::Code(_)),
            "{name}: {exit:?}"
        );
        assert_eq!(marker.carriers(), Vec::<i32>::new(), "{name}");
    }
}

#[tokio::test]
async fn dropping_the_handle_ends_every_kind_of_tree() {
    for (_, count, script) in TREES {
        let (process, marker) = tree(script, count).await;
        drop(process);
        marker.gone().await;
    }
}

#[tokio::test]
async fn the_end_of_the_command_ends_its_tree() {
    let script = "setsid -f sleep $M; sleep $M & sleep $M & read line; exit 3";
    let (mut process, marker) = tree(script, 3).await;
    process.stdin.write_all(b"go\n").await.unwrap();
    assert_eq!(process.handle.exited().await, Exit::Code(3));
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}

#[tokio::test]
async fn closed_stdin_is_enough_for_a_server_that_listens() {
    let process = start(command("cat", &[])).await;
    drop(process.stdin);
    assert_eq!(process.handle.stop().await, Exit::Code(0));
}

#[tokio::test]
async fn terminate_comes_before_kill() {
    let mut process = start(shell(
        "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done",
    ))
    .await;
    let mut ready = [0; 6];
    process.stdout.read_exact(&mut ready).await.unwrap();
    drop(process.stdin);
    assert_eq!(process.handle.stop().await, Exit::Code(7));
}

#[tokio::test]
async fn kill_comes_after_terminate() {
    let (process, marker) = tree("trap '' TERM; sleep $M", 1).await;
    drop(process.stdin);
    assert_eq!(process.handle.stop().await, Exit::Signal(9));
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}

#[tokio::test]
async fn code_and_signal_are_told() {
    let process = start(shell("exit 42")).await;
    assert_eq!(process.handle.exited().await, Exit::Code(42));
    let process = start(shell("kill -USR2 $$")).await;
    assert_eq!(
        process.handle.exited().await,
        Exit::Signal(Signal::SIGUSR2 as i32)
    );
}

#[tokio::test]
async fn several_can_wait_for_one_end() {
    let (process, _marker) = tree("sleep $M", 1).await;
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let handle = process.handle.clone();
            tokio::spawn(async move { handle.exited().await })
        })
        .collect();
    assert_eq!(process.handle.kill().await, Exit::Signal(9));
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), Exit::Signal(9));
    }
}

#[tokio::test]
async fn what_cannot_be_executed_is_refused_with_its_reason() {
    let dir = fs::canonicalize(std::env::temp_dir())
        .unwrap()
        .join(format!("process-{}", Marker::new().0));
    fs::create_dir_all(&dir).unwrap();
    let plain = dir.join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    let orphan = dir.join("orphan");
    fs::write(&orphan, "#!/nowhere/interpreter\n").unwrap();
    fs::set_permissions(&orphan, fs::Permissions::from_mode(0o755)).unwrap();
    let mut elsewhere = shell("true");
    elsewhere.cwd = Some(dir.join("absent"));
    let mut huge = shell("true");
    huge.env.set("HUGE", "x".repeat(200 * 1024));
    let mut by_path = command("orphan", &[]);
    by_path.env.set("PATH", dir.to_str().unwrap());
    let cases = [
        (command("/nowhere/program", &[]), ExecFailure::NotFound),
        (
            command("no-such-program-anywhere", &[]),
            ExecFailure::NotFound,
        ),
        (
            command(plain.to_str().unwrap(), &[]),
            ExecFailure::NotExecutable,
        ),
        (
            command(orphan.to_str().unwrap(), &[]),
            ExecFailure::InterpreterMissing,
        ),
        (by_path, ExecFailure::InterpreterMissing),
        (elsewhere, ExecFailure::WorkingDirectory { errno: 2 }),
        (huge, ExecFailure::TooLarge),
    ];
    for (command, reason) in cases {
        match spawner().spawn(command).await {
            Err(Error::Exec { source, .. }) => assert_eq!(source, reason),
            other => panic!("{reason:?} expected, not {other:?}"),
        }
    }
    fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_missing_supervisor_is_an_error_of_the_supervisor() {
    let spawner =
        Spawner::new(Program::At("/nowhere/mcpwrap".into()), Deadlines::default()).unwrap();
    let error = spawner.spawn(shell("true")).await.unwrap_err();
    assert!(matches!(error, Error::Supervisor { .. }), "{error:?}");
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let mut command = command("/usr/bin/env", &[]);
    command.env = Environment::cleared()
        .with("B", "two\nlines")
        .with("A", "1");
    assert_eq!(output(command).await, "A=1\nB=two\nlines\n");
}

#[tokio::test]
async fn an_inherited_environment_is_ours_with_what_was_set() {
    let mut command = command("/usr/bin/env", &["-0"]);
    command.env = Environment::inherited()
        .with("HOME", "/elsewhere")
        .with("EXTRA", "1");
    let seen: HashSet<String> = output(command)
        .await
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    let mut expected: HashSet<String> = std::env::vars()
        .filter(|(name, _)| name != "HOME")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    expected.extend(["HOME=/elsewhere".to_owned(), "EXTRA=1".to_owned()]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_large_environment_passes() {
    let mut command = shell("cat /proc/self/environ | wc -c");
    command.env = environment();
    for number in 0..4 {
        command
            .env
            .set(format!("LARGE_{number}"), "x".repeat(100 * 1024));
    }
    let size: usize = output(command).await.trim().parse().unwrap();
    assert!(size > 400 * 1024, "{size}");
}

#[tokio::test]
async fn the_secret_is_in_the_command_alone() {
    let secret = format!("hunter2-{}", Marker::new().0);
    let mut command = command("cat", &[]);
    command.env.set("TOKEN", secret.clone());
    let process = start(command).await;
    let pid = process.pid.cast_signed();
    let supervisor = parent_of(pid);
    assert!(cmdline(supervisor).contains("__supervisor"));
    assert!(
        String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ")).unwrap())
            .contains(&secret)
    );
    // The supervisor is not dumpable: only root gets to see that its environment is empty.
    match fs::read(format!("/proc/{supervisor}/environ")) {
        Ok(environ) => assert_eq!(environ, b""),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    assert!(
        pids()
            .into_iter()
            .all(|pid| !cmdline(pid).contains(&secret))
    );
    if let Some(memory) = writable_memory(supervisor) {
        assert!(
            !memory
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        );
    }
    let own = writable_memory(pid).unwrap();
    assert!(
        own.windows(secret.len())
            .any(|window| window == secret.as_bytes()),
        "the search finds nothing at all"
    );
    process.handle.kill().await;
}

/// The writable memory of a process; nothing where it may not be read.
fn writable_memory(pid: i32) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut all = Vec::new();
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))
        .ok()?
        .lines()
        .filter(|line| line.contains(" rw-p "))
    {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let from = u64::from_str_radix(from, 16).ok()?;
        let size = u64::from_str_radix(to, 16).ok()? - from;
        let mut part = vec![0; usize::try_from(size).ok()?];
        if memory.read_exact_at(&mut part, from).is_ok() {
            all.extend(part);
        }
    }
    Some(all)
}

/// What is shared with mcpwrap or belongs to the file costs nothing per child, so only the rest is counted.
#[tokio::test]
async fn a_supervisor_costs_little_memory() {
    let process = start(command("sleep", &["1000"])).await;
    let supervisor = parent_of(process.pid.cast_signed());
    // Not dumpable, so only root may look.
    if let Ok(rollup) = fs::read_to_string(format!("/proc/{supervisor}/smaps_rollup")) {
        let line = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Anonymous:"))
            .unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib <= 2048, "{kib} KiB");
    }
    process.handle.kill().await;
}

#[tokio::test]
async fn the_command_has_its_three_streams_and_nothing_else() {
    let process = start(command("sleep", &["1000"])).await;
    let pid = process.pid;
    let mut fds: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    fds.sort();
    assert_eq!(fds, ["0", "1", "2"]);
    for fd in fds {
        let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
        assert!(
            target.to_str().unwrap().starts_with("pipe:"),
            "{fd} is {target:?}"
        );
    }
    process.handle.kill().await;
}

#[tokio::test]
async fn the_command_has_its_own_session_and_fresh_signals() {
    let process = start(command("sleep", &["1000"])).await;
    let pid = process.pid.cast_signed();
    assert_eq!(
        nix::unistd::getsid(Some(Pid::from_raw(pid)))
            .unwrap()
            .as_raw(),
        pid
    );
    for mask in ["SigIgn", "SigBlk", "SigCgt"] {
        assert_eq!(standard_signals(pid, mask), 0, "{mask}");
    }
    process.handle.kill().await;
}

#[tokio::test]
async fn the_streams_end_with_the_command() {
    let mut process = start(shell("echo out; echo err >&2")).await;
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout.read_to_string(&mut out).await.unwrap();
    process.stderr.read_to_string(&mut err).await.unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
}

#[tokio::test]
async fn megabytes_go_both_ways() {
    let process = start(command("cat", &[])).await;
    let (mut stdin, mut stdout) = (process.stdin, process.stdout);
    let sent: Vec<u8> = (0..8 * 1024 * 1024_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move { stdin.write_all(&sent).await });
    let mut received = Vec::new();
    tokio::time::timeout(PATIENCE, stdout.read_to_end(&mut received))
        .await
        .unwrap()
        .unwrap();
    writer.await.unwrap().unwrap();
    assert!(received == expected);
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_nothing() {
    let marker = Marker::new();
    for polls in 0..20 {
        let start = start(command("sleep", &[&marker.0]));
        let mut start = Box::pin(start);
        for _ in 0..polls {
            let once = std::future::poll_fn(|context| {
                std::task::Poll::Ready(start.as_mut().poll(context).is_ready())
            });
            if once.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // A last one that runs shows that the thread has come past all the others.
    start(command("true", &[])).await.handle.exited().await;
    marker.gone().await;
}

#[test]
fn the_end_of_the_runtime_ends_the_children() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let (process, marker) = first.block_on(tree(TREES[0].2, TREES[0].1));
    first.spawn(async move {
        let _held = process;
        std::future::pending::<()>().await;
    });
    drop(first);
    runtime().block_on(marker.gone());
}

#[tokio::test]
async fn a_terminated_supervisor_terminates_its_tree() {
    let mut process = start(shell(
        "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done",
    ))
    .await;
    let mut ready = [0; 6];
    process.stdout.read_exact(&mut ready).await.unwrap();
    let supervisor = parent_of(process.pid.cast_signed());
    kill(Pid::from_raw(supervisor), Signal::SIGTERM).unwrap();
    assert_eq!(process.handle.exited().await, Exit::Code(7));
}

#[tokio::test]
async fn signals_that_mcpwrap_was_told_to_ignore_are_the_commands_own_again() {
    Parent::plays(IGNORANT).finishes().await;
}

#[tokio::test]
async fn a_stopped_supervisor_does_not_keep_its_tree() {
    Parent::plays(STOPPED_SUPERVISOR).finishes().await;
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_tree_along() {
    Parent::plays(KILLED_SUPERVISOR).finishes().await;
}

#[tokio::test]
async fn a_killed_mcpwrap_takes_all_trees_along() {
    let mut parent = Parent::plays(WAIT).await_trees(SLEEPERS).await;
    parent.child.start_kill().unwrap();
    parent.child.wait().await.unwrap();
    parent.marker.gone().await;
}

#[tokio::test]
async fn two_hundred_children_at_once_leave_nothing() {
    let marker = Marker::new();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let command = command("sleep", &[&marker.0]);
            tokio::spawn(async move {
                let process = start(command).await;
                drop(process.stdin);
                process.handle.stop().await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Exit::Signal(Signal::SIGTERM as i32));
    }
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}

// === the process that plays mcpwrap ===

const STOPPED_SUPERVISOR: &str = "stopped supervisor";
const KILLED_SUPERVISOR: &str = "killed supervisor";
const IGNORANT: &str = "ignorant";
const WAIT: &str = "wait";
/// The sleepers of a parent that waits.
const SLEEPERS: usize = 11;

/// This test binary, run as a process of its own that starts children and may be killed.
struct Parent {
    child: tokio::process::Child,
    marker: Marker,
}

// === impl Parent ===

impl Parent {
    fn plays(role: &str) -> Self {
        let marker = Marker::new();
        let traps = if role == IGNORANT {
            "trap '' HUP INT QUIT CHLD USR1; exec \"$@\""
        } else {
            "exec \"$@\""
        };
        let child = tokio::process::Command::new("sh")
            .args(["-c", traps, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "the_parent", "--nocapture"])
            .env(PARENT, role)
            .env("M", &marker.0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, marker }
    }

    async fn await_trees(self, sleepers: usize) -> Self {
        eventually("all trees stand", || sleeping(&self.marker) == sleepers).await;
        self
    }

    async fn finishes(mut self) {
        let status = tokio::time::timeout(PATIENCE * 2, self.child.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(self.marker.carriers(), Vec::<i32>::new());
    }
}

/// Does nothing unless a test has started this binary to play mcpwrap.
#[tokio::test]
async fn the_parent() {
    let Ok(role) = std::env::var(PARENT) else {
        return;
    };
    let marker = Marker(std::env::var("M").unwrap());
    match role.as_str() {
        KILLED_SUPERVISOR => {
            for (name, count, script) in TREES {
                let bystander = start(command("cat", &[])).await;
                let process = tree_of(script, count, &marker).await;
                kill(
                    Pid::from_raw(parent_of(process.pid.cast_signed())),
                    Signal::SIGKILL,
                )
                .unwrap();
                assert_eq!(
                    process.handle.exited().await,
                    Exit::SupervisorLost,
                    "{name}"
                );
                assert_eq!(marker.carriers(), Vec::<i32>::new(), "{name}");
                drop(bystander.stdin);
                assert_eq!(
                    bystander.handle.exited().await,
                    Exit::Code(0),
                    "the sweep hit another child"
                );
            }
        }
        STOPPED_SUPERVISOR => {
            let (_, count, script) = TREES[1];
            let process = tree_of(script, count, &marker).await;
            kill(
                Pid::from_raw(parent_of(process.pid.cast_signed())),
                Signal::SIGSTOP,
            )
            .unwrap();
            assert_eq!(process.handle.kill().await, Exit::SupervisorLost);
            assert_eq!(marker.carriers(), Vec::<i32>::new());
            let process = tree_of(script, count, &marker).await;
            kill(
                Pid::from_raw(parent_of(process.pid.cast_signed())),
                Signal::SIGSTOP,
            )
            .unwrap();
            drop(process);
            marker.gone().await;
        }
        IGNORANT => {
            let process = start(command("sleep", &["1000"])).await;
            assert_eq!(standard_signals(process.pid.cast_signed(), "SigIgn"), 0);
            drop(process.stdin);
            assert_eq!(
                process.handle.stop().await,
                Exit::Signal(Signal::SIGTERM as i32)
            );
            let process = start(shell("exit 3")).await;
            assert_eq!(process.handle.exited().await, Exit::Code(3));
        }
        WAIT => {
            let mut held = Vec::new();
            for (_, _, script) in TREES {
                let mut command = shell(script);
                command.env.set("M", marker.0.clone());
                held.push(start(command).await);
            }
            std::future::pending::<()>().await;
        }
        other => panic!("no such role: {other}"),
    }
}
