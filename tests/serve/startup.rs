//! What must not even start: exit code 2, nothing on stdout, the flag by its name, and a remedy.

use crate::world::*;

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
    let open = Setup::new("startup-open", &provider).listen("0.0.0.0:0").refused().await;
    assert_refused(&open, "--listen (command line): 0.0.0.0:0 is not loopback", "--trusted-proxy");
    let nameless = Setup::new("startup-nameless", &provider).listen("0.0.0.0:0");
    let nameless = nameless.without_public_url().refused().await;
    assert_refused(&nameless, "--public-url", "--public-url https://");
    let plain = Setup::bare("startup-plain").flags(["--oidc", "http://idp.test"]).refused().await;
    assert_refused(&plain, "must be https", "https");
    let behind = Setup::new("startup-proxy", &provider).listen("0.0.0.0:0");
    let behind = behind.flags(["--trusted-proxy", "10.0.0.0/8"]).serve().await;
    assert_eq!(behind.caller(&provider.token("alice")).status().await, 200);
}

#[tokio::test]
async fn nobody_shares_a_literal_secret() {
    let provider = Provider::start().await;
    for (at, pair) in [
        "GITHUB_TOKEN=hunter2-hunter2",
        "SETTING=ghp_0123456789abcdefghijklmnopqrstuvwxyz",
        "DATABASE=postgres://app:hunter2@db.test/app",
        "API_KEY=hunter2-hunter2",
    ]
    .iter()
    .enumerate()
    {
        let setup = Setup::new(&format!("startup-literal-{at}"), &provider).flags(["--env", pair]);
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
    let setup = |name: &str, source: &str| {
        Setup::new(name, &one).vault(&vault).flags(["--credential", &format!("T={source}")])
    };
    for (at, source) in ["vault:secret/mcp#token", "file:/run/token", "vault:secret/{email}#token"]
        .iter()
        .enumerate()
    {
        let ended = setup(&format!("startup-shared-{at}"), source).refused().await;
        assert_refused(&ended, "does not tell the users apart", "{user}");
    }
    let both = |name: &str| {
        setup(name, "file:/run/{sub}").flags(["--oidc", &format!("b={}", two.issuer())])
    };
    assert_refused(
        &both("startup-shared-iss").refused().await,
        "does not tell the users apart",
        "{iss}",
    );
    let machines = setup("startup-shared-machines", "file:/run/{sub}");
    let machines = machines.flags(["--machines", "accept"]).refused().await;
    assert_refused(
        &machines,
        "does not tell the users apart",
        "a service may be called like a person",
    );
    let tenants = setup("startup-shared-tenants", "file:/run/{sub}");
    let tenants = tenants.flags(["--tenant-claim", "org"]).refused().await;
    assert_refused(&tenants, "does not tell the users apart", "{tenant}");
    let env = setup("startup-shared-env", "env:HOME").refused().await;
    assert_refused(&env, "env: is not for this command", "");
}

/// Whoever can get a token there is everybody.
#[tokio::test]
async fn a_public_issuer_needs_a_list() {
    let run = async |name: &str, issuer: &str, flags: &[&str]| {
        let setup = Setup::bare(name).flags(["--oidc", issuer]);
        flags.iter().fold(setup, |setup, flag| setup.flags([flag])).refused().await
    };
    let internet = "the whole internet";
    let list = "--allow-group, --allow-domain, --allow-user or --allow-tenant";
    let google = "https://accounts.google.com";
    let ended = run("startup-google", google, &["--idp", "google"]).await;
    assert_refused(&ended, "needs the ids of the clients", "--client ID");
    assert_refused(&ended, internet, list);
    let ended = run("startup-google-bare", google, &[]).await;
    assert_refused(&ended, "only Google can read", "--idp google, and --client ID");
    let ended = run("startup-google-open", google, &["--idp", "google", "--client", "c"]).await;
    assert_refused(&ended, internet, list);
    assert!(!ended.err.contains("ids of the clients"), "{}", ended.err);
    let ended =
        run("startup-github", "https://github.com", &["--idp", "github", "--client", "c"]).await;
    assert_refused(&ended, "needs the secret of each client", "--client-secret-file");
    for (at, issuer) in [
        "https://gitlab.com",
        "https://token.actions.githubusercontent.com",
        "https://login.microsoftonline.com/common/v2.0",
    ]
    .iter()
    .enumerate()
    {
        let ended = run(&format!("startup-public-{at}"), issuer, &["--idp", "entra"]).await;
        assert_refused(&ended, internet, list);
    }
}

#[tokio::test]
async fn apple_is_explained() {
    let apple = "https://appleid.apple.com";
    let by_url = Setup::bare("startup-apple").flags(["--oidc", apple]).refused().await;
    assert_refused(&by_url, "issues no access tokens", "authorization server in front");
    let by_name = Setup::bare("startup-idp-apple").flags(["--oidc", apple, "--idp", "apple"]);
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
    let setup = Setup::new("startup-secret", &provider);
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
