//! `mcpwrap dev`: one developer, loopback, client settings, traces, restarts.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::args::{ChildArgs, HttpArgs, OutputArgs};
use super::words::Words;
use super::{Failure, Run, failure, settings, stdout};
use crate::config::{self, Typed};
use crate::credentials::{Source, Users};
use crate::telemetry;

/// The flags of `dev`.
#[derive(Args, Clone, Debug)]
#[command(override_usage = "mcpwrap dev [OPTIONS] -- CMD [ARG]...", after_help = after())]
pub struct DevArgs {
    /// Show each message between client and child: lines or full [default: off]
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "lines",
          value_parser = Words(&["lines", "full", "off"]), hide_possible_values = true)]
    pub trace: Option<OsString>,
    /// Restart the child when this file or directory changes (repeatable)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub watch: Vec<OsString>,
    /// Print ready-to-paste settings for this client, and exit
    #[arg(long, value_name = "CLIENT",
          value_parser = Words(&["vscode", "cursor", "claude-code", "claude-desktop", "json"]))]
    pub print_config: Option<OsString>,
    /// The wrapped server.
    #[command(flatten)]
    pub child: ChildArgs,
    /// Where to listen, and for whom.
    #[command(flatten)]
    pub http: HttpArgs,
    /// What the process says and keeps.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn after() -> String {
    let sources = Source::schemes(Users::One).map(|scheme| scheme.to_string());
    format!(
        "\
Every flag is also a variable: --call-timeout is MCPWRAP_CALL_TIMEOUT.
Times are 30s or 15m, sizes 4MiB.
SOURCE is one of {}.
dev listens on loopback only; for more, see mcpwrap serve.",
        sources.collect::<Vec<_>>().join(", ")
    )
}

pub(super) fn dev(typed: &Typed, run: &Run) -> Result<(), Vec<Failure>> {
    let dev = config::dev(typed, |var| std::env::var_os(var))
        .map_err(|problems| failure::all(&problems))?;
    failure::warn(&dev.warnings);
    if let Some(app) = dev.print {
        let url = format!("http://{}{}", dev.listen.addr, dev.endpoint_path);
        return stdout(&settings::whole(app, &url, &dev.name)).map_err(|failure| vec![failure]);
    }
    telemetry::init(&dev.log).map_err(|error| vec![Failure::of(&error)])?;
    (run.dev)(dev)
}
