//! Who may come in: clients, tenants, services, and the issuer that is asked.

use super::*;
use crate::auth::{AskWhen, Machines, TokenType};

#[test]
fn clients_and_their_secrets_belong_to_issuers() {
    let words = "--oidc g=https://accounts.google.com --oidc h=https://github.com --idp g=google,h=github \
                 --client g=a --client h=b,h=c --client-secret-file b=/b --client-secret-file c=/c=d \
                 --api-url h=https://ghe.example/api/v3 --token-type strict --token-type h=lenient -- srv";
    let issuers = serve_of(words, &[], "").unwrap().auth.issuers;
    let client = |id: &str, file: Option<&str>| Client {
        id: id.to_owned(),
        secret_file: file.map(Into::into),
    };
    assert_eq!(issuers[0].clients, [client("a", None)]);
    assert_eq!(issuers[1].clients, [client("b", Some("/b")), client("c", Some("/c=d"))]);
    let api = |issuer: &Issuer| issuer.api_url.as_ref().map(ToString::to_string);
    assert_eq!(api(&issuers[0]), None);
    assert_eq!(api(&issuers[1]).as_deref(), Some("https://ghe.example/api/v3"));
    let types: Vec<_> = issuers.iter().map(|issuer| issuer.token_type).collect();
    assert_eq!(types, [Some(TokenType::Strict), Some(TokenType::Lenient)]);
}

#[test]
fn a_secret_needs_to_know_its_client() {
    let problems =
        |words: &str| serve_of(&format!("{SERVE} {words} -- srv"), &[], "\n").unwrap_err();
    let flag = "--client-secret-file (command line)";
    assert_eq!(
        problems("--client-secret-file /s"),
        [format!("{flag}: it is one client's, and 0 are listed")]
    );
    assert_eq!(
        problems("--client a,b --client-secret-file /s"),
        [format!("{flag}: it is one client's, and 2 are listed")]
    );
    assert_eq!(
        problems("--client a --client-secret-file b=/s"),
        [format!("{flag}: no client is called \"b\"")]
    );
    assert_eq!(
        problems("--client corp=a"),
        ["--client (command line): no issuer is called \"corp\""]
    );
}

#[test]
fn who_may_come_in_is_said_in_every_layer() {
    let file = "client = [\"f\"]\nallow-tenant = [\"acme, inc\"]\nmachines = \"accept\"\n";
    let vars = [("MCPWRAP_CLIENT", "v,w")];
    let auth = |words: &str, vars: &[(&str, &str)], file: &str| {
        serve_of(&format!("{SERVE} {words} -- srv"), vars, file).unwrap().auth
    };
    let ids = |auth: &Auth| {
        auth.issuers[0].clients.iter().map(|client| client.id.clone()).collect::<Vec<_>>()
    };
    let written = auth("", &[], file);
    assert_eq!(ids(&written), ["f"]);
    assert_eq!(written.admission.tenants, ["acme, inc"]);
    assert_eq!(written.machines, Machines::Accept);
    assert_eq!(ids(&auth("", &vars, file)), ["v", "w"]);
    let typed = auth("--client t --machines refuse --allow-tenant x", &vars, file);
    assert_eq!((ids(&typed), typed.machines), (vec!["t".to_owned()], Machines::Refuse));
    assert_eq!(typed.admission.tenants, ["x"]);
    let usual = auth("", &[], "\n");
    assert_eq!((ids(&usual).len(), usual.machines), (0, Machines::Refuse));
}

#[test]
fn an_issuer_is_asked_always_or_about_opaque_tokens() {
    let client =
        "--introspection-client-id login.example.com=c --introspection-client-secret-file s";
    let asked = |words: &str, file: &str| {
        let words = format!("{SERVE} {client} {words} -- srv");
        serve_of(&words, &[], file).unwrap().auth.introspection.unwrap()
    };
    assert_eq!(asked("", "\n").when, AskWhen::Opaque);
    let cache = |words: &str, file: &str| asked(words, file).cache.as_secs();
    assert_eq!(cache("", "\n"), 60);
    assert_eq!(cache("", "introspection-cache = \"9s\"\n"), 9);
    assert_eq!(cache("--introspection-cache 5s", "introspection-cache = \"9s\"\n"), 5);
    let always = asked("", "introspection-when = \"always\"\n");
    assert_eq!(
        (always.issuer.as_deref(), always.client_id.as_str(), always.when),
        (Some("login.example.com"), "c", AskWhen::Always)
    );
    let alone = format!("{SERVE} --introspection-when always -- srv");
    assert_eq!(serve_of(&alone, &[], "\n").unwrap_err().len(), 2);
    let foreign = format!("{SERVE} {} -- srv", client.replace("login", "other"));
    assert_eq!(
        serve_of(&foreign, &[], "\n").unwrap_err(),
        ["--introspection-client-id (command line): no issuer is called \"other.example.com\""]
    );
}
