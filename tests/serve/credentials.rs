//! Whose credential a child holds: his user's, whatever he is called, and nobody else's.

use std::path::Path;

use super::identity::odd_subjects;
use crate::support::*;

const ALICES: &str = "the-token-of-alice-0123456789";
const BOBS: &str = "the-token-of-bob-9876543210";

/// Files for alice and bob, and places to which a name might climb.
fn files(dir: &Path) -> String {
    let users = dir.join("tokens/users");
    std::fs::create_dir_all(&users).unwrap();
    write_private(&users.join("alice"), ALICES);
    write_private(&users.join("bob"), BOBS);
    std::fs::create_dir_all(users.join("team")).unwrap();
    write_private(&users.join("team/bob"), BOBS);
    write_private(&dir.join("tokens/bob"), BOBS);
    users.display().to_string()
}

/// The answer is an error that names the claim, and tells nothing of anybody's credential.
async fn refused_by_name(caller: &Modern, subject: &str) {
    let answer = caller.call("whoami", json!({})).await;
    let said = error(&answer).1;
    assert!(said.contains("sub of the token"), "{subject:?}: {said}");
    for secret in [ALICES, BOBS] {
        assert!(!answer.to_string().contains(secret), "{subject:?}");
    }
}

#[tokio::test]
async fn each_user_holds_his_own() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let users = files(&setup.dir);
    let setup = setup.flags(["--credential", &format!("T=file:{users}/{{sub}}")]);
    let served = setup.start().await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let (ones, others) = futures_util::future::join(alice.whoami(), bob.whoami()).await;
    assert_eq!((who(&ones, "T"), who(&others, "T")), (ALICES, BOBS));
    // Nobody keeps a credential for carol: she is told what to do, and the log tells the operator.
    let carol = served.caller(&provider.token("carol")).call("whoami", json!({})).await;
    assert!(error(&carol).1.contains("no credential T is stored for you"), "{carol}");
    served.stderr.wait("carol").await;
}

#[tokio::test]
async fn no_name_climbs_to_the_file_of_somebody_else() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let users = files(&setup.dir);
    let setup = setup.flags(["--credential", &format!("T=file:{users}/{{sub}}")]);
    let served = setup.start().await;
    for subject in odd_subjects() {
        refused_by_name(&served.caller(&provider.token(&subject)), &subject).await;
    }
    // A harmless name that nobody has is somebody without a credential.
    let other = served.caller(&provider.token("bob.b")).call("whoami", json!({})).await;
    assert!(error(&other).1.contains("is stored for you"), "{other}");
}

#[tokio::test]
async fn no_name_climbs_to_the_secret_of_somebody_else() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    vault.keep("mcp/users/alice", ALICES);
    vault.keep("mcp/users/bob", BOBS);
    vault.keep("mcp/bob", BOBS);
    let setup = Mcpwrap::serve().oidc(&provider).vault(&vault);
    let setup =
        setup.env("GITHUB_TOKEN", "the-operators-own").env("LD_PRELOAD_", "the-operators-own");
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/users/{sub}#token"]);
    let served = setup.start().await;
    let bob = served.caller(&provider.token("bob")).whoami().await;
    assert_eq!(who(&bob, "T"), BOBS);
    // How mcpwrap itself gets at the vault stays with mcpwrap.
    let env = bob["env"].to_string();
    for word in ["VAULT_", Vault::TOKEN, "MCPWRAP_CREDENTIAL", ALICES, "the-operators-own"] {
        assert!(!env.contains(word), "{word}: {env}");
    }
    let before = vault.reads();
    for subject in odd_subjects() {
        refused_by_name(&served.caller(&provider.token(&subject)), &subject).await;
    }
    assert_eq!(vault.reads(), before, "the vault was not even asked");
    // Characters that a URL must escape, in a name that may be used.
    vault.keep("mcp/users/a|b@c:d+e=f~g", "the-token-of-an-odd-one");
    let odd = served.caller(&provider.token("a|b@c:d+e=f~g")).whoami().await;
    assert_eq!(who(&odd, "T"), "the-token-of-an-odd-one");
}

#[tokio::test]
async fn a_hash_fits_every_name() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).vault(&vault);
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{user}#token"]);
    let served = setup.flags(["--max-children", "64"]).start().await;
    // What is kept for a user names him, by the only name that mcpwrap has for him.
    vault.keep_for_everybody();
    for subject in odd_subjects() {
        let own = served.caller(&provider.token(&subject)).whoami().await;
        let name = who(&own, "MCPWRAP_USER");
        assert_eq!(who(&own, "T"), format!("token-at-mcp/{name}"), "{subject:?}");
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{subject:?}");
    }
}

/// A claim in `--env` has tighter rules still: what would split a word is refused.
#[tokio::test]
async fn a_claim_in_a_variable_is_one_plain_word() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--env", "TEAM={claim:team}"]);
    let served = served.start().await;
    let of = |team: Value| served.caller(&provider.token_with(json!({ "team": team })));
    assert_eq!(who(&of(json!("blue_1-x")).whoami().await, "TEAM"), "blue_1-x");
    for team in [
        json!("a b"),
        json!("a;b"),
        json!("a.b"),
        json!("$x"),
        json!("x".repeat(64)),
        json!(""),
        json!(null),
        json!(["a"]),
    ] {
        let answer = of(team.clone()).call("whoami", json!({})).await;
        assert!(error(&answer).1.contains("team"), "{team}: {answer}");
    }
}

/// Whatever the source says, one value serves one user.
#[tokio::test]
async fn the_same_value_for_a_second_user_is_refused() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    for user in ["alice", "bob"] {
        vault.keep(&format!("mcp/{user}"), ALICES);
    }
    let setup = Mcpwrap::serve().oidc(&provider).vault(&vault);
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    let served = setup.start().await;
    let alice = served.caller(&provider.token("alice"));
    assert_eq!(who(&alice.whoami().await, "T"), ALICES);
    let answer = served.caller(&provider.token("bob")).call("whoami", json!({})).await;
    assert!(error(&answer).1.contains("is in use by somebody else"), "{answer}");
    assert!(!answer.to_string().contains(ALICES) && !answer.to_string().contains("alice"));
    let incidents = served.incidents("shared_credential", 1).await;
    assert_eq!(
        (&incidents[0]["who"]["subject"], &incidents[0]["credential"]),
        (&json!("bob"), &json!("T"))
    );
    assert_eq!(who(&alice.whoami().await, "T"), ALICES, "the first is not disturbed");
    // His own helps him, once the pause after a refusal is over or at once.
    vault.keep("mcp/carol", BOBS);
    assert_eq!(who(&served.caller(&provider.token("carol")).whoami().await, "T"), BOBS);
}

#[tokio::test]
async fn a_credential_as_a_file_is_its_users_alone() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let users = files(&setup.dir);
    let setup = setup.flags(["--credential-file", &format!("T=file:{users}/{{sub}}")]);
    let served = setup.start().await;
    let mut paths = Vec::new();
    for (user, value) in [("alice", ALICES), ("bob", BOBS)] {
        let whoami = served.caller(&provider.token(user)).whoami().await;
        let path = who(&whoami, "T").to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), value);
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
        assert!(!whoami["env"].to_string().contains(value));
        paths.push(path);
    }
    assert_ne!(paths[0], paths[1]);
}
