//! What must not even start: exit code 2, nothing on stdout, the flag by its name, and a remedy.

use crate::support::*;

/// The run was refused: it names this, and says what to do.
fn assert_refused(ended: &Ended, names: &str, remedy: &str) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{}", ended.err);
    let errors: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("error: ")).collect();
    let hints: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("hint: ")).collect();
    assert!(errors.iter().any(|line| line.contains(names)), "{names}: {}", ended.err);
    assert!(hints.iter().any(|line| line.contains(remedy)), "{remedy}: {}", ended.err);
}

#[tokio::test]
async fn tokens_do_not_travel_in_the_open() {
    let provider = Provider::start().await;
    let open = Mcpwrap::serve().oidc(&provider).listen("0.0.0.0:0").refused().await;
    assert_refused(&open, "--listen (command line): 0.0.0.0:0 is not loopback", "--trusted-proxy");
    let nameless = Mcpwrap::serve().oidc(&provider).listen("0.0.0.0:0");
    let nameless = nameless.without_public_url().refused().await;
    assert_refused(&nameless, "--public-url", "--public-url https://");
    let plain = Mcpwrap::serve().flags(["--oidc", "http://idp.test"]).refused().await;
    assert_refused(&plain, "must be https", "https");
    let behind = Mcpwrap::serve().oidc(&provider).listen("0.0.0.0:0");
    let behind = behind.flags(["--trusted-proxy", "10.0.0.0/8"]).start().await;
    assert_eq!(behind.caller(&provider.token("alice")).status().await, 200);
}

#[tokio::test]
async fn nobody_shares_a_literal_secret() {
    let provider = Provider::start().await;
    for pair in [
        "GITHUB_TOKEN=hunter2-hunter2",
        "SETTING=ghp_0123456789abcdefghijklmnopqrstuvwxyz",
        "DATABASE=postgres://app:hunter2@db.test/app",
        "API_KEY=hunter2-hunter2",
    ] {
        let setup = Mcpwrap::serve().oidc(&provider).flags(["--env", pair]);
        let ended = setup.refused().await;
        let (name, value) = pair.split_once('=').unwrap();
        assert_refused(&ended, name, "--credential");
        assert!(!ended.err.contains(value), "{}", ended.err);
    }
}

#[tokio::test]
async fn a_source_that_is_the_same_for_all_is_refused() {
    let (one, two) = (Provider::start().await, Provider::start().await);
    let vault = Vault::start().await;
    let setup = |source: &str| {
        Mcpwrap::serve().oidc(&one).vault(&vault).flags(["--credential", &format!("T={source}")])
    };
    for source in ["vault:secret/mcp#token", "file:/run/token", "vault:secret/{email}#token"] {
        let ended = setup(source).refused().await;
        assert_refused(&ended, "does not tell the users apart", "{user}");
    }
    let both = setup("file:/run/{sub}").flags(["--oidc", &format!("b={}", two.issuer())]);
    assert_refused(&both.refused().await, "does not tell the users apart", "{iss}");
    let machines = setup("file:/run/{sub}");
    let machines = machines.flags(["--machines", "accept"]).refused().await;
    assert_refused(
        &machines,
        "does not tell the users apart",
        "a service may be called like a person",
    );
    let tenants = setup("file:/run/{sub}");
    let tenants = tenants.flags(["--tenant-claim", "org"]).refused().await;
    assert_refused(&tenants, "does not tell the users apart", "{tenant}");
    let env = setup("env:HOME").refused().await;
    assert_refused(&env, "env: is not for this command", "");
}

/// Whoever can get a token there is everybody.
#[tokio::test]
async fn a_public_issuer_needs_a_list() {
    let run = async |issuer: &str, flags: &[&str]| {
        let setup = Mcpwrap::serve().flags(["--oidc", issuer]);
        flags.iter().fold(setup, |setup, flag| setup.flags([flag])).refused().await
    };
    let internet = "the whole internet";
    let list = "--allow-group, --allow-domain, --allow-user or --allow-tenant";
    let google = "https://accounts.google.com";
    let ended = run(google, &["--idp", "google"]).await;
    assert_refused(&ended, "needs the ids of the clients", "--client ID");
    assert_refused(&ended, internet, list);
    let ended = run(google, &[]).await;
    assert_refused(&ended, "only Google can read", "--idp google, and --client ID");
    let ended = run(google, &["--idp", "google", "--client", "c"]).await;
    assert_refused(&ended, internet, list);
    assert!(!ended.err.contains("ids of the clients"), "{}", ended.err);
    let ended = run("https://github.com", &["--idp", "github", "--client", "c"]).await;
    assert_refused(&ended, "needs the secret of each client", "--client-secret-file");
    for issuer in [
        "https://gitlab.com",
        "https://token.actions.githubusercontent.com",
        "https://login.microsoftonline.com/common/v2.0",
    ] {
        let ended = run(issuer, &["--idp", "entra"]).await;
        assert_refused(&ended, internet, list);
    }
}

