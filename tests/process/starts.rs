//! A command gets exactly what it was given, or a reason why it could not be started.

use std::collections::HashSet;
use std::fs;

use mcpwrap::process::{Deadlines, Environment, Error, ExecFailure, Program, Spawner};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::children::{output, parent_of, spawner, start};
use crate::proc::{Marker, cmdline, pids};
use crate::scratch::Scratch;
use crate::trees::{command, environment, shell, standard_signals};
use crate::wait::soon;

#[tokio::test]
async fn what_cannot_be_executed_is_refused_with_its_reason() {
    let dir = Scratch::new();
    let plain = dir.join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    let orphan = dir.join("orphan");
    // Written by a process of its own: whatever another test starts meanwhile would inherit our descriptor for a
    // moment, and a file that somebody has open for writing cannot be executed (ETXTBSY).
    let mut write = std::process::Command::new("sh");
    write.args(["-c", "echo '#!/nowhere/interpreter' >\"$0\" && chmod 755 \"$0\""]).arg(&orphan);
    assert!(write.status().unwrap().success());
    let mut elsewhere = shell("true");
    elsewhere.cwd = Some(dir.join("absent"));
    let mut huge = shell("true");
    huge.env.set("HUGE", "x".repeat(200 * 1024));
    let mut by_path = command("orphan", &[]);
    by_path.env.set("PATH", dir.to_str().unwrap());
    let cases = [
        (command("/nowhere/program", &[]), ExecFailure::NotFound),
        (command("no-such-program-anywhere", &[]), ExecFailure::NotFound),
        (command(plain.to_str().unwrap(), &[]), ExecFailure::NotExecutable),
        (command(orphan.to_str().unwrap(), &[]), ExecFailure::InterpreterMissing),
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
    command.env = Environment::cleared().with("B", "two\nlines").with("A", "1");
    assert_eq!(output(command).await, "A=1\nB=two\nlines\n");
}

#[tokio::test]
async fn an_inherited_environment_is_ours_with_what_was_set() {
    let mut command = command("/usr/bin/env", &["-0"]);
    command.env = Environment::inherited().with("HOME", "/elsewhere").with("EXTRA", "1");
    let seen: HashSet<String> =
        output(command).await.split_terminator('\0').map(str::to_owned).collect();
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
        command.env.set(format!("LARGE_{number}"), "x".repeat(100 * 1024));
    }
    let size: usize = output(command).await.trim().parse().unwrap();
    assert!(size > 400 * 1024, "{size}");
}

/// Set in a run that may raise its limit of descriptors.
const LOW: &str = "PROCESS_TEST_LOW_LIMIT";

/// Some programs close, or cannot use, what a raised limit promises.
#[tokio::test]
async fn a_raised_limit_of_descriptors_is_ours_alone() {
    if std::env::var_os(LOW).is_none() {
        // Where soft and hard limit are one there is nothing to raise, so the soft one is lowered first.
        let test =
            ["--exact", "starts::a_raised_limit_of_descriptors_is_ours_alone", "--nocapture"];
        let mut low = std::process::Command::new("sh");
        low.args(["-c", "ulimit -Sn 200 && exec \"$@\"", "sh"]);
        let ended = low.arg(std::env::current_exe().unwrap()).args(test).env(LOW, "1").output();
        let ended = ended.unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let given = output(shell("ulimit -Sn; ulimit -Hn")).await;
    let (soft, hard) = given.trim().split_once('\n').unwrap();
    assert_eq!(soft, "200");
    let raised = mcpwrap::process::raise_open_files();
    assert!(raised > 200, "{raised} {hard}");
    assert_eq!(output(shell("ulimit -Sn; ulimit -Hn")).await, given);
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
    assert!(pids().into_iter().all(|pid| !cmdline(pid).contains(&secret)));
    if let Some(memory) = writable_memory(supervisor) {
        assert!(!memory.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    let own = writable_memory(pid).unwrap();
    assert!(
        own.windows(secret.len()).any(|window| window == secret.as_bytes()),
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
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
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
        assert!(target.to_str().unwrap().starts_with("pipe:"), "{fd} is {target:?}");
    }
    process.handle.kill().await;
}

#[tokio::test]
async fn the_command_has_its_own_session_and_fresh_signals() {
    let process = start(command("sleep", &["1000"])).await;
    let pid = process.pid.cast_signed();
    assert_eq!(nix::unistd::getsid(Some(Pid::from_raw(pid))).unwrap().as_raw(), pid);
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
    let sent: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|index| (index % 251) as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move { stdin.write_all(&sent).await });
    let mut received = Vec::new();
    soon("all that was sent", stdout.read_to_end(&mut received)).await.unwrap();
    writer.await.unwrap().unwrap();
    assert!(received == expected);
}
