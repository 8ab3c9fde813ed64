//! Behind walls a command lives and dies as it does without them; in namespaces it cannot even try to stay.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use mcpwrap::process::walls::{Form, Identity, Walls};
use mcpwrap::process::{Error, ExecFailure, Exit, probe};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::children::{output, parent_of, spawner, start};
use crate::proc::{Marker, field};
use crate::users::{Kind, State, alone, as_ordinary, as_root, is_root, notice, permitted};
use crate::wait::{eventually, soon};

/// Every kind of walls that whoever runs this can have, in one test for root and one for everybody else.
const OF_ROOT: &[Kind] = &[Kind::Uid, Kind::UidAlone];
const OF_OTHERS: &[Kind] = &[Kind::Namespaces, Kind::Basic];

async fn kinds(test: &str) -> Vec<Kind> {
    // As root both halves run: the second one in a process of its own.
    let of_us = if as_ordinary(test) { OF_OTHERS } else { OF_ROOT };
    let mut kinds = Vec::new();
    for kind in of_us {
        if permitted(*kind).await {
            kinds.push(*kind);
        }
    }
    kinds
}

#[tokio::test]
async fn the_probe_says_what_can_be_built() {
    let ordinary = as_ordinary("life::the_probe_says_what_can_be_built");
    let without_range = probe(&spawner(), None).await;
    let findings = probe(&spawner(), Some(200_900)).await;
    println!("{findings:#?} {:#?}", findings.remedies());
    if ordinary {
        assert_eq!(without_range, findings, "a range is root's alone");
    } else {
        assert_eq!(without_range.strict(), None);
        assert!(without_range.remedies().iter().any(|remedy| remedy.contains("--uid-range")));
    }
    for refusal in &findings.refusals {
        assert!(!refusal.reason.is_empty());
        assert!(!findings.possible.contains(&refusal.form));
    }
    let open = findings.open(Form::Basic);
    assert!(open.len() > findings.open(Form::Namespaces).len(), "{open:?}");
}

#[tokio::test]
async fn it_ends_as_it_would_without_walls() {
    for kind in kinds("life::it_ends_as_it_would_without_walls").await {
        let state = State::new();
        let user = state.user("alice", 1, kind);
        let sh = |script: &str| start(user.command("/bin/sh", &["-c", script]));
        assert_eq!(sh("exit 7").await.handle.exited().await, Exit::Code(7), "{kind:?}");
        assert_eq!(sh("exit 137").await.handle.exited().await, Exit::Code(137), "{kind:?}");
        assert_eq!(sh("kill -SEGV $$").await.handle.exited().await, Exit::Signal(11), "{kind:?}");
        let process = sh("exec cat").await;
        drop(process.stdin);
        assert_eq!(process.handle.stop().await, Exit::Code(0), "{kind:?}");
        let process = sh("exec sleep 1000").await;
        drop(process.stdin);
        assert_eq!(process.handle.stop().await, Exit::Signal(Signal::SIGTERM as i32), "{kind:?}");
        let process = sh("trap '' TERM; sleep 1000; sleep 1000").await;
        drop(process.stdin);
        assert_eq!(process.handle.stop().await, Exit::Signal(Signal::SIGKILL as i32), "{kind:?}");
    }
}

