//! A running mcpwrap, or one that has ended by itself, and everything that it said and wrote.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::http::{Reply, Request};
use super::scratch::Scratch;
use super::stderr::Stderr;
use super::wait::{eventually, soon};

/// How long the end of the output may come after that of the process.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A process that ends with whoever holds it.
#[derive(Debug)]
struct Killed(Child);

/// A running mcpwrap; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Served {
    process: Killed,
    /// What it wrote to stdout after the URL.
    further: Option<JoinHandle<String>>,
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
        // Held from here on, so that a wait in vain ends the process and with it whoever reads its output.
        let mut held = Killed(command.spawn().unwrap());
        let process = &mut held.0;
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
        let further = std::thread::spawn(move || {
            let mut more = Vec::new();
            let _ = rest.read_to_end(&mut more);
            String::from_utf8_lossy(&more).into_owned()
        });
        Self { process: held, further: Some(further), url, at, stderr, dir }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.0.id().cast_signed()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the end of mcpwrap", || {
            status = self.process.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        let further = &self.further;
        eventually("the end of stdout", || further.as_ref().is_none_or(JoinHandle::is_finished))
            .await;
        self.expect_no_more();
        status.unwrap()
    }

    fn expect_no_more(&mut self) {
        let further = self.further.take().map(|further| further.join().unwrap());
        assert_eq!(further.unwrap_or_default(), "", "stdout carries one line only");
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

// === impl Killed ===

impl Killed {
    fn end(&mut self) {
        // Its own supervisors clean up after it, however it ends.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.end();
        if std::thread::panicking() {
            eprintln!("--- stderr of mcpwrap ---\n{}", self.stderr.lines().join("\n"));
        } else {
            // Its end has come, so that of its output has too; whoever else may hold it is not waited for.
            let until = Instant::now() + LAST_WORDS;
            while self.further.as_ref().is_some_and(|further| !further.is_finished())
                && Instant::now() < until
            {
                std::thread::yield_now();
            }
            if self.further.as_ref().is_some_and(JoinHandle::is_finished) {
                self.expect_no_more();
            }
        }
    }
}

// === impl Ended ===

impl Ended {
    /// Runs any command to its own end, which must come.
    pub(crate) async fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut held = Killed(command.spawn().unwrap());
        let (mut out, mut err) = (held.0.stdout.take().unwrap(), held.0.stderr.take().unwrap());
        let read = tokio::task::spawn_blocking(move || {
            let errors = std::thread::spawn(move || {
                let mut text = String::new();
                err.read_to_string(&mut text).map(|_| text)
            });
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            (text, errors.join().unwrap().unwrap())
        });
        let (out, err) = soon("the end of what mcpwrap says", read).await.unwrap();
        let mut status = None;
        eventually("the end of mcpwrap", || {
            status = held.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        Self { code: status.unwrap().code(), out, err }
    }
}
