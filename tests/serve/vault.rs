//! A vault that is down, slow, or lies: an answer in time that says what to do, never a fallback, and nothing of
//! anybody's credential in it.

use std::time::{Duration, Instant};

use crate::support::*;

const ALICES: &str = "the-token-of-alice-0123456789";
const IN_TIME: Duration = Duration::from_secs(20);

pub(crate) async fn served() -> (Provider, Vault, Served) {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    vault.keep("mcp/alice", ALICES);
    let setup = Mcpwrap::serve().oidc(&provider).vault(&vault);
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    // Set for mcpwrap, and no fallback for anybody.
    let served = setup.env("T", "the-token-of-the-operator").start().await;
    (provider, vault, served)
}

/// The caller is told that it failed, in time, and nothing else.
pub(crate) async fn told(what: &str, caller: &Modern) {
    let began = Instant::now();
    let answer = caller.call("whoami", json!({})).await;
    assert!(began.elapsed() < IN_TIME, "{what}: {:?}", began.elapsed());
    let said = error(&answer).1;
    assert!(said.contains("credential"), "{what}: {said}");
    let text = answer.to_string();
    for secret in [ALICES, "the-token-of-the-operator", "hvs.", "127.0.0.1", "secret/"] {
        assert!(!text.contains(secret), "{what}: {text}");
    }
}

#[tokio::test]
async fn a_vault_that_fails_is_told_to_the_user() {
    let lure = Vault::start().await;
    lure.keep_for_everybody();
    let lies: Vec<(&str, Answer)> = vec![
        ("500", Answer::Status(500)),
        ("sealed", Answer::Status(503)),
        ("limited", Answer::Status(429)),
        ("forbidden", Answer::Status(403)),
        ("not found", Answer::Status(404)),
        ("a page", Answer::Html),
        ("10 MB", Answer::Flood(10 << 20)),
        ("another leader", Answer::Redirect(307, lure.server.url())),
        ("an empty object", Answer::Json(json!({}))),
        ("a number", Answer::Json(json!({ "data": { "data": { "token": 7 } } }))),
        ("an empty secret", Answer::Json(json!({ "data": { "data": { "token": "" } } }))),
        (
            "another mount",
            Answer::Json(json!({ "data": { "path": "other/", "options": { "version": "2" } } })),
        ),
    ];
    for (what, lie) in lies {
        let (provider, vault, served) = served().await;
        vault.server.everywhere(lie);
        told(what, &served.caller(&provider.token("alice"))).await;
    }
    assert_eq!(lure.server.asked().len(), 0, "the vault's token goes where the operator said");
}

#[tokio::test]
async fn a_vault_that_is_not_there() {
    let provider = Provider::start().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Mcpwrap::serve().oidc(&provider).env("VAULT_TOKEN", "hvs.nobodys");
    let setup = setup.env("VAULT_ADDR", &format!("http://{gone}"));
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    let served = setup.start().await;
    told("nobody listens", &served.caller(&provider.token("alice"))).await;
}

/// Whoever has his child already does not need the vault; whoever comes new is told.
#[tokio::test]
async fn a_vault_that_goes_down_later_takes_nobody_with_it() {
    let (provider, vault, served) = served().await;
    let alice = served.caller(&provider.token("alice"));
    assert_eq!(who(&alice.whoami().await, "T"), ALICES);
    vault.server.everywhere(Answer::Status(500));
    assert_eq!(who(&alice.whoami().await, "T"), ALICES);
    vault.keep("mcp/bob", "the-token-of-bob-0123456789");
    told("500", &served.caller(&provider.token("bob"))).await;
    assert_eq!(who(&alice.whoami().await, "T"), ALICES);
}

/// The operator's log has what the user does not get.
#[tokio::test]
async fn the_log_says_what_the_answer_does_not() {
    let (provider, vault, served) = served().await;
    vault.server.everywhere(Answer::Status(503));
    told("sealed", &served.caller(&provider.token("alice"))).await;
    let line = served.stderr.wait("could not start the server").await;
    assert!(line.contains("subject=alice") && line.contains("503"), "{line}");
    assert!(!line.contains("hvs."), "{line}");
}
