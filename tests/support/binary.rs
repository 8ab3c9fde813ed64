//! The real mcpwrap, `dev` or `serve`, around the fixture: its command line and environment, and how it is started.

use std::process::Command;
use std::sync::Arc;

use super::fixture::child_program;
use super::provider::{PUBLIC, Provider};
use super::scratch::Scratch;
use super::served::{Ended, Served};
use super::vault::Vault;

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Mcpwrap {
    mode: Mode,
    /// Where it keeps its state and its records, and where a test may put files of its own.
    pub(crate) dir: Arc<Scratch>,
    listen: Option<String>,
    public_url: Option<&'static str>,
    isolation: &'static str,
    open_files: Option<usize>,
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
            // The walls have tests of their own; what every machine permits is enough here.
            isolation: "basic",
            open_files: None,
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

    /// With the highest walls.
    pub(crate) fn strict(mut self) -> Self {
        self.isolation = "strict";
        self
    }

    /// With no more open files than this, half of which are for connections.
    pub(crate) fn open_files(mut self, most: usize) -> Self {
        self.open_files = Some(most);
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
        let mut line = match self.open_files {
            None => Command::new(env!("CARGO_BIN_EXE_mcpwrap")),
            Some(most) => {
                let mut limited = Command::new("prlimit");
                limited.arg(format!("--nofile={most}:{most}")).arg(env!("CARGO_BIN_EXE_mcpwrap"));
                limited
            }
        };
        line.arg(word);
        if let Some(address) = &self.listen {
            line.args(["--listen", address]);
        }
        if let Some(url) = &self.public_url {
            line.args(["--public-url", url]);
        }
        if let Mode::Serve = self.mode {
            line.args(["--isolation", self.isolation]);
            // Not every one is asked how it speaks.
            if !self.flags.iter().any(|flag| flag == "--child-era") {
                line.args(["--child-era", "legacy"]);
            }
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
