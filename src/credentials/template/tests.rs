//! Which claims fit where, and that hostile ones fit nowhere.

use super::*;
use serde_json::json;

fn alice(subject: &str) -> Principal {
    Principal::for_tests(
        "https://idp.example",
        Some("acme"),
        subject,
        &[
            ("email", json!("alice@acme.example")),
            ("team", json!("blue")),
            ("uid", json!(1042)),
            ("list", json!(["a"])),
            ("evil", json!("../bob")),
        ],
    )
}

fn path(template: &str, subject: &str) -> Result<String, RenderError> {
    Template::parse(template).unwrap().render_path(&alice(subject))
}

#[test]
fn placeholders_become_claims() {
    let user = alice("alice").user().digest();
    for (template, want) in [
        ("plain", "plain".to_owned()),
        ("a/{user}", format!("a/{user}")),
        ("{iss}/{sub}.json", "idp/alice.json".to_owned()),
        ("{tenant}/{email}", "acme/alice@acme.example".to_owned()),
        ("{claim:team}-{claim:uid}", "blue-1042".to_owned()),
        ("{{{sub}}}", "{alice}".to_owned()),
    ] {
        assert_eq!(path(template, "alice").unwrap(), want);
    }
    assert_eq!(path("{tenant_id}", "a").unwrap().len(), 32);
}

#[test]
fn hostile_subjects_fit_in_no_path() {
    let long = "a".repeat(300);
    for subject in [
        "../bob",
        "..",
        ".",
        ".hidden",
        "a/b#c",
        "alice%2f..%2fbob",
        "",
        &long,
        "a\nb",
        "a\0b",
        "a b",
        "a\\b",
        "-rf",
        "~root",
        "ünal",
        "a?b",
        "a#b",
        "{user}",
        "a\u{202e}b",
        "a;b",
        "a&b",
    ] {
        for template in ["m/{sub}", "{sub}", "m/{sub}/x", "x{sub}"] {
            let error = path(template, subject).unwrap_err();
            assert_eq!(error.to_string(), "the claim sub of the token cannot be used here");
            let parsed = Template::parse(template).unwrap();
            assert!(parsed.render_url_path(&alice(subject)).is_err());
            assert!(parsed.render_env(&alice(subject)).is_err() || subject == "-rf");
        }
        // The hash fits whatever the subject is.
        assert!(path("m/{user}", subject).is_ok());
    }
    assert!(path("{claim:evil}", "alice").is_err());
    assert!(path("{claim:list}", "alice").is_err());
}

#[test]
fn a_url_gets_encoded_claims() {
    let template = Template::parse("kv/team one/{sub}").unwrap();
    assert_eq!(
        template.render_url_path(&alice("auth0|a+b@c:d=e~f")).unwrap(),
        "kv/team%20one/auth0%7Ca%2Bb%40c%3Ad%3De~f"
    );
}

#[test]
fn a_variable_takes_plain_words_only() {
    let template = Template::parse("u-{sub}").unwrap();
    assert_eq!(template.render_env(&alice("al_ice-1")).unwrap(), "u-al_ice-1");
    for subject in ["a.b", "a@b", "a$b", "a b", &"a".repeat(64)] {
        assert!(template.render_env(&alice(subject)).is_err(), "{subject}");
    }
}

#[test]
fn an_absent_claim_is_named() {
    let nobody = Principal::for_tests("i", None, "s", &[]);
    for (template, name) in [
        ("{tenant}", "tenant"),
        ("{tenant_id}", "tenant"),
        ("{email}", "verified email"),
        ("{claim:team}", "claim team"),
    ] {
        let error = Template::parse(template).unwrap().render_path(&nobody);
        assert_eq!(error.unwrap_err().to_string(), format!("the token has no {name}"));
    }
}

#[test]
fn wrong_templates_are_refused() {
    for text in ["{", "}", "{sub", "sub}", "{}", "{subject}", "{claim:}", "{ sub }", "{a{sub}}"] {
        assert!(Template::parse(text).is_err(), "{text}");
    }
}
