//! Which sources tell users apart, which settings look like secrets, and whose a value is.

use super::*;
use crate::auth::{Machines, Principal, UserId};
use secrecy::SecretString;

fn problems(source: &str, facts: Facts) -> Vec<Problem> {
    let spec = CredentialSpec::parse(&format!("TOKEN={source}")).unwrap();
    check_per_user(&[spec], &facts, &[])
}

const ONE: Facts = Facts { issuers: 1, tenant_claim: false, machines: Machines::Refuse };
const TWO: Facts = Facts { issuers: 2, tenant_claim: false, machines: Machines::Refuse };
const TENANTS: Facts = Facts { issuers: 1, tenant_claim: true, machines: Machines::Refuse };
const ALL: Facts = Facts { issuers: 2, tenant_claim: true, machines: Machines::Refuse };

#[test]
fn a_service_may_be_called_like_a_person() {
    let both = Facts { machines: Machines::Accept, ..ONE };
    assert!(problems("vault:kv/{user}#t", both).is_empty());
    let found = problems("vault:kv/{sub}#t", both);
    assert!(found[0].hint.as_ref().unwrap().contains("{user}"), "{found:?}");
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
        let found = problems(source, facts);
        assert_eq!(found.is_empty(), fits, "{source} {facts:?} {found:?}");
        assert!(found.iter().all(|problem| problem.key == "credential" && problem.hint.is_some()));
    }
}

#[test]
fn the_operator_can_allow_a_shared_name() {
    let spec = CredentialSpec::parse("TOKEN=vault:kv/mcp#t").unwrap();
    assert!(check_per_user(&[spec], &ALL, &["TOKEN".to_owned()]).is_empty());
}

#[test]
fn secrets_in_plain_settings_are_found() {
    for (name, value, secret) in [
        ("GITHUB_TOKEN", "abc", true),
        ("DB_PASSWORD", "hunter2", true),
        ("API_KEY", "x", true),
        ("X", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", true),
        ("X", "github_pat_11ABCDEFG", true),
        ("X", "sk-proj-aaaaaaaaaaaa", true),
        ("X", "xoxb-1234567890", true),
        ("X", "AKIAIOSFODNN7EXAMPLE", true),
        ("HEADER", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", true),
        ("OPTS", "key=q8Zr3LmX0vTn5YcW2bKd", true),
        ("X", "d41d8cd98f00b204e9800998ecf8427e", true),
        ("DATABASE_URL", "postgres://app:pw@db/x", true),
        ("TOKEN_FOR", "u-{sub}", true),
        ("LOG_LEVEL", "debug", false),
        ("GITHUB_HOST", "https://github.example.com/api/v3", false),
        ("TOKEN_TTL", "3600", false),
        ("TOKEN_FILE", "/run/token", false),
        ("USER_KEY", "{user}", false),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", false),
        ("FLAGS", "--read-only --toolsets=repos,issues", false),
        ("MODE", "sk-", false),
    ] {
        let env = [(name.to_owned(), Template::parse(value).unwrap())];
        let found = check_env(&env, &[]);
        assert_eq!(found.len(), usize::from(secret), "{name}={value}");
        assert!(check_env(&env, &[name.to_owned()]).is_empty());
        assert!(
            found.iter().all(|problem| !format!("{problem:?}").contains(value) || value.len() < 4)
        );
    }
}

fn user(subject: &str) -> UserId {
    Principal::for_tests("i", None, subject, &[]).user().clone()
}

#[test]
fn a_value_belongs_to_its_first_user() {
    let watch = SharedWatch::new(&["OPEN".to_owned()]).unwrap();
    let value = SecretString::from("same");
    let held = watch.admit("A", &user("alice"), &value).unwrap();
    let again = watch.admit("B", &user("alice"), &value).unwrap();
    drop((held, again));
    let padded = SecretString::from("same\n");
    for other in [&value, &padded] {
        let refused = watch.admit("A", &user("bob"), other).unwrap_err();
        assert!(matches!(refused, WatchError::Shared { name } if name == "A"));
    }
    let _open = watch.admit("OPEN", &user("bob"), &value).unwrap();
}

#[test]
fn only_what_nobody_holds_is_forgotten() {
    let watch = SharedWatch::with_limit(&[], 4).unwrap();
    let value = |n: usize| SecretString::from(format!("value {n}"));
    let live = watch.admit("A", &user("alice"), &value(0)).unwrap();
    for n in 1..100 {
        drop(watch.admit("A", &user("alice"), &value(n)).unwrap());
    }
    assert!(watch.remembered() <= 4);
    assert!(watch.admit("A", &user("bob"), &value(0)).is_err());
    let more: Vec<Held> =
        (200..203).map(|n| watch.admit("A", &user("alice"), &value(n)).unwrap()).collect();
    let full = watch.admit("A", &user("alice"), &value(300)).unwrap_err();
    assert!(matches!(full, WatchError::Full { .. }));
    drop((live, more));
    drop(watch.admit("A", &user("alice"), &value(300)).unwrap());
}

#[test]
fn a_fingerprint_tells_values_apart_in_one_process_only() {
    let (one, two) = (SharedWatch::new(&[]).unwrap(), SharedWatch::new(&[]).unwrap());
    let value = SecretString::from("v");
    assert_eq!(one.fingerprint(&value), one.fingerprint(&value));
    assert_ne!(one.fingerprint(&value), one.fingerprint(&SecretString::from("w")));
    assert_ne!(one.fingerprint(&value), two.fingerprint(&value));
}
