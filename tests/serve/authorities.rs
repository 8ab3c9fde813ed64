//! Certificate authorities: a machine without any, and a private one that the operator names.

use crate::support::*;

/// A provider over TLS whose authority no machine knows.
async fn private() -> (Provider, Tls) {
    let provider = Provider::start().await;
    let tls = Tls::before(&provider.server).await;
    let at = |path: &str| format!("{}{path}", tls.url);
    let metadata = json!({ "issuer": tls.url, "jwks_uri": at(Provider::KEYS) });
    provider.server.answer(Provider::METADATA, Answer::Json(metadata));
    (provider, tls)
}

/// As on a machine without the package `ca-certificates`.
fn bare(setup: Mcpwrap) -> Mcpwrap {
    let (file, directory) = (setup.dir.join("no-certificates"), setup.dir.join("none"));
    write_private(&file, "");
    std::fs::create_dir(&directory).unwrap();
    let (file, directory) =
        (file.to_str().unwrap().to_owned(), directory.to_str().unwrap().to_owned());
    setup.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", &directory)
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named() {
    let (_provider, tls) = private().await;
    let setup = Mcpwrap::serve().flags(["--oidc", &tls.url]);
    let unknown = bare(setup).checked().await;
    assert_eq!(unknown.code, Some(1), "{}", unknown.err);
    assert!(unknown.err.contains("error: set up the outbound http client"), "{}", unknown.err);
    assert!(unknown.err.contains("load certificate authorities for https"), "{}", unknown.err);
    assert!(unknown.err.contains("ca-certificates"), "{}", unknown.err);
    assert!(unknown.err.contains("--ca-file"), "{}", unknown.err);
    let setup = Mcpwrap::serve().flags(["--oidc", &tls.url]);
    let file = setup.dir.join("authority.pem");
    write_private(&file, &tls.authority);
    let setup = setup.flags(["--ca-file", file.to_str().unwrap()]);
    let named = bare(setup.clone()).checked().await;
    assert_eq!(named.code, Some(0), "{}", named.err);
    write_private(&file, "no certificate");
    let wrong = setup.checked().await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.err);
    assert!(wrong.err.contains("error: read --ca-file"), "{}", wrong.err);
}

/// Nothing is fetched over https here, so nobody has to be vouched for.
#[tokio::test]
async fn a_machine_without_certificates_serves_users_of_a_local_provider() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    vault.keep("mcp/alice", "the-token-of-alice-0123456789");
    let setup = bare(Mcpwrap::serve().oidc(&provider).vault(&vault));
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    let served = setup.start().await;
    assert_eq!(served.caller(&provider.token("alice")).status().await, 200);
}

/// The same goes for the vault.
#[tokio::test]
async fn the_named_authority_counts_for_the_vault_as_well() {
    let provider = Provider::start().await;
    let vault = Vault::start().await;
    vault.keep("mcp/alice", "the-token-of-alice-0123456789");
    let tls = Tls::before(&vault.server).await;
    let setup = Mcpwrap::serve().oidc(&provider).vault(&vault).env("VAULT_ADDR", &tls.url);
    let file = setup.dir.join("authority.pem");
    write_private(&file, &tls.authority);
    let setup = setup.flags(["--credential", "T=vault:secret/mcp/{sub}#token"]);
    let setup = setup.flags(["--ca-file", file.to_str().unwrap()]);
    let served = setup.start().await;
    let alice = served.caller(&provider.token("alice")).whoami().await;
    assert_eq!(who(&alice, "T"), "the-token-of-alice-0123456789");
    assert!(vault.reads() > 0);
}
