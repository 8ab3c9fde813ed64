//! Nobody reads the memory of mcpwrap and of its stages: not their neighbours of the same user, and no core.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use mcpwrap::process::Exit;
use nix::unistd::geteuid;

use crate::children::{parent_of, start};
use crate::proc::field;
use crate::scratch::Scratch;
use crate::users::{Kind, State, as_ordinary, permitted};

const BINARY: &str = env!("CARGO_BIN_EXE_mcpwrap");
const TOKEN: &str = "hvs.the-token-of-the-vault";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The system gives the files in `/proc` of a process that is not dumpable to root, whoever it runs as.
fn is_closed(pid: i32) -> bool {
    let owner = fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid();
    assert!(!geteuid().is_root(), "root cannot tell the difference");
    owner != geteuid().as_raw()
}

#[tokio::test]
async fn the_secrets_of_mcpwrap_itself_are_for_nobody() {
    let ordinary = as_ordinary("memory::the_secrets_of_mcpwrap_itself_are_for_nobody");
    let dir = Scratch::new();
    let value = dir.join("value");
    fs::write(&value, "of alice").unwrap();
    let kept = Command::new(BINARY)
        .args([
            "secret",
            "set",
            "store:b",
            "--issuer",
            "https://127.0.0.1:9/",
            "--subject",
            "alice",
        ])
        .args(["--master-key", "env:STORE_KEY", "--from-file"])
        .arg(value)
        .arg("--state-dir")
        .arg(dir.join("state"))
        .env("STORE_KEY", KEY)
        .status();
    assert!(kept.unwrap().success());
    let mut served = Command::new(BINARY)
        .args(["serve", "--oidc", "https://127.0.0.1:9/", "--audience", "x", "--listen"])
        .args(["127.0.0.1:0", "--isolation", "basic", "--credential", "A=vault:a/{sub}#b"])
        .args(["--credential", "B=store:b", "--master-key", "env:STORE_KEY", "--state-dir"])
        .arg(dir.join("state"))
        .args(["--", "/bin/cat"])
        .envs([("VAULT_ADDR", "http://127.0.0.1:9"), ("VAULT_TOKEN", TOKEN), ("STORE_KEY", KEY)])
        .env("HARMLESS", "seen")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(served.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let pid = served.id().cast_signed();
    let environ = fs::read(format!("/proc/{pid}/environ"));
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"));
    let closed = ordinary.then(|| is_closed(pid));
    let name = field(pid, "Name");
    served.kill().unwrap();
    served.wait().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "both secrets are still found: {url}");
    assert_eq!(name, "mcpwrap");
    let core =
        limits.unwrap().lines().find(|line| line.starts_with("Max core")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    if ordinary {
        assert_eq!(closed, Some(true));
        assert_eq!(environ.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    } else {
        // Root sees everything but what is not there.
        let environ = String::from_utf8(environ.unwrap()).unwrap();
        assert!(environ.contains("HARMLESS=seen"), "{environ}");
        assert!(!environ.contains(TOKEN) && !environ.contains(KEY), "{environ}");
    }
}

#[tokio::test]
async fn the_stages_above_a_command_are_closed() {
    if !as_ordinary("memory::the_stages_above_a_command_are_closed") {
        return;
    }
    for kind in [Kind::Namespaces, Kind::Basic, Kind::None] {
        if !permitted(kind).await {
            continue;
        }
        let state = State::new();
        let process = start(state.user("alice", 1, kind).command("/bin/cat", &[])).await;
        let command = process.pid.cast_signed();
        let above = parent_of(command);
        assert!(is_closed(above), "{kind:?}: {}", field(above, "Name"));
        if kind == Kind::Namespaces {
            assert_eq!(field(above, "Name"), "mcpwrap-init");
            assert!(is_closed(parent_of(above)), "the supervisor above init");
        }
        if kind == Kind::None {
            assert!(!is_closed(command), "the command is its developer's own");
        }
        assert_eq!(process.handle.kill().await, Exit::Signal(9));
    }
}

/// It is there for the blink of an eye, with the secrets in its memory; here it waits for them for ever.
#[test]
fn the_stage_that_reads_the_secrets_is_closed() {
    if !as_ordinary("memory::the_stage_that_reads_the_secrets_is_closed") {
        return;
    }
    let parent = std::process::id().to_string();
    // Its specification comes over its stdin, which never ends; its failure would go to stdout.
    let mut stage = Command::new(BINARY)
        .args(["__stage2", &parent, "0", "1"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = stage.id().cast_signed();
    // More than a pipe holds: when it is written, the stage has begun to read.
    stage.stdin.as_mut().unwrap().write_all(&[b' '; 1 << 20]).unwrap();
    assert!(is_closed(pid));
    stage.kill().unwrap();
    stage.wait().unwrap();
}
