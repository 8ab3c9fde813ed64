//! What a developer sees when the endpoint is ready: the server, its tools, and settings to paste.
//!
//! Names come from the child and are made harmless for the terminal.

use std::fmt::Write as _;

use super::settings;
use crate::config::ClientApp;
use crate::telemetry::{Colour, Newlines, printable};

/// More tools than this are counted, not named.
const MAX_TOOLS: usize = 12;
/// Longer names are cut.
const MAX_NAME: usize = 64;

/// The endpoint when it is ready.
#[derive(Clone, Debug)]
pub struct Banner<'a> {
    /// The endpoint.
    pub url: &'a str,
    /// What the server is called in settings.
    pub name: &'a str,
    /// What the server calls itself; nothing if it has not been asked yet.
    pub server: Option<Server<'a>>,
    /// What else to know, a sentence each.
    pub notes: &'a [String],
}

/// What a server says about itself.
#[derive(Clone, Debug)]
pub struct Server<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The names of its tools.
    pub tools: &'a [String],
}

// === impl Banner ===

impl Banner<'_> {
    /// The text for stderr.
    #[must_use]
    pub fn text(&self, colour: Colour) -> String {
        let mut text = String::new();
        let mut row = |head: &str, value: &str| {
            let _ = writeln!(text, "{} {value}", colour.paint("1;32", &format!("{head:>10}")));
        };
        row("endpoint", self.url);
        if let Some(server) = &self.server {
            row("server", format!("{} {}", short(server.name), short(server.version)).trim_end());
            row("tools", &server.tools());
        }
        for note in self.notes {
            row("note", &printable(note, Newlines::Escape));
        }
        for &(_, app) in ClientApp::ALL {
            if app != ClientApp::Json {
                let place = colour.paint("2", &format!("# {}", settings::place(app)));
                let _ = writeln!(text, "\n{place}\n{}", settings::line(app, self.url, self.name));
            }
        }
        text
    }
}

// === impl Server ===

impl Server<'_> {
    fn tools(&self) -> String {
        if self.tools.is_empty() {
            return "none".to_owned();
        }
        let mut text = String::new();
        for tool in self.tools.iter().take(MAX_TOOLS) {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{}", short(tool));
        }
        if let Some(more) = self.tools.len().checked_sub(MAX_TOOLS).filter(|more| *more > 0) {
            let _ = write!(text, " and {more} more");
        }
        text
    }
}

fn short(name: &str) -> String {
    let cut: String = name.chars().take(MAX_NAME).collect();
    let end = if cut.len() < name.len() { "…" } else { "" };
    format!("{}{end}", printable(&cut, Newlines::Escape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(tools: &[String], notes: &[String], colour: Colour) -> String {
        let banner = Banner {
            url: "http://127.0.0.1:8808/mcp",
            name: "weather",
            server: Some(Server { name: "Weather\x1b[2J", version: "1.2.0", tools }),
            notes,
        };
        banner.text(colour)
    }

    #[test]
    fn everything_is_said_in_plain_text() {
        let tools = ["forecast".to_owned(), "alerts".to_owned()];
        let notes = ["port 8808 is taken, so this is the next free one".to_owned()];
        assert_eq!(
            banner(&tools, &notes, Colour::Off),
            "  endpoint http://127.0.0.1:8808/mcp
    server Weather\\u{1b}[2J 1.2.0
     tools forecast, alerts
      note port 8808 is taken, so this is the next free one

# VS Code, .vscode/mcp.json
{\"servers\":{\"weather\":{\"type\":\"http\",\"url\":\"http://127.0.0.1:8808/mcp\"}}}

# Cursor, .cursor/mcp.json
{\"mcpServers\":{\"weather\":{\"url\":\"http://127.0.0.1:8808/mcp\"}}}

# Claude Code, in a shell
claude mcp add --transport http weather http://127.0.0.1:8808/mcp

# Claude Desktop, claude_desktop_config.json
{\"mcpServers\":{\"weather\":{\"args\":[\"-y\",\"mcp-remote\",\"http://127.0.0.1:8808/mcp\"],\"command\":\"npx\"}}}
"
        );
    }

    #[test]
    fn many_tools_are_counted() {
        let tools: Vec<String> = (1..=15).map(|n| format!("t{n}")).collect();
        assert!(
            banner(&tools, &[], Colour::Off)
                .contains("tools t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12 and 3 more\n")
        );
        assert!(banner(&tools[..12], &[], Colour::Off).contains("t11, t12\n"));
        assert!(banner(&[], &[], Colour::Off).contains("tools none\n"));
    }

    #[test]
    fn colour_marks_the_heads_alone() {
        let text = banner(&[], &[], Colour::On);
        assert!(
            text.starts_with("\x1b[1;32m  endpoint\x1b[0m http://127.0.0.1:8808/mcp\n"),
            "{text:?}"
        );
        assert!(text.contains("\nclaude mcp add"));
    }
}
