//! `mcpwrap demo`: the production path on a laptop.

use clap::Args;

use super::args::LogArgs;
use super::{Failure, Run, failure, print_url};
use crate::config::{self, Rounds, Typed};
use crate::demo::{News, StepResult};
use crate::telemetry::{self, Colour, Newlines, printable};

/// The width of the steps' names, so that what was seen stands in a column.
const TITLE: usize = 30;

/// The flags of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Show everything once, and exit
    #[arg(long)]
    pub once: bool,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) fn demo(args: &DemoArgs, typed: &Typed, run: &Run) -> Result<(), Vec<Failure>> {
    let rounds = if args.once { Rounds::Once } else { Rounds::UntilStopped };
    let demo = config::demo(rounds, typed, |var| std::env::var_os(var));
    let demo = demo.map_err(|problems| failure::all(&problems))?;
    telemetry::init(&demo.log).map_err(|error| vec![Failure::of(&error)])?;
    (run.demo)(demo)
}

/// Shows on stderr how it goes; stdout carries the endpoint's URL when it stays up.
pub(super) fn tell(news: News) {
    let colour = Colour::of_stderr();
    match news {
        News::World { walls, issuer, cautions } => {
            let mut text = format!(
                "Two users, alice and bob; one identity provider, {issuer};\n\
                 an encrypted store with one credential each; one example server behind mcpwrap serve.\n\
                 Walls: {walls}\n"
            );
            for caution in cautions {
                text.push_str(&colour.paint("2", &format!("  open: {caution}")));
                text.push('\n');
            }
            failure::say(&format!("{text}\n"));
        }
        News::Step { title, result, seen } => {
            let mark = match result {
                StepResult::Passed => colour.paint("1;32", "✓"),
                StepResult::Failed => colour.paint("1;31", "✗"),
            };
            let seen = printable(&seen, Newlines::Escape);
            failure::say(&format!("{mark} {title:<TITLE$} {seen}\n"));
        }
        News::Ready { url, issuer } => {
            failure::say(&how_to_try(&url, &issuer));
            // Nobody reads stdout any more: then nobody waits for the address either.
            let _ = print_url(&url);
        }
    }
}

fn how_to_try(url: &str, issuer: &str) -> String {
    format!(
        r#"
It stays up until ctrl-c. Be alice, or bob, with a token for an hour:

  TOKEN=$(curl -s '{issuer}/token?user=alice')

With curl, in the stateless revision of MCP:

  curl -s {url} -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
    -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: whoami' \
    -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"whoami","arguments":{{}},"_meta":{{
         "io.modelcontextprotocol/protocolVersion":"2026-07-28",
         "io.modelcontextprotocol/clientInfo":{{"name":"curl","version":"8"}},
         "io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'

With a real client, like Claude Code:

  claude mcp add --transport http demo {url} --header "Authorization: Bearer $TOKEN"

"#
    )
}
