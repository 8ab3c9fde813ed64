//! `mcpwrap serve` and `mcpwrap check`: the same flags, to serve with or to look at.

use std::cell::Cell;
use std::io::{self, Read as _};
use std::path::Path;

use clap::Args;

use super::args::{AuthArgs, ChildArgs, ExposureArgs, HttpArgs, IsolationArgs, OutputArgs};
use super::{Failure, failure};
use crate::app::{self, Rereading};
use crate::config::{self, Serve, Typed};
use crate::credentials::{Source, Users};
use crate::telemetry;

/// The flags of `serve`.
#[derive(Args, Clone, Debug)]
#[command(override_usage = "mcpwrap serve [OPTIONS] -- CMD [ARG]...\n       mcpwrap serve --config FILE [-- CMD [ARG]...]",
          after_help = after())]
pub struct ServeArgs {
    /// How clients reach us.
    #[command(flatten)]
    pub exposure: ExposureArgs,
    /// Who may come in.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// The wrapped server.
    #[command(flatten)]
    pub child: ChildArgs,
    /// The walls around users, and their secrets.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// Where to listen, and for whom.
    #[command(flatten)]
    pub http: HttpArgs,
    /// What the process says and keeps.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The flags of `check`.
#[derive(Args, Clone, Debug)]
#[command(override_usage = "mcpwrap check [OPTIONS OF SERVE] -- CMD [ARG]...")]
pub struct CheckArgs {
    /// The flags of `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
}

fn after() -> String {
    let sources = Source::schemes(Users::Many).map(|scheme| format!("  {scheme}\n"));
    format!(
        "\
Flags beat variables (--call-timeout is MCPWRAP_CALL_TIMEOUT) beat the file.
Times are 30s or 15m, sizes 4MiB.
SOURCE is one of
{}In its path {{user}}, {{sub}}, {{iss}}, {{tenant}}, {{tenant_id}}, {{email}} and
{{claim:NAME}} stand for the caller.",
        sources.collect::<String>()
    )
}

/// What `serve` and `check` share: the configuration, and its warnings said.
pub(super) fn serve(
    typed: &Typed,
    run: fn(Serve) -> Result<(), Vec<Failure>>,
) -> Result<(), Vec<Failure>> {
    let rereading = Cell::new(Rereading::Possible);
    let once = |path: &Path| {
        if !path.is_file() {
            rereading.set(Rereading::Impossible);
        }
        read(path)
    };
    let serve = config::serve(typed, |var| std::env::var_os(var), once);
    let serve = serve.map_err(|problems| failure::all(&problems))?;
    app::protect(&serve, rereading.get()).map_err(|error| {
        vec![Failure::runtime("cannot protect the memory of this process").because(&error)]
    })?;
    failure::warn(&serve.warnings);
    telemetry::init(&serve.log).map_err(|error| vec![Failure::of(&error)])?;
    run(serve)
}

/// The file's text, cut one byte after the limit so that `config` notices.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(config::MAX_FILE as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
