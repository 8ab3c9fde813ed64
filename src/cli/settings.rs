//! Ready-to-paste settings of client applications, given the endpoint and a name.

use std::fmt::Write as _;

use serde_json::{Value, json};
use url::{Host, Url};

use crate::config::ClientApp;

/// The settings as a whole file or command, ending in a line end.
#[must_use]
pub fn whole(app: ClientApp, url: &str, name: &str) -> String {
    match value(app, url, name) {
        Some(value) => format!("{value:#}\n"),
        None => format!("{}\n", claude_code(url, name)),
    }
}

/// The settings in one line, for the banner.
#[must_use]
pub fn line(app: ClientApp, url: &str, name: &str) -> String {
    value(app, url, name).map_or_else(|| claude_code(url, name), |value| value.to_string())
}

/// Where the settings go.
#[must_use]
pub fn place(app: ClientApp) -> &'static str {
    match app {
        ClientApp::Vscode => "VS Code, .vscode/mcp.json",
        ClientApp::Cursor => "Cursor, .cursor/mcp.json",
        ClientApp::ClaudeCode => "Claude Code, in a shell",
        ClientApp::ClaudeDesktop => "Claude Desktop, claude_desktop_config.json",
        ClientApp::Json => "other clients",
    }
}

/// The settings as JSON; nothing for those that are a command line.
fn value(app: ClientApp, url: &str, name: &str) -> Option<Value> {
    match app {
        ClientApp::Vscode => Some(json!({"servers": {name: {"type": "http", "url": url}}})),
        ClientApp::Cursor => Some(json!({"mcpServers": {name: {"url": url}}})),
        ClientApp::ClaudeDesktop => {
            let mut args = vec!["-y", "mcp-remote", url];
            if insecure(url) {
                args.push("--allow-http");
            }
            Some(json!({"mcpServers": {name: {"command": "npx", "args": args}}}))
        }
        ClientApp::Json => Some(json!({"mcpServers": {name: {"type": "http", "url": url}}})),
        ClientApp::ClaudeCode => None,
    }
}

fn claude_code(url: &str, name: &str) -> String {
    format!("claude mcp add --transport http {} {}", quoted(name), quoted(url))
}

/// `mcp-remote` refuses plain http but for the three usual names of this machine.
fn insecure(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let usual = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !usual
}

/// The word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:@%+,=".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::new();
    let _ = write!(quoted, "'{}'", word.replace('\'', "'\\''"));
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:8808/mcp";

    #[test]
    fn vscode_names_the_type_under_servers() {
        assert_eq!(
            whole(ClientApp::Vscode, URL, "weather"),
            "{\n  \"servers\": {\n    \"weather\": {\n      \"type\": \"http\",\n      \"url\": \"http://127.0.0.1:8808/mcp\"\n    }\n  }\n}\n"
        );
    }

    #[test]
    fn the_others_have_their_forms() {
        for (app, expected) in [
            (ClientApp::Cursor, r#"{"mcpServers":{"w":{"url":"http://127.0.0.1:8808/mcp"}}}"#),
            (ClientApp::ClaudeCode, "claude mcp add --transport http w http://127.0.0.1:8808/mcp"),
            (
                ClientApp::ClaudeDesktop,
                r#"{"mcpServers":{"w":{"args":["-y","mcp-remote","http://127.0.0.1:8808/mcp"],"command":"npx"}}}"#,
            ),
            (
                ClientApp::Json,
                r#"{"mcpServers":{"w":{"type":"http","url":"http://127.0.0.1:8808/mcp"}}}"#,
            ),
        ] {
            assert_eq!(line(app, URL, "w"), expected);
        }
    }

    #[test]
    fn mcp_remote_is_told_when_http_is_meant() {
        assert!(
            line(ClientApp::ClaudeDesktop, "http://127.0.0.2:1/mcp", "w").contains("--allow-http")
        );
        assert!(
            !line(ClientApp::ClaudeDesktop, "http://[::1]:1/mcp", "w").contains("--allow-http")
        );
        assert!(
            !line(ClientApp::ClaudeDesktop, "https://a.example/mcp", "w").contains("--allow-http")
        );
    }

    #[test]
    fn a_shell_reads_the_words_back() {
        assert_eq!(quoted("http://[::1]:1/mcp"), "'http://[::1]:1/mcp'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
