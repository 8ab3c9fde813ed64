//! A running `mcpwrap dev` around the fixture.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::stderr::Stderr;
use super::{Request, eventually, soon};

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    flags: Vec<String>,
    command: Vec<String>,
    child: Vec<String>,
    env: Vec<(String, String)>,
    listen: Option<String>,
}

/// A running mcpwrap; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    pub(crate) url: String,
    pub(crate) at: SocketAddr,
    pub(crate) stderr: Stderr,
}

/// The wrapped server of the tests, an example of this package.
pub(crate) fn child_program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join("examples/fixture-child");
    // `cargo test` builds it, `cargo test --test it` does not.
    let built = path.metadata().and_then(|of| of.modified());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/child");
    let written = std::fs::read_dir(source).unwrap();
    let written = written.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok()).max();
    let fresh = built.is_ok_and(|built| written.is_none_or(|written| written <= built));
    assert!(fresh, "{path:?} is missing or old: cargo build --example fixture-child");
    path
}

// === impl Setup ===

impl Setup {
    /// A server of the revisions up to 2025-11-25.
    pub(crate) fn legacy() -> Self {
        Self::default()
    }

    /// A server of 2026-07-28.
    pub(crate) fn modern() -> Self {
        Self::default().child(["--modern"])
    }

    /// Flags of mcpwrap.
    pub(crate) fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(str::to_owned));
        self
    }

    /// Arguments of the fixture.
    pub(crate) fn child<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.child.extend(flags.map(str::to_owned));
        self
    }

    /// Another command than the fixture.
    pub(crate) fn command<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.command = words.map(str::to_owned).to_vec();
        self
    }

    /// A variable of mcpwrap's own environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where to listen; nowhere in particular means the default.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        self.listen = Some(address.to_owned());
        self
    }

    pub(crate) fn spawn(self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpwrap"));
        command.arg("dev");
        match self.listen.as_deref() {
            None => drop(command.args(["--listen", "127.0.0.1:0"])),
            Some("") => {}
            Some(address) => drop(command.args(["--listen", address])),
        }
        command.args(&self.flags).arg("--").args(&self.command);
        if self.command.is_empty() {
            command.arg(child_program());
        }
        command
            .args(&self.child)
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Starts it and waits for the URL.
    pub(crate) async fn serve(self) -> Served {
        let mut process = self.spawn();
        let stderr = Stderr::of(process.stderr.take().unwrap());
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let read = tokio::task::spawn_blocking(move || {
            let mut url = String::new();
            stdout.read_line(&mut url).unwrap();
            (url, stdout)
        });
        let (url, mut rest) = soon("the URL on stdout", read).await.unwrap();
        let url = url.trim_end().to_owned();
        let host = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let Some(at) = host.and_then(|host| host.parse().ok()) else {
            panic!("not a URL: {url:?}\n{}", stderr.lines().join("\n"));
        };
        // Whoever writes to stdout later must not block, and must not go unseen.
        std::thread::spawn(move || {
            let mut more = String::new();
            let _ = rest.read_to_string(&mut more);
            assert_eq!(more, "", "stdout carries one line only");
        });
        Served { process, url, at, stderr }
    }
}

// === impl Served ===

impl Served {
    pub(crate) fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the end of mcpwrap", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// A request without a session, with any body, and the status and JSON of its answer.
    pub(crate) async fn send(&self, request: &Request) -> super::Reply {
        request.send(self.at).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Its own supervisors clean up after it, however it ends.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- stderr of mcpwrap ---\n{}", self.stderr.lines().join("\n"));
        }
    }
}

/// Kills a process of the test.
pub(crate) fn kill_hard(pid: &serde_json::Value) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}
