//! A running `mcpwrap serve` around the fixture, or one that refuses to start.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::caller::Caller;
use super::provider::Provider;
use super::stderr::Stderr;
use super::vault::Vault;
use super::{PUBLIC, eventually, scratch, soon};

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) dir: PathBuf,
    flags: Vec<String>,
    child: Vec<String>,
    env: Vec<(String, String)>,
    listen: String,
    public: Option<String>,
}

/// A running mcpwrap; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    pub(crate) at: SocketAddr,
    pub(crate) stderr: Stderr,
    dir: PathBuf,
}

/// What a run left behind that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The wrapped server of the tests, an example of this package.
fn child_program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join("examples/fixture-child");
    // `cargo test` builds it, `cargo test --test serve` does not.
    assert!(path.exists(), "{path:?} is missing: cargo build --example fixture-child");
    path
}

// === impl Setup ===

impl Setup {
    /// For the users of this provider.
    pub(crate) fn new(name: &str, provider: &Provider) -> Self {
        Self::bare(name).flags(["--oidc", &provider.issuer()])
    }

    /// For nobody yet.
    pub(crate) fn bare(name: &str) -> Self {
        Self {
            dir: scratch(name),
            flags: Vec::new(),
            child: Vec::new(),
            env: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
            public: Some(PUBLIC.to_owned()),
        }
    }

    pub(crate) fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(str::to_owned));
        self
    }

    /// Arguments of the fixture.
    pub(crate) fn child<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.child.extend(flags.map(str::to_owned));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn vault(self, vault: &Vault) -> Self {
        vault.env().iter().fold(self, |setup, (name, value)| setup.env(name, value))
    }

    pub(crate) fn listen(mut self, address: &str) -> Self {
        self.listen = address.to_owned();
        self
    }

    pub(crate) fn without_public_url(mut self) -> Self {
        self.public = None;
        self
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpwrap"));
        command.args([word, "--listen", &self.listen, "--child-era", "legacy"]);
        // The walls have tests of their own; what every machine permits is enough here.
        command.args(["--isolation", "basic"]);
        command.arg("--state-dir").arg(self.dir.join("state"));
        command.arg("--audit").arg(self.dir.join("audit.log"));
        if let Some(url) = &self.public {
            command.args(["--public-url", url]);
        }
        command.args(&self.flags).arg("--").arg(child_program()).args(&self.child);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &self.dir)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it and waits for the URL.
    pub(crate) async fn serve(self) -> Served {
        let mut process = self.command("serve").spawn().unwrap();
        let stderr = Stderr::of(process.stderr.take().unwrap());
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let read = tokio::task::spawn_blocking(move || {
            let mut url = String::new();
            stdout.read_line(&mut url).unwrap();
            (url, stdout)
        });
        let (url, mut rest) = soon("the URL on stdout", read).await.unwrap();
        let host = url.trim_end().strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let Some(at) = host.and_then(|host| host.parse().ok()) else {
            panic!("not a URL: {url:?}\n{}", stderr.lines().join("\n"));
        };
        // Whoever writes to stdout later must not block, and must not go unseen.
        std::thread::spawn(move || {
            let mut more = String::new();
            let _ = rest.read_to_string(&mut more);
            assert_eq!(more, "", "stdout carries one line only");
        });
        Served { process, at, stderr, dir: self.dir }
    }

    /// Runs it to its own end, which must come.
    pub(crate) async fn refused(self) -> Ended {
        Self::ended(self.command("serve")).await
    }

    /// Has the same settings looked at.
    pub(crate) async fn checked(self) -> Ended {
        Self::ended(self.command("check")).await
    }

    async fn ended(mut command: Command) -> Ended {
        let mut process = command.spawn().unwrap();
        let (mut out, mut err) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
        let run = tokio::task::spawn_blocking(move || {
            let mut ended = Ended { code: None, out: String::new(), err: String::new() };
            out.read_to_string(&mut ended.out).unwrap();
            err.read_to_string(&mut ended.err).unwrap();
            ended.code = process.wait().unwrap().code();
            ended
        });
        soon("the end of mcpwrap", run).await.unwrap()
    }
}

// === impl Served ===

impl Served {
    /// Somebody with this token.
    pub(crate) fn caller(&self, token: &str) -> Caller {
        Caller { at: self.at, token: token.to_owned() }
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
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).unwrap();
        eventually("the end of mcpwrap", || self.process.try_wait().unwrap().is_some()).await;
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
