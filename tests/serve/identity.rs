//! Who somebody is: issuer, tenant and subject, each his own process and home; and what a subject may be called
//! (1.12, 14.4).

use crate::support::*;

/// 14.7: two issuers with the same subject are two users.
#[tokio::test]
async fn the_same_subject_of_two_issuers_is_two_users() {
    let (one, two) = (Provider::start().await, Provider::start().await);
    let setup = Mcpwrap::serve();
    for (provider, value) in [(&one, "token-of-one"), (&two, "token-of-two")] {
        let name = if value.ends_with("one") { "one" } else { "two" };
        std::fs::create_dir(setup.dir.join(name)).unwrap();
        write_private(&setup.dir.join(name).join("alice"), value);
        assert_ne!(provider.issuer(), "");
    }
    let source = format!("T=file:{}/{{iss}}/{{sub}}", setup.dir.display());
    let flags = [format!("one={}", one.issuer()), format!("two={}", two.issuer())];
    let setup = setup.flags(["--oidc", &flags[0], "--oidc", &flags[1], "--credential", &source]);
    let served = setup.start().await;
    let first = served.caller(&one.token("alice")).whoami().await;
    let second = served.caller(&two.token("alice")).whoami().await;
    assert_ne!(pid(&first), pid(&second));
    for variable in ["HOME", "TMPDIR", "MCPWRAP_USER"] {
        assert_ne!(who(&first, variable), who(&second, variable), "{variable}");
    }
    assert_eq!((who(&first, "T"), who(&second, "T")), ("token-of-one", "token-of-two"));
    assert_eq!(served.homes().len(), 2);
}

#[tokio::test]
async fn the_same_subject_of_two_tenants_is_two_users() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--tenant-claim", "org"]).start().await;
    let of = async |org: Value| {
        served.caller(&provider.token_with(json!({ "org": org }))).whoami().await
    };
    let (one, two, again) = (of(json!("a")).await, of(json!("b")).await, of(json!("a")).await);
    assert_ne!(pid(&one), pid(&two));
    assert_eq!(pid(&one), pid(&again), "the same user has the same child");
    assert_ne!(who(&one, "HOME"), who(&two, "HOME"));
    assert_ne!(who(&one, "MCPWRAP_TENANT"), who(&two, "MCPWRAP_TENANT"));
}

/// A new token of the same user keeps his child; the child of somebody else is never his.
#[tokio::test]
async fn a_user_is_not_his_token() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let first = served.caller(&provider.token("alice")).whoami().await;
    let fresh = provider.token_with(json!({ "jti": "another", "exp": now() + 900, "scope": "x" }));
    let second = served.caller(&fresh).whoami().await;
    let bob = served.caller(&provider.token("bob")).whoami().await;
    assert_eq!(pid(&first), pid(&second));
    assert_ne!(pid(&first), pid(&bob));
    // Who acts for somebody is not the same as he himself.
    let acted =
        served.caller(&provider.token_with(json!({ "act": { "sub": "agent" } }))).whoami().await;
    assert_ne!(pid(&first), pid(&acted));
    assert_eq!(who(&first, "MCPWRAP_USER"), who(&acted, "MCPWRAP_USER"));
}

/// Names that climb, split or hide.
pub(crate) fn odd_subjects() -> Vec<String> {
    let odd = [
        "../bob",
        "..",
        ".",
        "a/b#c",
        "alice%2f..%2fbob",
        "%2e%2e%2fbob",
        "..%2Fbob",
        "bob/",
        // Nothing but the slash is wrong with it, and there is such a file.
        "team/bob",
        "/bob",
        "bob ",
        " bob",
        "bob?x=1",
        "bob#token",
        "b\\..\\ob",
        "bob%00",
        "{user}",
        "{sub}",
        "$(id)",
        "bob;x",
        "b\u{f6}b",
        "bob\u{200b}",
        "-bob",
        "~",
        "*",
    ];
    let mut all: Vec<String> = odd.iter().map(|name| (*name).to_owned()).collect();
    all.push("x".repeat(200));
    all
}

/// No odd name gets in anybody's way: each has a child of its own, and `{user}` fits them all.
#[tokio::test]
async fn however_somebody_is_called_he_is_only_himself() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--env", "WHO={user}"]);
    let served = setup.flags(["--max-children", "64"]).start().await;
    let bob = served.caller(&provider.token("bob")).whoami().await;
    let mut seen = vec![who(&bob, "WHO").to_owned()];
    for subject in odd_subjects() {
        let own = served.caller(&provider.token(&subject)).whoami().await;
        let name = who(&own, "WHO").to_owned();
        assert_eq!(name, who(&own, "MCPWRAP_USER"));
        assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{subject:?}");
        assert!(!seen.contains(&name), "{subject:?} is somebody else too");
        assert!(who(&own, "HOME").contains(&name), "{subject:?}");
        seen.push(name);
    }
    // One home each, side by side.
    assert_eq!(served.homes().len(), seen.len());
}

/// A name that identifies nobody is no name.
#[tokio::test]
async fn a_subject_has_between_one_and_255_visible_characters() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    for subject in [
        json!(""),
        json!(null),
        json!("x".repeat(300)),
        json!("bob\n"),
        json!("bob\u{0}"),
        json!("b\u{7}ob"),
        json!("bob\u{7f}"),
        json!("bob\u{85}"),
        json!(["bob"]),
        json!({ "bob": 1 }),
        json!(1.5),
        json!(true),
    ] {
        let token = provider.token_with(json!({ "sub": subject }));
        assert_eq!(served.caller(&token).status().await, 401, "{subject}");
    }
    assert_eq!(served.homes(), Vec::<String>::new());
    // The caller is told nothing; the operator learns which claim it was.
    let written = served.stop().await;
    assert!(written.contains(r#""reason":"subject","from":"127.0.0.0/8","count":12"#), "{written}");
}
