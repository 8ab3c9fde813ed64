//! A running mcpwrap, or one that has ended by itself, and everything that it said and wrote.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::http::{Reply, Request};
use super::scratch::Scratch;
use super::stderr::Stderr;
use super::wait::{eventually, soon};

/// A running mcpwrap; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    pub(crate) url: String,
    pub(crate) at: SocketAddr,
    pub(crate) stderr: Stderr,
    dir: Arc<Scratch>,
}

/// What a run left behind that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

// === impl Served ===

impl Served {
    /// Starts any command of mcpwrap that serves, with `dir` to be kept for it, and waits for the URL.
    pub(crate) async fn of(mut command: Command, dir: Arc<Scratch>) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
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
        Self { process, url, at, stderr, dir }
    }

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

    /// Sends any request and returns the head of its answer.
    pub(crate) async fn send(&self, request: &Request) -> Reply {
        request.send(self.at).await
    }

    /// Waits for the records of so many calls to be complete, and returns all records.
    pub(crate) async fn audited(&self, calls: usize) -> Vec<Value> {
        let mut records = Vec::new();
        eventually("the audit records", || {
            records = records_of(&self.dir.join("audit.log"));
            records.iter().filter(|record| record["event"] == "end").count() >= calls
        })
        .await;
        records
    }

    /// Waits for so many security events of a kind, and returns them.
    pub(crate) async fn incidents(&self, what: &str, count: usize) -> Vec<Value> {
        let mut found = Vec::new();
        eventually(what, || {
            found = records_of(&self.dir.join("audit.log"));
            found.retain(|record| record["event"] == "security" && record["what"] == what);
            found.len() >= count
        })
        .await;
        found
    }

    /// Stops it in peace, and returns everything that it wrote: the log and the audit records.
    pub(crate) async fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        self.ended().await;
        let audit = std::fs::read_to_string(self.dir.join("audit.log")).unwrap();
        format!("{}\n{audit}", self.stderr.lines().join("\n"))
    }

    /// The homes that were made so far: `homes/TENANT/USER` in the state directory, each by its digest.
    pub(crate) fn homes(&self) -> Vec<String> {
        let tenants = inside(&self.dir.join("state/homes"));
        let homes = tenants.iter().flat_map(|tenant| inside(tenant));
        homes.map(|home| home.to_string_lossy().into_owned()).collect()
    }
}

fn records_of(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What a directory holds; nothing, where there is none.
fn inside(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
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

// === impl Ended ===

impl Ended {
    /// Runs any command to its own end, which must come.
    pub(crate) async fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.spawn().unwrap();
        let run = tokio::task::spawn_blocking(move || process.wait_with_output());
        let output = soon("the end of mcpwrap", run).await.unwrap().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