#[tokio::test]
async fn apple_is_explained() {
    let apple = "https://appleid.apple.com";
    let by_url = Mcpwrap::serve().flags(["--oidc", apple]).refused().await;
    assert_refused(&by_url, "issues no access tokens", "authorization server in front");
    let by_name = Mcpwrap::serve().flags(["--oidc", apple, "--idp", "apple"]);
    assert_refused(
        &by_name.refused().await,
        "--idp (command line): Apple issues no access tokens",
        "in front",
    );
}

#[tokio::test]
async fn a_secret_of_ours_is_read_from_a_safe_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let file = setup.dir.join("secret");
    write_private(&file, "hunter2\n");
    let flags = ["--introspection-client-id", "rs", "--introspection-client-secret-file"];
    let setup = setup.flags(flags).flags([file.to_str().unwrap()]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let ended = setup.clone().refused().await;
    assert_refused(&ended, "can be written by other users", "nobody else write");
    std::fs::remove_file(&file).unwrap();
    assert_refused(&setup.refused().await, "there is no file", "name a file");
}

/// `check` says the same before users do, and asks the provider as well.
#[tokio::test]
async fn a_check_finds_what_a_start_would() {
    let provider = Provider::start().await;
    let good = Mcpwrap::serve().oidc(&provider).checked().await;
    assert_eq!(good.code, Some(0), "{}", good.err);
    // What a child sees, and what no child does.
    for line in ["read /usr", "write the user's own home"] {
        assert!(good.out.lines().any(|said| said == line), "{line}: {}", good.out);
    }
    for name in ["/state", "/audit.log"] {
        let kept = |line: &str| line.starts_with("never ") && line.ends_with(name);
        assert!(good.out.lines().any(kept), "{name}: {}", good.out);
    }
    let shared = Mcpwrap::serve().oidc(&provider);
    let shared = shared.flags(["--credential", "T=file:/run/token"]).checked().await;
    assert_refused(&shared, "does not tell the users apart", "{user}");
    provider.server.everywhere(Answer::Html);
    let down = Mcpwrap::serve().oidc(&provider).checked().await;
    assert_refused(&down, "no keys could be fetched", "the log above says why");
}

/// Many a provider denies a log-in that asks for no scope, and clients know only of those that we name.
#[tokio::test]
async fn a_check_says_when_scopes_are_offered_by_the_provider_alone() {
    let provider = Provider::start().await;
    let scopes = json!({ "scopes_supported": ["openid", "mcp"] });
    let metadata = with(provider.metadata(), scopes);
    let hint = "has scopes (openid, mcp), and clients are told of none";
    let plain = Mcpwrap::serve().oidc(&provider).checked().await;
    assert!(plain.code == Some(0) && !plain.err.contains("--offer-scope"), "{}", plain.err);
    provider.server.answer(Provider::METADATA, Answer::Json(metadata));
    let silent = Mcpwrap::serve().oidc(&provider).checked().await;
    assert_eq!(silent.code, Some(0), "{}", silent.err);
    assert!(silent.err.contains(hint) && silent.err.contains("--offer-scope"), "{}", silent.err);
    for flag in ["--offer-scope", "--required-scope"] {
        let told = Mcpwrap::serve().oidc(&provider).flags([flag, "mcp"]).checked().await;
        assert!(told.code == Some(0) && !told.err.contains(hint), "{}", told.err);
    }
}

/// Strangers come from the address of a proxy that nobody declared, and children from that of one on loopback.
#[tokio::test]
async fn a_proxy_on_the_same_machine_is_spoken_of() {
    let provider = Provider::start().await;
    let said = async |setup: Mcpwrap| setup.checked().await.err;
    let opaque = super::introspection::asking(&provider);
    let nameless = said(opaque.clone()).await;
    assert!(nameless.contains("name it with --trusted-proxy"), "{nameless}");
    let shared = said(opaque.clone().flags(["--trusted-proxy", "127.0.0.0/8"])).await;
    assert!(shared.contains("--trusted-proxy names loopback"), "{shared}");
    for quiet in [opaque.flags(["--trusted-proxy", "192.0.2.1"]), Mcpwrap::serve().oidc(&provider)]
    {
        let quiet = said(quiet).await;
        assert!(!quiet.contains("--trusted-proxy"), "{quiet}");
    }
}