#[tokio::test]
async fn what_cannot_run_is_told_with_its_reason() {
    for kind in kinds("life::what_cannot_run_is_told_with_its_reason").await {
        let state = State::new();
        let user = state.user("alice", 1, kind);
        let mut lost = user.command("/bin/sh", &["-c", "true"]);
        lost.cwd = Some("/nowhere".into());
        let cases = [
            (user.command("/nowhere", &[]), ExecFailure::NotFound),
            (user.command("no-such-program", &[]), ExecFailure::NotFound),
            (lost, ExecFailure::WorkingDirectory { errno: 2 }),
        ];
        for (command, reason) in cases {
            match spawner().spawn(command).await {
                Err(Error::Exec { source, .. }) => assert_eq!(source, reason, "{kind:?}"),
                other => panic!("{kind:?}: {reason:?} expected, not {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn it_can_work_in_its_own_directories() {
    for kind in kinds("life::it_can_work_in_its_own_directories").await {
        let state = State::new();
        let user = state.user("alice", 1, kind);
        let script = r#"
            set -e
            pwd
            for dir in "$HOME" "$TMPDIR" "$XDG_CACHE_HOME" "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"; do
                mkdir "$dir/made"; echo text > "$dir/made/file"; mv "$dir/made/file" "$dir/file"; chmod 755 "$dir/file"
                ln -s file "$dir/link"; cat "$dir/link" > /dev/null; rm -r "$dir/made" "$dir/link" "$dir/file"
            done
            head -c 10 /dev/urandom > /dev/null; echo > /dev/null; cat /proc/self/status > /dev/null
            test "$(ls /proc/self/fd | wc -l)" = 4
            sh -c 'exit 3' || test $? = 3
            mktemp > /dev/null
            getent hosts localhost > /dev/null
            echo $MCPWRAP_USER
        "#;
        let said = user.says(script).await;
        assert_eq!(said, format!("{}\nalice\n", user.home.home.display()), "{kind:?}");
    }
}

#[tokio::test]
async fn its_environment_is_the_allow_list() {
    for kind in kinds("life::its_environment_is_the_allow_list").await {
        let state = State::new();
        let user = state.user("alice", 1, kind);
        let seen = output(user.command("/usr/bin/env", &[])).await;
        for line in seen.lines() {
            let name = line.split('=').next().unwrap();
            let listed = [
                "PATH",
                "LANG",
                "LANGUAGE",
                "TZ",
                "HOME",
                "TMPDIR",
                "MCPWRAP_USER",
                "NODE_EXTRA_CA_CERTS",
            ];
            let family = ["LC_", "XDG_", "SSL_CERT_"].iter().any(|prefix| name.starts_with(prefix));
            assert!(listed.contains(&name) || family, "{kind:?}: {line}");
        }
    }
}

#[tokio::test]
async fn a_state_directory_in_the_tree_of_the_program_is_not_there() {
    for kind in kinds("life::a_state_directory_in_the_tree_of_the_program_is_not_there").await {
        let app = State::new();
        fs::write(app.path.join("server"), "program").unwrap();
        let state = app.within("state");
        let mut user = state.user("alice", 1, kind);
        fs::write(state.path.join("store"), "hunter2").unwrap();
        if let Walls::Basic { paths } | Walls::Strict { paths, .. } = &mut user.walls {
            paths.readable.push(app.path.clone());
        }
        let script = format!(
            "cat {0}/server; ls {0}/state; ls {0}/state/homes/_; cat {0}/state/store || echo kept",
            app.path.display()
        );
        if matches!(kind, Kind::Uid | Kind::Namespaces) {
            assert_eq!(user.says(&script).await, "programhomes\nalice\nkept\n", "{kind:?}");
            continue;
        }
        // Landlock alone could not hide it.
        let refused = spawner().spawn(user.command("/bin/sh", &["-c", &script])).await;
        assert!(matches!(refused, Err(Error::Exposed { .. })), "{kind:?}: {refused:?}");
    }
}

#[tokio::test]
async fn root_gets_no_walls_that_leave_it_root() {
    if !as_root() {
        return;
    }
    let state = State::new();
    let nobody = Identity::Uid { uid: 0, gid: 0 };
    for identity in [Identity::Namespaces, nobody, Identity::UidAlone { uid: 5, gid: 0 }] {
        let mut user = state.user("alice", 1, Kind::Basic);
        let Walls::Basic { paths } = user.walls else { unreachable!() };
        user.walls = Walls::Strict { identity, paths };
        match spawner().spawn(user.command("/bin/true", &[])).await {
            Err(Error::RootIdentity) if identity != Identity::Namespaces => {}
            Err(Error::Exec { source: ExecFailure::Preparation { step, .. }, .. }) => {
                assert!(step.contains("root"), "{step}");
            }
            other => panic!("{identity:?}: {other:?}"),
        }
    }
}

/// Trees that try to stay; each process has the marker in its arguments.
const TREES: &[(&str, &str)] = &[
    ("own session", "setsid -f sleep $M; exec sleep $M"),
    (
        "deaf",
        "trap '' TERM HUP; setsid -f sh -c \"trap '' TERM; sleep $M; sleep $M\"; sleep $M; sleep $M",
    ),
    // Each process starts its successor and ends: there is never one that could be waited for.
    (
        "relay",
        "relay() { ( relay $M & ) ; }; echo 'r() { sh $0 $1 & }; r $1' > $TMPDIR/r; setsid -f sh $TMPDIR/r $M; exec sleep $M",
    ),
];

#[tokio::test]
async fn no_tree_outlives_its_namespace() {
    if !alone("life::no_tree_outlives_its_namespace") {
        return;
    }
    for kind in kinds("life::no_tree_outlives_its_namespace").await {
        if !matches!(kind, Kind::Uid | Kind::Namespaces) {
            continue;
        }
        for (name, script) in TREES {
            for end in
                ["kill", "the command ends", "the supervisor is killed", "the handle is dropped"]
            {
                let state = State::new();
                let user = state.user("alice", 1, kind);
                let marker = Marker::new();
                let mut command = user.command("/bin/sh", &["-c", script]);
                command.env.set("M", marker.0.clone());
                let process = start(command).await;
                eventually(&format!("{name} stands"), || marker.carriers().len() >= 2).await;
                let pid = process.pid.cast_signed();
                match end {
                    "kill" => assert_eq!(process.handle.kill().await, Exit::Signal(9), "{name}"),
                    "the command ends" => {
                        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
                        assert_eq!(process.handle.exited().await, Exit::Signal(9), "{name}");
                    }
                    "the supervisor is killed" => {
                        let supervisor = parent_of(parent_of(pid));
                        kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
                        assert_eq!(process.handle.exited().await, Exit::SupervisorLost, "{name}");
                    }
                    _ => drop(process),
                }
                eventually(&format!("{kind:?}, {name}, {end}: nothing is left"), || {
                    marker.carriers().is_empty()
                })
                .await;
            }
        }
    }
}

#[tokio::test]
async fn the_first_process_of_a_namespace_is_small_and_knows_nothing() {
    for kind in kinds("life::the_first_process_of_a_namespace_is_small_and_knows_nothing").await {
        if !matches!(kind, Kind::Uid | Kind::Namespaces) {
            continue;
        }
        let state = State::new();
        let user = state.user("alice", 1, kind);
        let process = start(user.command("/bin/cat", &[])).await;
        let init = parent_of(process.pid.cast_signed());
        let field = |name: &str| field(init, name);
        assert_eq!(field("Name"), "mcpwrap-init");
        assert_eq!(u64::from_str_radix(&field("CapPrm"), 16).unwrap(), 0);
        assert_eq!(u64::from_str_radix(&field("CapAmb"), 16).unwrap(), 0);
        let anonymous: u64 = field("RssAnon").trim_end_matches(" kB").parse().unwrap();
        assert!(anonymous < 2048, "{anonymous} kB");
        assert_eq!(process.handle.kill().await, Exit::Signal(9));
    }
}

/// A chain of processes of which each starts the next and ends is in no list of processes for long.
#[tokio::test]
async fn nobody_outruns_the_end_of_his_user_id() {
    use std::os::unix::process::CommandExt;
    // Of no user, no other test, and no one else here.
    const UID: u32 = 1_987_654_321;
    if !is_root() {
        notice("the end of a user id needs root");
        return;
    }
    // For minutes at most, if it is not ended.
    let chain = "setpgrp; while (time < $^T + 300) { fork and exit }";
    let perl = |uid, script: &str| {
        let mut command = std::process::Command::new("perl");
        command.args(["-e", script]).uid(uid).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut first = perl(UID, chain);
    let (mut second, mut other) = (perl(UID, "sleep 1000"), perl(UID + 1, "sleep 1000"));
    first.wait().unwrap();
    assert_eq!(spawner().end_all_of(UID).await.unwrap(), Exit::Code(0));
    assert_eq!(second.wait().unwrap().signal(), Some(9));
    let other_lives = other.try_wait().unwrap().is_none();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(other_lives);
    // Whoever is left of the chain holds its stdout.
    let held = first.stdout.take().unwrap();
    let read = tokio::task::spawn_blocking(move || std::io::read_to_string(held).unwrap());
    assert_eq!(soon("the end of all of them", read).await.unwrap(), "");
}
