//! The bundled example server: a plain MCP server over stdio that knows nothing of mcpwrap.
//!
//! It tells whose it is, and tries to read what belongs to others; contents it never repeats.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

/// The first argument that makes the binary the example server.
pub(super) const ARGUMENT: &str = "__example-server";
/// The variable that holds the user's credential.
pub(super) const CREDENTIAL: &str = "DEMO_TOKEN";
/// The variable that holds the user's name.
pub(super) const USER: &str = "DEMO_USER";

const REVISION: &str = "2025-11-25";
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
/// So much of a credential is shown.
const SHOWN: usize = 4;

/// Runs the example server if the arguments ask for it.
#[must_use]
pub fn example_main(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    if args.into_iter().nth(1)? != ARGUMENT {
        return None;
    }
    Some(match serve(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else { continue };
        // Notifications, and answers to questions that were never asked, have none.
        let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) else {
            continue;
        };
        let answer = match answer(method, &message["params"]) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, text)) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } })
            }
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(method: &str, params: &Value) -> Result<Value, (i32, String)> {
    match method {
        "initialize" => Ok(json!({
            "protocolVersion": REVISION,
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "mcpwrap-example", "version": env!("CARGO_PKG_VERSION") },
        })),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": tools() })),
        "tools/call" => {
            let (text, found) = match params["name"].as_str() {
                Some("whoami") => whoami(),
                Some("peek") => match params["arguments"]["pid"].as_u64() {
                    Some(pid) => peek(pid),
                    None => return Err((INVALID_PARAMS, "pid is not a number".to_owned())),
                },
                Some("list_processes") => list_processes(),
                _ => return Err((INVALID_PARAMS, "there is no such tool".to_owned())),
            };
            let content = json!([{ "type": "text", "text": text }]);
            Ok(json!({ "content": content, "structuredContent": found }))
        }
        _ => Err((METHOD_NOT_FOUND, "there is no such method".to_owned())),
    }
}

fn tools() -> Value {
    let nothing = json!({ "type": "object", "properties": {} });
    let pid = json!({ "pid": { "type": "integer", "description": "the process" } });
    json!([
        { "name": "whoami", "description": "Says whose process this is", "inputSchema": nothing },
        { "name": "peek", "description": "Tries to read the environment of a process",
          "inputSchema": { "type": "object", "properties": pid, "required": ["pid"] } },
        { "name": "list_processes", "description": "Tries to read the environment of every process",
          "inputSchema": nothing },
    ])
}

// === tools ===

fn whoami() -> (String, Value) {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let credential: String = variable(CREDENTIAL).chars().take(SHOWN).collect();
    let (user, digest, pid) = (variable(USER), variable("MCPWRAP_USER"), std::process::id());
    let text = format!("I am {user}'s process {pid} and hold the credential {credential}…");
    (
        text,
        json!({ "user": user, "digest": digest, "pid": pid, "credential": format!("{credential}…") }),
    )
}

/// What came of reading an environment.
enum Seen {
    Own,
    Others,
    Denied(io::Error),
}

fn environment_of(pid: u64) -> Seen {
    let own = std::env::var(CREDENTIAL).unwrap_or_default();
    let entry = format!("{CREDENTIAL}={own}");
    match fs::read(format!("/proc/{pid}/environ")) {
        Ok(bytes) if bytes.split(|byte| *byte == 0).any(|one| one == entry.as_bytes()) => Seen::Own,
        Ok(_) => Seen::Others,
        Err(error) => Seen::Denied(error),
    }
}

fn peek(pid: u64) -> (String, Value) {
    let (text, outcome) = match environment_of(pid) {
        Seen::Own => (format!("the environment of {pid} is my own user's"), "own"),
        Seen::Others => (format!("the environment of {pid} is somebody else's"), "others"),
        Seen::Denied(error) => {
            (format!("the environment of {pid} cannot be read: {error}"), "denied")
        }
    };
    let found = json!({ "outcome": outcome, "text": text });
    (text, found)
}

fn list_processes() -> (String, Value) {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => {
            let found = json!({ "seen": 0, "own": 0, "others": 0, "denied": 0 });
            return (format!("/proc cannot be listed: {error}"), found);
        }
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let (mut own, mut others, mut denied) = (0, 0, 0);
    for pid in names.filter_map(|name| name.parse().ok()) {
        match environment_of(pid) {
            Seen::Own => own += 1,
            Seen::Others => others += 1,
            Seen::Denied(_) => denied += 1,
        }
    }
    let seen = own + others + denied;
    let text = format!(
        "of {seen} processes that I see, {own} have my environment, {others} have another that I can read"
    );
    (text, json!({ "seen": seen, "own": own, "others": others, "denied": denied }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_and_notifications_are_not() {
        let input = concat!(
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#,
            "\n",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "\n",
            r#"{"jsonrpc":"2.0","id":"a","method":"server/discover"}"#,
            "\n",
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"peek"}}"#,
            "\n",
        );
        let mut output = Vec::new();
        serve(input.as_bytes(), &mut output).unwrap();
        let lines: Vec<Value> = String::from_utf8(output)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["result"]["protocolVersion"], REVISION);
        assert_eq!((&lines[1]["id"], &lines[1]["error"]["code"]), (&json!("a"), &json!(-32601)));
        assert_eq!(lines[2]["error"]["code"], INVALID_PARAMS);
    }
}
