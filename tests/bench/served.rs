//! Whatever is measured over HTTP, as a process that was started and can be asked.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::echo::Era;
use super::http::{Endpoint, Template};
use super::proc;

/// How long a process may take until it answers.
const START: Duration = Duration::from_secs(60);
/// A peer that is not there yet is asked again when it has said something, or after this.
const ASK_AGAIN: Duration = Duration::from_millis(50);
const REVISION: &str = "2025-11-25";

/// A process that answers over HTTP.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    pub(crate) endpoint: Endpoint,
}

/// What is asked, and of which kind of client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    Echo,
    Large,
}

// === impl Tool ===

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Large => "large",
        }
    }

    /// The request as a line, with `{id}` in it.
    pub(crate) fn body(self, era: Era) -> String {
        let name = self.name();
        let meta = match era {
            Era::Legacy => "",
            Era::Modern => concat!(
                r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
                r#""io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"#,
                r#""io.modelcontextprotocol/clientCapabilities":{}}"#
            ),
        };
        format!(
            r#"{{"jsonrpc":"2.0","id":{{id}},"method":"tools/call","params":{{"name":"{name}","arguments":{{"message":"hello"}}{meta}}}}}"#
        )
    }
}

// === impl Served ===

impl Served {
    /// mcpwrap before the echo server.
    pub(crate) fn mcpwrap(era: Era) -> io::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpwrap"));
        command.args(["dev", "--listen", "127.0.0.1:0", "--"]).arg(std::env::current_exe()?);
        command.args(["echo", era.word()]).stdin(Stdio::null());
        Self::start(command, |_| Ok(()))
    }

    /// The floor, which answers with these bytes.
    pub(crate) fn floor(answer: &[u8]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").stdin(Stdio::piped());
        Self::start(command, |child| match child.stdin.take() {
            Some(mut stdin) => stdin.write_all(answer),
            None => Ok(()),
        })
    }

    /// A process that prints its URL as its first line.
    fn start(
        mut command: Command,
        feed: impl FnOnce(&mut Child) -> io::Result<()>,
    ) -> io::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        feed(&mut child)?;
        let mut url = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        let endpoint =
            Endpoint::read(&url).ok_or_else(|| io::Error::other("no url was printed"))?;
        Ok(Self { child, endpoint })
    }

    /// A peer: `{port}` and `{child}` in its command are replaced; it has to answer in time.
    pub(crate) fn peer(path: &str, command: &str) -> io::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let echo = std::env::current_exe()?;
        let command = command
            .replace("{port}", &port)
            .replace("{child}", &format!("{} echo legacy", echo.display()));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).process_group(0);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn()?;
        let (said, news) = channel();
        for pipe in [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ]
        .into_iter()
        .flatten()
        {
            let said = said.clone();
            std::thread::spawn(move || {
                // Read to the end, so that a peer that logs never stalls.
                for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    let _ = said.send(line);
                }
            });
        }
        let endpoint = Endpoint::read(&format!("http://127.0.0.1:{port}{path}"))
            .ok_or_else(|| io::Error::other("a path that is none"))?;
        let served = Self { child, endpoint };
        served.answered(&news)?;
        Ok(served)
    }

    fn answered(&self, news: &Receiver<Vec<u8>>) -> io::Result<()> {
        let start = Instant::now();
        let mut last = Vec::new();
        loop {
            if self.session().is_ok() {
                return Ok(());
            }
            if start.elapsed() > START {
                let last = String::from_utf8_lossy(&last);
                return Err(io::Error::other(format!("it did not answer; it last said: {last}")));
            }
            if let Ok(line) = news.recv_timeout(ASK_AGAIN) {
                last = line;
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Begins a legacy session; a server without sessions gives none.
    pub(crate) fn session(&self) -> io::Result<Option<String>> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{{id}},"method":"initialize","params":{{"protocolVersion":"{REVISION}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}}}}}}"#
        );
        let answer = self.endpoint.ask(&self.endpoint.template(&[], &body), 1)?;
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(io::Error::other(format!("no session: {} {body}", answer.status)));
        }
        let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let session = answer.session.as_deref();
        let taken = self.endpoint.ask(&self.endpoint.template(&in_session(session), ready), 0)?;
        match taken.status {
            200..300 => Ok(answer.session),
            status => Err(io::Error::other(format!("not taken for initialized: {status}"))),
        }
    }

    /// Calls of a legacy client in a session of its own.
    pub(crate) fn legacy(&self, tool: Tool) -> io::Result<Template> {
        self.prefixed(tool, "")
    }

    /// The same for a server that puts a prefix before the names of tools.
    pub(crate) fn prefixed(&self, tool: Tool, prefix: &str) -> io::Result<Template> {
        let session = self.session()?;
        let headers = in_session(session.as_deref());
        let own = format!(r#""name":"{}""#, tool.name());
        let prefixed = format!(r#""name":"{prefix}{}""#, tool.name());
        let body = tool.body(Era::Legacy).replace(&own, &prefixed);
        Ok(self.endpoint.template(&headers, &body))
    }

    /// Calls of a modern client.
    pub(crate) fn modern(&self, tool: Tool) -> Template {
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool.name()),
        ];
        self.endpoint.template(&headers, &tool.body(Era::Modern))
    }

    /// The CPU time of the process and what it started, without the echo server.
    pub(crate) fn cpu_of_tree(&self) -> Duration {
        self.tree().into_iter().map(proc::cpu).sum()
    }

    /// The memory that the process and what it started have for themselves, without the echo server.
    pub(crate) fn memory_of_tree(&self) -> f64 {
        self.tree().into_iter().map(|pid| proc::memory(pid).private).sum()
    }

    fn tree(&self) -> Vec<u32> {
        let own = std::env::current_exe().unwrap_or_default();
        proc::tree(self.pid(), own.to_str().unwrap_or_default())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The whole group, for a peer may be a launcher with the real thing below it.
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn in_session(session: Option<&str>) -> Vec<(&'static str, &str)> {
    let version = ("mcp-protocol-version", REVISION);
    match session {
        Some(session) => vec![version, ("mcp-session-id", session)],
        None => vec![version],
    }
}

/// The echo server, to be spoken to directly.
pub(crate) fn echo(program: &Path, era: Era) -> Command {
    let mut command = Command::new(program);
    command.args([OsStr::new("echo"), OsStr::new(era.word())]);
    command
}
