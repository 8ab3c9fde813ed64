//! The words an operator types, and the only place that prints.
//!
//! clap says what may be typed; [`config`] says what it means; [`Run`] does it. stdout carries data
//! only, all else goes to stderr. Exit codes: 0 done, 1 failed while running, 2 usage or configuration.

pub mod args;
pub mod banner;
mod completions;
mod demo;
mod dev;
mod failure;
mod man;
mod secret;
mod serve;
pub mod settings;
mod start;
mod typed;
mod words;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use completions::{CompletionsArgs, Shell};
pub use demo::DemoArgs;
pub use dev::DevArgs;
pub use failure::{Failure, FailureKind};
pub use man::ManArgs;
pub use secret::{OwnerArgs, RemoveArgs, SecretArgs, SecretCommand, SetArgs};
pub use serve::{CheckArgs, ServeArgs};
pub use start::programs;

use crate::config;
use crate::telemetry::Colour;

/// Serve a local MCP server as a remote one
#[derive(Parser, Clone, Debug)]
#[command(name = "mcpwrap", version, arg_required_else_help = true, max_term_width = 120, after_help = AFTER,
          disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Serve one developer on loopback, with client settings, traces and restarts
    Dev(DevArgs),
    /// Serve many users, each with his own process and his own credential
    Serve(ServeArgs),
    /// Show the production path on this machine, with nothing to install
    Demo(DemoArgs),
    /// Say what is wrong with the options of serve before users do
    Check(CheckArgs),
    /// Keep, list and forget secrets in the encrypted store and the OS keyring
    Secret(SecretArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
    /// Print the manual
    Man(ManArgs),
}

const AFTER: &str = "\
Examples:
  mcpwrap dev -- npx -y @modelcontextprotocol/server-everything
  mcpwrap dev --trace --watch src -- python server.py
  mcpwrap serve --oidc https://login.example.com/realms/main \\
    --public-url https://mcp.example.com/mcp \\
    --credential GITHUB_TOKEN='vault:secret/mcp/{user}#token' \\
    -- github-mcp-server stdio

Exit codes: 0 done, 1 failed while running, 2 usage or configuration";

/// What the commands do once their settings are known.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// `mcpwrap dev`
    pub dev: fn(config::Dev) -> Result<(), Vec<Failure>>,
    /// `mcpwrap serve`
    pub serve: fn(config::Serve) -> Result<(), Vec<Failure>>,
    /// `mcpwrap check`
    pub check: fn(config::Serve) -> Result<(), Vec<Failure>>,
    /// `mcpwrap demo`
    pub demo: fn(config::Demo) -> Result<(), Vec<Failure>>,
    /// `mcpwrap secret`
    pub secret: fn(config::Secret) -> Result<(), Vec<Failure>>,
}

/// Does what the words say; the first word is the program's name.
#[must_use]
pub fn run(argv: impl IntoIterator<Item = OsString>, run: &Run) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    match act(&argv, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ending::Failures(failures)) => failure::report(&failures),
        Err(Ending::Clap(error)) => misuse(&argv, &error),
    }
}

/// Prints the endpoint's URL, the one line that stdout carries.
///
/// # Errors
/// stdout is closed.
pub fn print_url(url: &str) -> Result<(), Failure> {
    stdout(&format!("{url}\n"))
}

/// Shows the developer what is ready.
pub fn show(banner: &banner::Banner<'_>) {
    failure::say(&banner.text(Colour::of_stderr()));
}

/// How a run can end but well.
enum Ending {
    Clap(clap::Error),
    Failures(Vec<Failure>),
}

impl From<clap::Error> for Ending {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

impl From<Vec<Failure>> for Ending {
    fn from(failures: Vec<Failure>) -> Self {
        Self::Failures(failures)
    }
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self::Failures(vec![failure])
    }
}

fn act(argv: &[OsString], run: &Run) -> Result<(), Ending> {
    let mut declared = command();
    let matches = declared.try_get_matches_from_mut(argv)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let typed = match matches.subcommand() {
        Some((name, matches)) => declared
            .find_subcommand(name)
            .map(|declared| typed::of(declared, matches))
            .unwrap_or_default(),
        None => config::Typed::default(),
    };
    match cli.command {
        Command::Dev(_) => dev::dev(&typed, run)?,
        Command::Serve(_) => serve::serve(&typed, run.serve)?,
        Command::Check(_) => serve::serve(&typed, run.check)?,
        Command::Demo(args) => demo::demo(&args, &typed, run)?,
        Command::Secret(args) => secret::secret(args, run)?,
        Command::Completions(args) => completions::completions(args.shell)?,
        Command::Man(args) => man::man(&args)?,
    }
    Ok(())
}

/// Prints help, the version or what clap has to say, and the remedy for the commonest slip: no `--` before CMD.
fn misuse(argv: &[OsString], error: &clap::Error) -> ExitCode {
    // A closed stdout or stderr leaves nobody to tell.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let wraps = argv.get(1).is_some_and(|word| word == "dev" || word == "serve" || word == "check");
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && wraps
        && !argv.iter().any(|word| word == "--")
    {
        failure::say(&failure::hint_line(&format!("put -- before the command, like: -- {word} …")));
    }
    ExitCode::from(2)
}

fn command() -> clap::Command {
    Cli::command()
}

/// Writes data to stdout; a reader that has seen enough is no failure.
fn stdout(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::runtime("cannot write to stdout").because(&error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
