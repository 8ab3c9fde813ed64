//! `mcpwrap demo` as somebody meets it who has just installed mcpwrap: the real binary, the production path, and
//! nothing left behind.

#![cfg(all(target_os = "linux", not(mcpwrap_portable)))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A machine that builds other things at the same time is slow, but not this slow.
const PATIENCE: Duration = Duration::from_secs(60);
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
    dir: PathBuf,
}

// === impl Place ===

impl Place {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("demo-test-{}-{name}", std::process::id()));
        let place = Self { dir };
        let _ = fs::remove_dir_all(&place.dir);
        for (dir, mode) in [(place.dir.clone(), 0o755), (place.tmp(), 0o1777)] {
            fs::create_dir_all(&dir).unwrap();
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
        }
        // By a process of its own: what another test starts meanwhile would inherit our descriptor for a moment, and a
        // file that somebody has open for writing cannot be executed (ETXTBSY).
        let mut copy = std::process::Command::new("cp");
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
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", self.tmp())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
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
        let own = self.tmp().to_str().unwrap().to_owned();
        let ours = |pid: &PathBuf| {
            let line = fs::read(pid.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&own)
        };
        let left: Vec<_> =
            fs::read_dir("/proc").unwrap().map(|e| e.unwrap().path()).filter(ours).collect();
        assert!(left.is_empty(), "processes stayed: {left:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

async fn ended(command: &mut Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("the demo ends").unwrap()
}

/// Every step held, no secret was shown, and stdout stayed empty.
fn assert_all_held(output: &Output) {
    let err = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
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
    let place = Place::new("once");
    let output = ended(place.demo().arg("--once")).await;
    assert_all_held(&output);
    place.assert_nothing_left();
}

#[tokio::test]
async fn every_step_holds_for_a_user_without_any_rights() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can become nobody");
        return;
    }
    let place = Place::new("nobody");
    let output = ended(place.demo().arg("--once").uid(NOBODY).gid(NOBODY)).await;
    assert_all_held(&output);
    place.assert_nothing_left();
}

#[tokio::test]
async fn lower_walls_are_said_aloud_and_hold_as_well() {
    let place = Place::new("basic");
    // Root of a namespace with one user id has no other to give away.
    let alone = ended(place.command("unshare").args(["-Ur", "true"])).await;
    if !alone.status.success() {
        eprintln!("skipped: no user namespaces here");
        return;
    }
    let mut command = place.command("unshare");
    let output = ended(command.arg("-Ur").arg(place.binary()).args(["demo", "--once"])).await;
    assert_all_held(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("Walls: BASIC"));
    place.assert_nothing_left();
}

#[tokio::test]
async fn every_step_holds_although_new_files_are_private() {
    let place = Place::new("umask");
    let mut command = place.command("/bin/sh");
    command.args(["-c", "umask 077 && exec \"$0\" demo --once"]).arg(place.binary());
    assert_all_held(&ended(&mut command).await);
    place.assert_nothing_left();
}

/// A demo that has shown everything and stays up.
struct Staying {
    child: Child,
    url: String,
    /// What stderr said until then.
    err: String,
}

async fn staying(place: &Place) -> Staying {
    let mut child = place.demo().spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let reading = async {
        let url = out.next_line().await.unwrap().unwrap();
        // The URL is the last thing that is said.
        while !said.contains("claude mcp add") {
            assert_ne!(err.read_line(&mut said).await.unwrap(), 0, "{said}");
        }
        url
    };
    let url = tokio::time::timeout(PATIENCE, reading).await.expect("the demo gets ready");
    tokio::spawn(async move { err.read_to_end(&mut Vec::new()).await });
    Staying { child, url, err: said }
}

#[tokio::test]
async fn it_stays_up_until_a_signal_and_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let place = Place::new(signal.as_str());
        let mut demo = staying(&place).await;
        assert!(demo.url.starts_with("http://127.0.0.1:") && demo.url.ends_with("/mcp"));
        assert!(demo.err.contains(&format!("curl -s {}", demo.url)), "{}", demo.err);
        kill(Pid::from_raw(demo.child.id().unwrap().cast_signed()), signal).unwrap();
        let status = tokio::time::timeout(PATIENCE, demo.child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
        place.assert_nothing_left();
    }
}

#[tokio::test]
async fn a_running_server_shares_its_store_with_the_command_line() {
    let place = Place::new("store");
    let demo = staying(&place).await;
    let issuer = demo.err.split("curl -s '").nth(1).unwrap().split("/token").next().unwrap();
    let state = fs::read_dir(place.tmp()).unwrap().next().unwrap().unwrap().path().join("state");
    let run = async |action: &str, rest: &[&str]| {
        let mut command = place.command(place.binary());
        ended(command.args(["secret", action]).args(rest).arg("--state-dir").arg(&state)).await
    };
    let listed = async || {
        let output = run("list", &[]).await;
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
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
    assert_eq!(run("rm", &bob).await.status.code(), Some(0));
    let again = run("rm", &bob).await;
    assert_eq!((again.status.code(), again.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no such secret"));
    let value = place.dir.join("value");
    fs::write(&value, "carols\n").unwrap();
    let carol = ["store:DEMO_TOKEN", "--issuer", issuer, "--subject", "carol", "--from-file"];
    let set = run("set", &[&carol[..], &[value.to_str().unwrap()]].concat()).await;
    assert_eq!((set.status.code(), set.stdout.as_slice()), (Some(0), &b""[..]));
    // An empty value is refused before anything is changed.
    assert_eq!(run("set", &carol[..5]).await.status.code(), Some(1));
    let table = listed().await;
    assert!(
        table.contains("alice") && table.contains("carol") && !table.contains("bob"),
        "{table}"
    );
}
