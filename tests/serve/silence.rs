//! Nothing that mcpwrap writes or answers holds a token or a credential: not at the highest level of the log, not in
//! the audit records, not in an error, and in no encoding (invariant 2 of the crate's documentation).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::introspection::SECRET;
use crate::support::*;

const ALICES: &str = "ghp_the/token+of=alice-0123456789";
const SHARED: &str = "glpat-a/value+of=two-0123456789";
const OPAQUE: &str = "an-opaque.token~of+alice/0123456789==";

/// A secret as it is, and in the forms in which secrets turn up.
fn forms(secret: &str) -> Vec<String> {
    let mut all = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        secret.replace('/', "\\/"),
        secret.bytes().rev().map(char::from).collect(),
        secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "),
    ];
    // What stands before a secret shifts its base64; its ends depend on the neighbours and are left out.
    for before in 0..3 {
        let text = [vec![b' '; before], secret.as_bytes().to_vec()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            all.push(encoded[4.min(before * 4)..encoded.len() - 4].to_owned());
        }
    }
    all
}

/// What must not be seen of a signed token: the whole, its claims as they travel, and its signature.
fn parts(token: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    vec![token.to_owned(), parts[1].to_owned(), parts[2].to_owned()]
}

fn assert_silent(text: &str, secrets: &[String]) {
    for secret in secrets {
        for form in forms(secret) {
            let found = text.find(&form);
            let around = found.map(|at| &text[at.saturating_sub(200)..(at + 20).min(text.len())]);
            assert!(found.is_none(), "{secret} as {form} after {around:?}");
        }
    }
}

#[test]
fn a_secret_is_found_in_every_form() {
    for text in [
        format!("x{ALICES}x"),
        format!("Basic {}", STANDARD_NO_PAD.encode(format!("user:{ALICES}"))),
        format!("/{}", utf8_percent_encode(ALICES, NON_ALPHANUMERIC)),
        format!("{:?}", ALICES.as_bytes()),
    ] {
        let found = std::panic::catch_unwind(|| assert_silent(&text, &[ALICES.to_owned()]));
        assert!(found.is_err(), "{text}");
    }
}

/// Takes everything that answers say.
#[derive(Default)]
struct Ear {
    heard: String,
    statuses: Vec<u16>,
}

impl Ear {
    async fn hear(&mut self, request: Request, served: &Served) {
        let reply = request.send(served.at).await;
        self.statuses.push(reply.status);
        for name in ["www-authenticate", "mcp-session-id", "location"] {
            self.heard.push_str(reply.header(name).unwrap_or_default());
        }
        self.heard.push_str(&String::from_utf8_lossy(&reply.bytes().await));
    }
}

