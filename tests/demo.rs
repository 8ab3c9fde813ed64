//! `mcpwrap demo` as somebody meets it who has just installed mcpwrap: the real binary, the production path, and
//! nothing left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::support::*;

const NOBODY: u32 = 65534;
const STEPS: &[&str] = &[
    "no token",
    "discovery",
    "alice calls whoami",
    "bob calls whoami",
    "each his own",
    "bob takes alice's session",
    "bob's process spies on alice's",
    "the audit log",
];

/// A place that everybody may enter, with a copy of the binary in it and a directory for temporary files.
struct Place {
    dir: Arc<Scratch>,
}

// === impl Place ===

impl Place {
    fn new() -> Self {
        let place = Self { dir: Arc::new(Scratch::new()) };
        fs::create_dir(place.tmp()).unwrap();
        for (dir, mode) in [(place.dir.to_path_buf(), 0o755), (place.tmp(), 0o1777)] {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
        }
        // By a process of its own: what another test starts meanwhile would inherit our descriptor for a moment, and a
        // file that somebody has open for writing cannot be executed (ETXTBSY).
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_mcpwrap")).arg(place.binary());
        assert!(copy.status().unwrap().success());
        place
    }

    fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    fn binary(&self) -> PathBuf {
        self.dir.join("mcpwrap")
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", self.tmp());
        command.current_dir("/");
        command
    }

    fn demo(&self) -> Command {
        let mut command = self.command(self.binary());
        command.arg("demo");
        command
    }

    fn assert_nothing_left(&self) {
        let files: Vec<_> = fs::read_dir(self.tmp()).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(files.is_empty(), "files stayed: {files:?}");
        let left = carriers(self.tmp().to_str().unwrap());
        assert!(left.is_empty(), "processes stayed: {left:?}");
    }
}

/// Every step held, no secret was shown, and stdout stayed empty.
fn assert_all_held(ended: &Ended) {
    let err = &ended.err;
    assert_eq!(ended.code, Some(0), "{err}");
    assert_eq!(ended.out, "");
    for step in STEPS {
        assert!(err.lines().any(|line| line.starts_with(&format!("✓ {step} "))), "{step}: {err}");
    }
    assert!(!err.contains('✗'), "{err}");
    for start in ["ali_", "bob_"] {
        assert!(err.contains(&format!("{start}…")), "{err}");
        assert!(err.match_indices(start).all(|(at, _)| err[at + 4..].starts_with('…')), "{err}");
    }
}

#[tokio::test]
async fn every_step_holds() {
    let place = Place::new();
    let mut command = place.demo();
    command.arg("--once");
    let output = Ended::of(command).await;
    assert_all_held(&output);
    place.assert_nothing_left();
}

#[tokio::test]
async fn every_step_holds_for_a_user_without_any_rights() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can become nobody");
        return;
    }
    let place = Place::new();
    let mut command = place.demo();
    command.arg("--once").uid(NOBODY).gid(NOBODY);
    let output = Ended::of(command).await;
    assert_all_held(&output);
    place.assert_nothing_left();
}

#[tokio::test]
async fn lower_walls_are_said_aloud_and_hold_as_well() {
    let place = Place::new();
    // Root of a namespace with one user id has no other to give away.
    let mut alone = place.command("unshare");
    alone.args(["-Ur", "true"]);
    if Ended::of(alone).await.code != Some(0) {
        eprintln!("skipped: no user namespaces here");
        return;
    }
    let mut command = place.command("unshare");
    command.arg("-Ur").arg(place.binary()).args(["demo", "--once"]);
    let output = Ended::of(command).await;
    assert_all_held(&output);
    assert!(output.err.contains("Walls: BASIC"));
    place.assert_nothing_left();
}

#[tokio::test]
async fn every_step_holds_although_new_files_are_private() {
    let place = Place::new();
    let mut command = place.command("/bin/sh");
    command.args(["-c", "umask 077 && exec \"$0\" demo --once"]).arg(place.binary());
    assert_all_held(&Ended::of(command).await);
    place.assert_nothing_left();
}

/// A demo that has shown everything and stays up, and what stderr said until then.
async fn staying(place: &Place) -> (Served, String) {
    let demo = Served::of(place.demo(), Arc::clone(&place.dir)).await;
    // The URL is the last thing that is said.
    demo.stderr.wait("claude mcp add").await;
    let said = demo.stderr.lines().join("\n");
    (demo, said)
}

#[tokio::test]
async fn it_stays_up_until_a_signal_and_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let place = Place::new();
        let (mut demo, said) = staying(&place).await;
        assert!(demo.url.starts_with("http://127.0.0.1:") && demo.url.ends_with("/mcp"));
        assert!(said.contains(&format!("curl -s {}", demo.url)), "{said}");
        demo.signal(signal);
        assert_eq!(demo.ended().await.code(), Some(0));
        place.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_running_server_shares_its_store_with_the_command_line() {
    let place = Place::new();
    let (_demo, said) = staying(&place).await;
    let issuer = said.split("curl -s '").nth(1).unwrap().split("/token").next().unwrap();
    let state = fs::read_dir(place.tmp()).unwrap().next().unwrap().unwrap().path().join("state");
    let run = async |action: &str, rest: &[&str]| {
        let mut command = place.command(place.binary());
        command.args(["secret", action]).args(rest).arg("--state-dir").arg(&state);
        Ended::of(command).await
    };
    let listed = async || {
        let output = run("list", &[]).await;
        assert_eq!(output.code, Some(0));
        output.out
    };
    let table = listed().await;
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ISSUER", "TENANT", "SUBJECT", "NAME", "UPDATED"]);
    for (row, user) in rows[1..].iter().zip(["alice", "bob"]) {
        assert_eq!(row[..4], [issuer, "-", user, "DEMO_TOKEN"]);
        assert!(row[4].ends_with('Z') && row[4].len() == 20, "{row:?}");
    }
    assert!(!table.contains("ali_"));
    let bob = ["store:DEMO_TOKEN", "--issuer", issuer, "--subject", "bob"];
    assert_eq!(run("rm", &bob).await.code, Some(0));
    let again = run("rm", &bob).await;
    assert_eq!((again.code, again.out.as_str()), (Some(1), ""));
    assert!(again.err.contains("there is no such secret"));
    let value = place.dir.join("value");
    fs::write(&value, "carols\n").unwrap();
    let carol = ["store:DEMO_TOKEN", "--issuer", issuer, "--subject", "carol", "--from-file"];
    let set = run("set", &[&carol[..], &[value.to_str().unwrap()]].concat()).await;
    assert_eq!((set.code, set.out.as_str()), (Some(0), ""));
    // An empty value is refused before anything is changed.
    assert_eq!(run("set", &carol[..5]).await.code, Some(1));
    let table = listed().await;
    assert!(
        table.contains("alice") && table.contains("carol") && !table.contains("bob"),
        "{table}"
    );
}
