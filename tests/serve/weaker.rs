//! Tokens that are bound to a client and not to this server: Google's and GitHub's, each by its own check, for listed
//! clients and listed users alone (auth-checklist 13).

use std::sync::Arc;

use crate::support::*;

const GOOGLES: &str = "ya29.the-token-of-alice";
const GITHUBS: &str = "gho_the-token-of-alice";
const OURS: &str = "ours.apps.googleusercontent.test";

/// Google's two endpoints, for one token.
async fn google() -> StandIn {
    let server = StandIn::start().await;
    let check = |asked: &Asked| match asked.form("access_token").as_str() {
        GOOGLES => Answer::Json(google_says(json!({}))),
        "ya29.of-another-client" => {
            Answer::Json(google_says(json!({ "aud": "theirs", "azp": "theirs" })))
        }
        "ya29.borrowed" => Answer::Json(google_says(json!({ "azp": "theirs" }))),
        "ya29.expired" => Answer::Json(google_says(json!({ "exp": (now() - 90).to_string() }))),
        "ya29.endless" => Answer::Json(google_says(json!({ "exp": null }))),
        "ya29.unverified" => {
            Answer::Json(google_says(json!({ "sub": "2", "email_verified": "false" })))
        }
        _ => Answer::Status(400),
    };
    server.answer("/tokeninfo", Answer::Made(Arc::new(check)));
    server
}

fn google_says(changes: Value) -> Value {
    let claims = json!({
        "azp": OURS, "aud": OURS, "sub": "1", "scope": "openid email", "exp": (now() + 600).to_string(),
        "email": "alice@corp.test", "email_verified": "true",
    });
    with(claims, changes)
}

#[tokio::test]
async fn google_s_tokens_count_for_listed_clients_and_people() {
    let google = google().await;
    let setup = Mcpwrap::serve().flags(["--oidc", "g=https://accounts.google.com"]);
    let setup = setup.flags(["--idp", "google", "--client", OURS, "--api-url", &google.url()]);
    let served = setup.flags(["--allow-user", "alice@corp.test"]).start().await;
    served.stderr.wait("binds its tokens to a client id and not to this server").await;
    assert!(pid(&served.caller(GOOGLES).whoami().await) > 0);
    for (token, status) in [
        ("ya29.of-another-client", 401),
        ("ya29.borrowed", 401),
        ("ya29.expired", 401),
        ("ya29.endless", 401),
        ("ya29.unknown", 401),
        ("ya29.unverified", 403),
        ("gho_of-somebody-else", 401),
        ("anything", 401),
    ] {
        assert_eq!(served.caller(token).status().await, status, "{token}");
    }
    for asked in google.asked() {
        assert!(!asked.target.contains("ya29"), "never in a URL: {}", asked.target);
        assert!(asked.body.contains("ya29"), "what is not Google's is not sent there");
    }
}

#[tokio::test]
async fn githubs_tokens_count_for_listed_clients_and_people() {
    let github = StandIn::start().await;
    let check = |asked: &Asked| match asked.body.contains(GITHUBS) {
        true => Answer::Json(json!({ "user": { "id": 7, "login": "alice" }, "scopes": [] })),
        false => Answer::Status(404),
    };
    github.answer("/api/v3/applications/Iv1.ours/token", Answer::Made(Arc::new(check)));
    github.answer("/api/v3/user/orgs", Answer::Json(json!([{ "login": "acme" }])));
    let setup = Mcpwrap::serve().flags(["--oidc", "ghe=https://github.test"]);
    let file = setup.dir.join("secret");
    write_private(&file, "the-secret-of-the-app\n");
    let api = format!("ghe={}/api/v3", github.url());
    let setup = setup.flags(["--idp", "ghe=github", "--client", "ghe=Iv1.ours", "--api-url", &api]);
    let setup = setup.flags(["--client-secret-file", &format!("Iv1.ours={}", file.display())]);
    let served = setup.clone().flags(["--allow-group", "acme"]).start().await;
    assert!(pid(&served.caller(GITHUBS).whoami().await) > 0);
    for token in ["gho_unknown", "ghp_a-personal-one", "ya29.x", "anything"] {
        assert_eq!(served.caller(token).status().await, 401, "{token}");
    }
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode("Iv1.ours:the-secret-of-the-app");
    let asked = github.asked();
    assert_eq!(asked[0].headers["authorization"], format!("Basic {basic}"));
    assert!(asked.iter().all(|asked| !asked.target.contains("gho_")));
    drop(served);
    // A login can be given to somebody else; the number cannot.
    for (user, status) in [("7", 200), ("alice", 403)] {
        let served = setup.clone().flags(["--allow-user", user]).start().await;
        assert_eq!(served.caller(GITHUBS).status().await, status, "{user}");
    }
}

/// Who cannot be asked has not said no.
#[tokio::test]
async fn a_check_that_fails_is_503() {
    let google = StandIn::start().await;
    let setup = Mcpwrap::serve().flags(["--oidc", "https://accounts.google.com"]);
    let setup = setup.flags(["--idp", "google", "--client", OURS, "--api-url", &google.url()]);
    let served = setup.flags(["--allow-domain", "corp.test"]).start().await;
    for (at, answer) in
        [Answer::Status(500), Answer::Html, Answer::Flood(10 << 20)].into_iter().enumerate()
    {
        google.everywhere(answer);
        let token = format!("ya29.{at}");
        assert_eq!(served.caller(&token).status().await, 503, "{at}");
    }
}
