//! What is shown of a child holds no credential: of its stray output, of its traffic, of its failed start
//! (invariant 2 of the crate's documentation).

use crate::support::*;

const SECRET: &str = "ghp_the/token+of=me-0123456789";

/// A child that was given the secret.
fn dev() -> Mcpwrap {
    Mcpwrap::dev().env("MY_TOKEN", SECRET).flags(["--credential", "TOKEN=env:MY_TOKEN"])
}

/// The secret was there, and is not to be seen.
fn is_masked(text: &str, around: &str) {
    assert!(text.contains(around) && text.contains("[masked]"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

fn is_silent(served: &Served) {
    assert!(!served.stderr.has(SECRET), "{}", served.stderr.lines().join("\n"));
}

/// Stray output after the handshake.
#[tokio::test]
async fn stray_output_is_masked() {
    let served = dev().start().await;
    let session = Session::new(&served).await;
    let end = json!({ "jsonrpc": "2.0", "id": "$id", "result": { "content": [] } });
    let lines = json!([format!("stray {SECRET}"), end]);
    session.call("say", json!({ "lines": lines })).await;
    is_masked(&served.stderr.wait("stray").await, "stdout: ");
    is_silent(&served);
    // A secret that begins where the line is cut shows no part of itself.
    let end = json!({ "jsonrpc": "2.0", "id": "$id", "result": { "content": [] } });
    let lines = json!([format!("long {}{SECRET}", "x".repeat(190)), end]);
    session.call("say", json!({ "lines": lines })).await;
    is_masked(&served.stderr.wait("long").await, "stdout: ");
    assert!(!served.stderr.has(&SECRET[..4]), "{}", served.stderr.lines().join("\n"));
}

/// `--trace` shows the names of tools, `--trace=full` shows everything.
#[tokio::test]
async fn the_trace_is_masked() {
    for (flag, shown) in [("--trace", "→ tools/call named-"), ("--trace=full", "\"said\":")] {
        let served = dev().flags([flag]).start().await;
        let session = Session::new(&served).await;
        session.call(&format!("named-{SECRET}"), json!({})).await;
        session.call("echo", json!({ "said": SECRET })).await;
        is_masked(&served.stderr.wait(shown).await, shown);
        is_silent(&served);
    }
}

/// What a server says when it does not start: the developer, who is its only user, is told its last words.
#[tokio::test]
async fn a_failed_start_is_told_and_masked() {
    let refusal = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"bad '"$TOKEN"'"}}"#;
    let refuses = format!("read line; echo '{refusal}'; cat >/dev/null");
    let exits = "echo 'starting' >&2; echo \"no good: $TOKEN\" >&2; exit 3";
    for (script, said) in [
        (refuses.as_str(), "refused to initialize: bad"),
        (exits, "its last words: no good: [masked]"),
    ] {
        let setup = dev().command(["sh", "-c", script]).flags(["--child-era", "legacy"]);
        let served = setup.start().await;
        let answer = Modern::new(&served).begin(json!(1), "echo", json!({})).await.expect(503);
        is_masked(error(&answer.json().await).1, said);
        is_masked(&served.stderr.wait("could not start the server").await, "[masked]");
        is_silent(&served);
    }
}

/// Servers of the older SDKs write a screen about the question how they speak: the operator is told whose question it is.
#[tokio::test]
async fn complaints_about_the_probe_are_explained() {
    let complains = "echo \"input_value='server/discover'\" >&2; echo still >&2; exec \"$0\"";
    let program = child_program();
    let command = ["sh", "-c", complains, program.to_str().unwrap()];
    let served = Mcpwrap::dev().command(command).start().await;
    assert!(Session::new(&served).await.call("echo", json!({})).await["result"].is_object());
    let line = served.stderr.wait("the lines about server/discover answer mcpwrap").await;
    assert!(line.contains("--child-era"), "{line}");
}
