//! Settings that must not start, and those that must.

use super::*;
use crate::auth::settings::{Algorithm, Allow, AskWhen, Client};

fn settings(issuers: &[(&str, Preset)]) -> Settings {
    Settings {
        issuers: issuers.iter().map(|(text, idp)| Issuer::parse(text, *idp).unwrap()).collect(),
        audiences: vec!["https://mcp.example/mcp".into()],
        ..Settings::default()
    }
}

fn messages(settings: &Settings) -> String {
    let problems = settings.validate();
    assert!(problems.iter().all(|problem| !problem.hint.as_ref().unwrap().is_empty()));
    problems.iter().map(|problem| format!("{}: {}\n", problem.key, problem.what)).collect()
}

#[test]
fn an_issuer_is_read_with_and_without_a_name() {
    for (text, name, url) in [
        ("https://idp.example/realms/a", "idp.example", "https://idp.example/realms/a"),
        ("corp=https://idp.example/", "corp", "https://idp.example/"),
        ("https://idp.example/?a=b", "idp.example", "https://idp.example/?a=b"),
    ] {
        let issuer = Issuer::parse(text, Preset::Generic).unwrap();
        assert_eq!((issuer.name.as_str(), issuer.url.as_str()), (name, url));
    }
    for text in ["", "idp.example", "corp=", "=", "corp=idp"] {
        assert!(Issuer::parse(text, Preset::Generic).is_err(), "{text}");
    }
}

#[test]
fn a_plain_production_set_up_has_no_problem() {
    for (text, idp) in [
        ("https://idp.example", Preset::Generic),
        ("http://127.0.0.1:8080/realms/a", Preset::Keycloak),
        ("https://corp.okta.com/oauth2/default", Preset::Okta),
        ("https://corp.eu.auth0.com/", Preset::Auth0),
        (
            "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
            Preset::Entra,
        ),
        ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", Preset::Cognito),
    ] {
        assert_eq!(messages(&settings(&[(text, idp)])), "", "{text}");
    }
}

#[test]
fn what_is_known_about_a_provider_is_said() {
    for (text, idp, part) in [
        ("http://idp.example", Preset::Generic, "neither https"),
        ("https://u:p@idp.example", Preset::Generic, "password"),
        ("https://idp.example/?a=b", Preset::Generic, "query"),
        ("-x=https://idp.example", Preset::Generic, "name"),
        ("../x=https://idp.example", Preset::Generic, "name"),
        ("https://appleid.apple.com", Preset::Generic, "issues no access tokens"),
        ("https://corp.okta.com", Preset::Okta, "org server"),
        ("https://corp.auth0.com", Preset::Auth0, "slash"),
        ("https://accounts.google.com", Preset::Generic, "only Google"),
        ("https://github.com", Preset::Generic, "only GitHub"),
        ("https://accounts.google.com", Preset::Google, "ids of the clients"),
        ("https://github.com", Preset::GitHub, "secret"),
        ("https://login.microsoftonline.com/common/v2.0", Preset::Generic, "many tenants"),
        ("https://login.microsoftonline.com/consumers/v2.0", Preset::Entra, "alias"),
    ] {
        let Ok(issuer) = Issuer::parse(text, idp) else {
            assert_eq!(part, "name");
            continue;
        };
        let settings = Settings { issuers: vec![issuer], ..settings(&[]) };
        assert!(messages(&settings).contains(part), "{text}: {}", messages(&settings));
    }
}

#[test]
fn a_public_issuer_without_a_list_is_the_whole_internet() {
    for (text, idp) in [
        ("https://accounts.google.com", Preset::Google),
        ("https://github.com", Preset::GitHub),
        ("https://login.microsoftonline.com/common/v2.0", Preset::Entra),
        ("https://login.microsoftonline.com/Organizations/v2.0", Preset::Entra),
        ("https://token.actions.githubusercontent.com", Preset::Generic),
        ("https://gitlab.com", Preset::Generic),
    ] {
        let mut open = settings(&[(text, idp)]);
        open.issuers[0].clients = vec![Client { id: "c".into(), secret: Some("s".into()) }];
        assert!(messages(&open).contains("whole internet"), "{text}");
        let list = || vec!["x".to_owned()];
        for allow in [
            Allow { groups: list(), ..Allow::default() },
            Allow { users: list(), ..Allow::default() },
        ] {
            let closed = Settings { allow, ..open.clone() };
            assert_eq!(messages(&closed), "", "{text}");
        }
        for allow in [
            Allow { tenants: list(), ..Allow::default() },
            Allow { domains: list(), ..Allow::default() },
        ] {
            let closed = Settings { allow, ..open.clone() };
            assert!(!messages(&closed).contains("whole internet"), "{text}");
        }
        let judged = Settings { further: FurtherRules::Policy, ..open };
        assert_eq!(messages(&judged), "", "{text}");
    }
}

#[test]
fn a_list_that_can_let_nobody_in_is_a_mistake() {
    let tenants = Allow { tenants: vec!["t".into()], ..Allow::default() };
    let domains = Allow { domains: vec!["corp.example".into()], ..Allow::default() };
    let entra = "https://login.microsoftonline.com/common/v2.0";
    for (text, idp, allow, part) in [
        ("https://idp.example", Preset::Generic, &tenants, "names no tenant"),
        (entra, Preset::Entra, &tenants, ""),
        (entra, Preset::Entra, &domains, "no e-mail domain"),
        ("https://idp.example", Preset::Generic, &domains, ""),
    ] {
        let settings = Settings { allow: allow.clone(), ..settings(&[(text, idp)]) };
        let messages = messages(&settings);
        assert!(messages.contains(part) && messages.is_empty() == part.is_empty(), "{messages}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let broken = Settings {
        audiences: Vec::new(),
        algorithms: Vec::new(),
        user_claim: Some(" ".into()),
        required_scopes: vec!["a b".into()],
        leeway: Duration::from_secs(3600),
        introspection: Some(Introspection {
            issuer: Some("nobody".into()),
            endpoint: Some("http://idp.example/introspect".into()),
            client_id: String::new(),
            client_secret: "".into(),
            when: AskWhen::Always,
        }),
        allow: Allow {
            users: vec!["alice".into()],
            domains: vec!["@x".into()],
            ..Allow::default()
        },
        ..settings(&[
            ("a=https://idp.example", Preset::Generic),
            ("a=https://idp.example", Preset::Generic),
        ])
    };
    let messages = messages(&broken);
    for part in [
        "name of another",
        "given twice",
        "audience:",
        "algorithm:",
        "user-claim:",
        "required-scope:",
        "leeway:",
        "which issuer answers",
        "endpoint",
        "client id",
        "allow-user:",
        "allow-domain:",
    ] {
        assert!(messages.contains(part), "{part} in {messages}");
    }
    assert!(Settings::default().validate()[0].what.contains("no issuer"));
}

#[test]
fn secret_and_missing_algorithms_cannot_even_be_named() {
    for name in ["none", "HS256", "HS512", "rs256", ""] {
        assert!(name.parse::<Algorithm>().is_err(), "{name}");
    }
    assert_eq!("EdDSA".parse::<Algorithm>().unwrap(), Algorithm::EdDSA);
}

#[test]
fn weaker_presets_are_marked() {
    let settings = settings(&[
        ("https://accounts.google.com", Preset::Google),
        ("https://idp.example", Preset::Generic),
        ("https://kc.example/realms/a", Preset::Keycloak),
    ]);
    let cautions = settings.cautions();
    assert_eq!(cautions.len(), 2);
    assert!(cautions[0].what.contains("client id"));
}
