//! The real mcpwrap, `dev` or `serve`, around the fixture: put together, started, and heard to its end.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::fixture::child_program;
use super::http::{Reply, Request};
use super::modern::Modern;
use super::provider::{PUBLIC, Provider};
use super::scratch::Scratch;
use super::stderr::Stderr;
use super::vault::Vault;
use super::wait::{eventually, soon};

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Mcpwrap {
    mode: Mode,
    /// Where it keeps its state and its records, and where a test may put files of its own.
    pub(crate) dir: Arc<Scratch>,
    listen: Option<String>,
    public_url: Option<&'static str>,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    command: Vec<String>,
    child: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Dev,
    Serve,
}

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

// === impl Mcpwrap ===

impl Mcpwrap {
    /// For one developer, with his environment.
    pub(crate) fn dev() -> Self {
        Self::new(Mode::Dev, None)
    }

    /// For the users of no provider yet, with an environment of its own.
    pub(crate) fn serve() -> Self {
        Self::new(Mode::Serve, Some(PUBLIC))
    }

    fn new(mode: Mode, public_url: Option<&'static str>) -> Self {
        Self {
            mode,
            dir: Arc::new(Scratch::new()),
            listen: Some("127.0.0.1:0".to_owned()),
            public_url,
            flags: Vec::new(),
            env: Vec::new(),
            command: Vec::new(),
            child: Vec::new(),
        }
    }

    /// Around a server of 2026-07-28; without this it is one of the revisions up to 2025-11-25.
    pub(crate) fn modern(self) -> Self {
        self.child(["--modern"])
    }

    /// For the users of this provider.
    pub(crate) fn oidc(self, provider: &Provider) -> Self {
        self.flags(["--oidc", &provider.issuer()])
    }

    /// With the credentials of this vault.
    pub(crate) fn vault(self, vault: &Vault) -> Self {
        vault.env().iter().fold(self, |mcpwrap, (name, value)| mcpwrap.env(name, value))
    }

    /// Flags of mcpwrap.
    pub(crate) fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(str::to_owned));
        self
    }

    /// A variable of mcpwrap's own environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another command than the fixture.
    pub(crate) fn command<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.command = words.map(str::to_owned).to_vec();
        self
    }

    /// Arguments of the fixture.
    pub(crate) fn child<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.child.extend(flags.map(str::to_owned));
        self
    }

    /// Where to listen; any free port of loopback without this.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        self.listen = Some(address.to_owned());
        self
    }

    /// Where mcpwrap listens if it is not told.
    pub(crate) fn listen_by_default(mut self) -> Self {
        self.listen = None;
        self
    }

    pub(crate) fn without_public_url(mut self) -> Self {
        self.public_url = None;
        self
    }

    fn command_line(&self, word: &str) -> Command {
        let mut line = Command::new(env!("CARGO_BIN_EXE_mcpwrap"));
        line.arg(word);
        if let Some(address) = &self.listen {
            line.args(["--listen", address]);
        }
        if let Some(url) = &self.public_url {
            line.args(["--public-url", url]);
        }
        if let Mode::Serve = self.mode {
            // The walls have tests of their own; what every machine permits is enough here.
            line.args(["--isolation", "basic", "--child-era", "legacy"]);
            line.arg("--state-dir").arg(self.dir.join("state"));
            line.arg("--audit").arg(self.dir.join("audit.log"));
            line.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &**self.dir);
        }
        line.args(&self.flags).arg("--").args(&self.command);
        if self.command.is_empty() {
            line.arg(child_program());
        }
        line.args(&self.child).envs(self.env.iter().map(|(name, value)| (name, value)));
        line
    }

    fn word(&self) -> &'static str {
        match self.mode {
            Mode::Dev => "dev",
            Mode::Serve => "serve",
        }
    }

    /// Starts it and waits for the URL.
    pub(crate) async fn start(self) -> Served {
        Served::of(self.command_line(self.word()), self.dir).await
    }

    /// Runs it to its own end, which must come.
    pub(crate) async fn refused(self) -> Ended {
        Ended::of(self.command_line(self.word())).await
    }

    /// Has the same settings looked at.
    pub(crate) async fn checked(self) -> Ended {
        Ended::of(self.command_line("check")).await
    }
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

    /// Somebody with this token.
    pub(crate) fn caller(&self, token: &str) -> Modern {
        Modern::new(self).bearing(token)
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