#[tokio::test]
async fn no_log_no_record_and_no_answer_holds_a_secret() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    for (user, value) in [("alice", ALICES), ("bob", SHARED), ("carol", SHARED)] {
        vault.keep(&format!("mcp/{user}"), value);
    }
    let setup = super::introspection::asking(&provider).vault(&vault);
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    let setup = setup.flags(["--credential-file", "F=vault:secret/mcp/{sub}#token", "-vv"]);
    let setup = setup.flags(["--introspection-cache", "1ms", "--allow-user", "alice"]);
    let setup =
        setup.flags(["--allow-user", "bob", "--allow-user", "carol", "--allow-user", "dave"]);
    let served = setup.env("MCPWRAP_LOG", "trace").env("RUST_LOG", "trace").start().await;

    let good = provider.token("alice");
    let tokens = [
        good.clone(),
        provider.token("bob"),
        provider.token("carol"),
        provider.token("dave"),
        provider.token("mallory"),
        provider.token_with(json!({ "exp": now() - 90 })),
        provider.token_with(json!({ "aud": "x" })),
        provider.token_with(json!({ "sub": "../bob" })),
        Key::ec("k1").token(&provider.claims("alice")),
        Key::ec("nobody-s").token(&provider.claims("alice")),
    ];
    provider.vouch(OPAQUE, "alice");
    let mut ear = Ear::default();
    let call = |tool: &str| Modern::new(&served).calling(tool, json!({ "text": "x" }));
    let bearer = |token: &str| format!("Bearer {token}");
    for token in
        tokens.iter().map(String::as_str).chain([OPAQUE, "an-opaque.token~of/nobody==0123456789"])
    {
        for request in [
            call("echo"),
            call("no such tool"),
            Request::post("{"),
            Request::new("GET"),
            Request::new("DELETE"),
        ] {
            ear.hear(request.header("authorization", bearer(token)), &served).await;
        }
        let query = Request { target: format!("/mcp?access_token={token}"), ..call("echo") };
        ear.hear(query, &served).await;
        let elsewhere = Request { target: format!("/other?token={token}"), ..call("echo") };
        ear.hear(elsewhere, &served).await;
        let twice = call("echo").header("authorization", bearer(token));
        ear.hear(twice.header("authorization", bearer(&good)), &served).await;
        ear.hear(call("echo").header("authorization", token), &served).await;
        ear.hear(
            call("echo")
                .header("origin", "https://evil.test")
                .header("authorization", bearer(token)),
            &served,
        )
        .await;
    }
    let session = served.caller(&good).session().await;
    drop(session.listen().await);
    drop(session.taken_by(&served.caller(&tokens[1])).begin(json!(1), "echo", json!({})).await);
    // Everything that mcpwrap asks fails as well, and is complained of.
    ear.hear(call("exit").header("authorization", bearer(&good)), &served).await;
    vault.server.everywhere(Answer::Status(500));
    provider.server.everywhere(Answer::Html);
    for token in [OPAQUE, good.as_str(), tokens[3].as_str()] {
        ear.hear(call("echo").header("authorization", bearer(token)), &served).await;
    }
    for status in [200, 400, 401, 403, 404, 503] {
        assert!(ear.statuses.contains(&status), "{status} is missing: {:?}", ear.statuses);
    }
    let asked = provider.server.asked();
    assert!(asked.iter().any(|asked| asked.form("token") == OPAQUE));

    let written = served.stop().await;
    assert!(
        written.contains("tools/call")
            && written.contains("TRACE")
                | written.contains("trace")
                | written.contains("DEBUG")
                | written.contains("debug"),
        "{written}"
    );
    let mut secrets: Vec<String> = tokens.iter().flat_map(|token| parts(token)).collect();
    secrets.extend([OPAQUE, ALICES, SHARED, SECRET, Vault::TOKEN].map(str::to_owned));
    assert_silent(&written, &secrets);
    // Alice's own child has echoed no credential, and so nothing of it is in any answer.
    assert_silent(&ear.heard, &secrets);
}

/// A child that prints its own credential is not believed to be discreet: its lines are masked.
#[tokio::test]
async fn what_a_child_prints_of_its_credential_is_masked() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    vault.keep("mcp/alice", ALICES);
    let setup = Mcpwrap::serve().oidc(&provider).vault(&vault).flags(["-vv"]);
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    let said = format!("my token is {ALICES}, or {}", STANDARD_NO_PAD.encode(ALICES));
    let served = setup.child(["--banner", &said]).start().await;
    let answer = served.caller(&provider.token("alice")).call("echo", json!({})).await;
    assert!(structured(&answer).is_object());
    served.stderr.wait("my token is ").await;
    // The command line is the operator's own; what the child says is not.
    let lines = served.stop().await;
    let printed: Vec<&str> = lines.lines().filter(|line| line.contains("my token is ")).collect();
    assert_silent(&printed.join("\n"), &[ALICES.to_owned()]);
}

/// What a program writes about itself is for its operator: users are told that it ended, and not what it said.
#[tokio::test]
async fn the_last_words_of_a_failed_start_are_for_the_operator() {
    let provider = Provider::start().await;
    let script = "echo 'Error: cannot open /srv/internal.conf' >&2; exit 3";
    let served = Mcpwrap::serve().oidc(&provider).command(["sh", "-c", script]).start().await;
    let caller = served.caller(&provider.token("alice"));
    let answer = caller.begin(json!(1), "echo", json!({})).await.expect(503).json().await;
    let told = error(&answer).1;
    assert!(told.contains("exited during the handshake") && told.contains("code 3"), "{told}");
    assert!(!answer.to_string().contains("internal.conf"), "{answer}");
    let line = served.stderr.wait("could not start the server").await;
    assert!(line.contains("last_words=Error: cannot open /srv/internal.conf"), "{line}");
}
