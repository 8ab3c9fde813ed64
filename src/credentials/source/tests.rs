//! How sources are written, and which of them tell the users apart.

use super::*;
use crate::auth::Machines;

#[test]
fn every_form_is_read() {
    for text in [
        "vault:secret/mcp/{user}#token",
        "vault:kv/{tenant}/{sub}#{claim:team}",
        "store:github",
        "keyring:mcpwrap/{user}",
        "file:/run/secrets/{user}/token",
        "file:tokens/{sub}.json",
    ] {
        assert!(Source::parse(text, Users::Many).is_ok(), "{text}");
    }
    for text in ["env:GITHUB_TOKEN", "keyring:github/me", "file:token"] {
        assert!(Source::parse(text, Users::One).is_ok(), "{text}");
    }
}

#[test]
fn wrong_forms_are_refused_with_a_hint() {
    for text in [
        "vault:secret",
        "vault:secret#f",
        "vault:secret/x",
        "vault:secret/x#",
        "vault:/x#f",
        "vault:a//b#f",
        "vault:a/../b#f",
        "vault:a/./b#f",
        "vault:a/%2e%2e/b#f",
        "vault:a/b?x#f",
        "vault:a/b#c#f",
        "vault:a/{nobody}#f",
        "store:",
        "store:a/b",
        "store:{user}",
        "file:",
        "file:/a/../b",
        "file:/a/",
        "keyring:a",
        "keyring:/a",
        "keyring:a/",
    ] {
        let error = Source::parse(text, Users::Many).unwrap_err();
        let told = matches!(error, SourceError::Form { .. } | SourceError::Template { .. });
        assert!(told && !error.hint().is_empty(), "{text}");
    }
    for text in ["env:", "env:A B"] {
        assert!(matches!(Source::parse(text, Users::One), Err(SourceError::Form { .. })), "{text}");
    }
}

#[test]
fn an_unknown_source_is_answered_with_those_that_there_are() {
    for text in ["", "ghp_value", "nonsense:x"] {
        let error = Source::parse(text, Users::Many).unwrap_err();
        assert_eq!(error.to_string(), "the source has no known scheme", "{text}");
        for known in Source::schemes(Users::Many) {
            assert!(error.hint().contains(&known.to_string()), "{known}");
        }
    }
    let error = Source::parse("vault:a/b#c", Users::One).unwrap_err();
    assert_eq!(error.to_string(), "vault: is not for this command");
    assert!(error.hint().contains("env:VAR") && !error.hint().contains("vault:"));
}

#[test]
fn a_keyring_entry_may_be_the_same_for_everybody() {
    let literal = |text: &str| match Source::parse(text, Users::Many) {
        Ok(Source::Keyring(entry)) => entry.literal(),
        other => panic!("{other:?}"),
    };
    assert_eq!(literal("keyring:a/b{{c"), Some(("a".to_owned(), "b{c".to_owned())));
    assert_eq!(literal("keyring:a/{user}"), None);
}

fn judge(source: &str, facts: Facts) -> Result<(), NotPerUser> {
    // A source for a developer alone would not get as far where it serves many.
    let users = if source.starts_with("env:") { Users::One } else { Users::Many };
    Source::parse(source, users).unwrap().per_user(&facts)
}

const ONE: Facts = Facts { issuers: 1, tenant_claim: false, machines: Machines::Refuse };
const TWO: Facts = Facts { issuers: 2, tenant_claim: false, machines: Machines::Refuse };
const TENANTS: Facts = Facts { issuers: 1, tenant_claim: true, machines: Machines::Refuse };
const ALL: Facts = Facts { issuers: 2, tenant_claim: true, machines: Machines::Refuse };

#[test]
fn a_service_may_be_called_like_a_person() {
    let both = Facts { machines: Machines::Accept, ..ONE };
    assert!(judge("vault:kv/{user}#t", both).is_ok());
    let wrong = judge("vault:kv/{sub}#t", both).unwrap_err();
    assert!(wrong.hint.contains("{user}"), "{wrong:?}");
}

#[test]
fn a_source_must_determine_the_user() {
    for (source, facts, fits) in [
        ("vault:kv/mcp/{user}#t", ALL, true),
        ("vault:kv/mcp#{user}", ALL, true),
        ("vault:kv/mcp/{sub}#t", ONE, true),
        ("vault:kv/mcp/{sub}#t", TWO, false),
        ("vault:kv/mcp/{sub}#t", TENANTS, false),
        ("vault:kv/{iss}/{sub}#t", TWO, true),
        ("vault:kv/{iss}/{sub}#t", ALL, false),
        ("vault:kv/{iss}/{tenant}/{sub}#t", ALL, true),
        ("vault:kv/{tenant_id}/{sub}#t", TENANTS, true),
        ("vault:kv/{tenant_id}{sub}#t", TENANTS, true),
        ("vault:kv/mcp#t", ONE, false),
        ("vault:kv/{email}#t", ONE, false),
        ("vault:kv/{email}/{claim:team}#t", ONE, false),
        ("vault:kv/{claim:sub}#t", ONE, false),
        ("vault:kv/{tenant}#t", TENANTS, false),
        ("file:/run/{sub}/token", ONE, true),
        ("file:/run/token", ONE, false),
        ("keyring:mcp/{sub}", ONE, true),
        ("keyring:{iss}/{sub}", TWO, true),
        ("keyring:mcp/token", ONE, false),
        ("store:github", ALL, true),
        ("env:GITHUB_TOKEN", ONE, false),
        // Side by side the end of one claim and the start of the next are anybody's guess.
        ("vault:kv/{iss}{sub}#t", TWO, false),
        ("vault:kv/{iss}-{sub}#t", TWO, false),
        ("vault:kv/{claim:team}{sub}#t", ONE, false),
        ("vault:kv/{claim:team}/{sub}#t", ONE, true),
        ("file:/run/{sub}.{tenant}", TENANTS, false),
        ("file:/run/{sub},{tenant}", TENANTS, true),
    ] {
        assert_eq!(judge(source, facts).is_ok(), fits, "{source} {facts:?}");
    }
}
