//! From option to value, with the real store and real files; and what two users may not have in common.

use super::*;
use crate::auth::Machines;
use crate::credentials::{Delivery, Facts, Users, check_per_user};
use crate::scratch::Scratch;
use crate::seal::Keyring;
use crate::store::{Store, UserRef};
use secrecy::SecretString;
use serde_json::json;

fn user(subject: &str) -> Principal {
    Principal::for_tests("https://idp.example", None, subject, &[("team", json!("blue"))])
}

fn spec(source: &str) -> CredentialSpec {
    CredentialSpec::new("TOKEN", source, Delivery::Env, Users::Many).unwrap()
}

fn sources(specs: &[&str], backends: Backends, allow_shared: &[String]) -> Sources {
    let specs = specs.iter().map(|source| spec(source)).collect();
    let watch = SharedWatch::new(allow_shared).unwrap();
    Sources::new(specs, backends, watch).unwrap()
}

/// A directory with one file per user.
fn files(entries: &[(&str, &str)]) -> Scratch {
    let dir = Scratch::new();
    for (name, value) in entries {
        std::fs::write(dir.join(name), value).unwrap();
        #[cfg(unix)]
        chmod(&dir, name, 0o600);
    }
    dir
}

#[cfg(unix)]
fn chmod(dir: &Scratch, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(dir.join(name), mode).unwrap();
}

fn from_files(dir: &Scratch, allow_shared: &[String]) -> Sources {
    let spec = format!("file:{}/{{sub}}", dir.display());
    sources(&[&spec], Backends::default(), allow_shared)
}

fn value(set: &CredentialSet) -> &str {
    set.get("TOKEN").unwrap().value.expose_secret()
}

#[tokio::test]
async fn each_user_gets_his_own_file() {
    let dir = files(&[("alice", "for alice\n"), ("bob", "for bob\r\n")]);
    let sources = from_files(&dir, &[]);
    let alice = sources.fetch(&user("alice")).await.unwrap();
    let bob = sources.fetch(&user("bob")).await.unwrap();
    assert_eq!((value(&alice), value(&bob)), ("for alice", "for bob"));
    let one = alice.get("TOKEN").unwrap();
    assert_eq!((one.delivery, alice.expires_at()), (Delivery::Env, None));
    assert_ne!(one.fingerprint, bob.get("TOKEN").unwrap().fingerprint);
    assert!(!format!("{alice:?}").contains("for alice"));
}

#[tokio::test]
async fn the_same_value_for_a_second_user_is_refused() {
    let dir = files(&[("alice", "same"), ("bob", "same\n")]);
    let sources = from_files(&dir, &[]);
    drop(sources.fetch(&user("alice")).await.unwrap());
    let error = sources.fetch(&user("bob")).await.unwrap_err();
    assert!(error.shared().is_some());
    assert!(error.for_user().contains("in use by somebody else"));
    drop(sources.fetch(&user("alice")).await.unwrap());
    let allowed = from_files(&dir, &["TOKEN".to_owned()]);
    for subject in ["alice", "bob"] {
        assert_eq!(value(&allowed.fetch(&user(subject)).await.unwrap()), "same");
    }
}

#[tokio::test]
async fn a_hostile_subject_reaches_no_file() {
    let dir = files(&[("bob", "for bob"), (".hidden", "x")]);
    let sources = from_files(&dir, &[]);
    let long = "a".repeat(300);
    for subject in [
        "../bob",
        "..",
        "./bob",
        "a/b#c",
        "alice%2f..%2fbob",
        "",
        &long,
        "bob\n",
        "bob\0",
        ".hidden",
    ] {
        let error = sources.fetch(&user(subject)).await.unwrap_err();
        assert!(matches!(error, Error::Render { .. }), "{subject}");
        assert_eq!(
            error.for_user(),
            "TOKEN cannot be looked up for you: the claim sub of the token cannot be used here; ask your operator"
        );
    }
    let error = sources.fetch(&user("carol")).await.unwrap_err();
    assert_eq!(
        error.for_user(),
        "no credential TOKEN is stored for you; ask your operator to store one"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn files_that_are_no_credentials_are_refused() {
    let big = "x".repeat(MAX_SECRET + 1);
    let dir = files(&[("open", "v"), ("empty", "\n"), ("big", &big), ("nul", "a\0b")]);
    chmod(&dir, "open", 0o620);
    std::fs::create_dir(dir.join("dir")).unwrap();
    nix::unistd::mkfifo(&dir.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let sources = from_files(&dir, &[]);
    for subject in ["open", "empty", "big", "nul", "dir", "pipe"] {
        let error = sources.fetch(&user(subject)).await.unwrap_err();
        assert!(
            error.for_user().starts_with("your credential TOKEN could not be fetched"),
            "{subject}"
        );
        assert!(!error.for_user().contains(&*dir.to_string_lossy()));
    }
}

#[tokio::test]
async fn the_store_is_asked_for_the_caller_alone() {
    let dir = Scratch::new();
    let keys = Keyring::load_or_create(&dir).unwrap();
    let store = Store::open(&dir.join("store.sqlite"), keys).unwrap();
    let alice = UserRef {
        issuer: "https://idp.example".to_owned(),
        tenant: None,
        subject: "alice".to_owned(),
    };
    store.set(&alice, "github", &SecretString::from("for alice")).await.unwrap();
    let backends = Backends { store: Some(store), vault: None };
    let sources = sources(&["store:github"], backends, &[]);
    assert_eq!(value(&sources.fetch(&user("alice")).await.unwrap()), "for alice");
    let error = sources.fetch(&user("bob")).await.unwrap_err();
    assert!(error.for_user().starts_with("no credential TOKEN is stored for you"));
}

/// A store that holds one secret, of this user under the name `github`.
async fn store_of(owner: UserRef) -> (Scratch, Sources) {
    let dir = Scratch::new();
    let keys = Keyring::load_or_create(&dir).unwrap();
    let store = Store::open(&dir.join("store.sqlite"), keys).unwrap();
    store.set(&owner, "github", &SecretString::from("his alone")).await.unwrap();
    let sources = sources(&["store:github"], Backends { store: Some(store), vault: None }, &[]);
    (dir, sources)
}

#[tokio::test]
async fn the_store_tells_tenants_and_issuers_apart() {
    let issuer = "https://idp.example";
    let owner = UserRef {
        issuer: issuer.to_owned(),
        tenant: Some("acme".to_owned()),
        subject: "alice".to_owned(),
    };
    let (_dir, sources) = store_of(owner).await;
    let caller = |issuer, tenant| Principal::for_tests(issuer, tenant, "alice", &[]);
    let fetched = sources.fetch(&caller(issuer, Some("acme"))).await.unwrap();
    assert_eq!(value(&fetched), "his alone");
    drop(fetched);
    for (issuer, tenant) in [
        (issuer, Some("other")),
        (issuer, Some("")),
        (issuer, None),
        ("https://idp.other", Some("acme")),
    ] {
        let error = sources.fetch(&caller(issuer, tenant)).await.unwrap_err();
        let said = error.for_user();
        assert!(said.starts_with("no credential TOKEN is stored for you"), "{issuer} {tenant:?}");
    }
}

/// A client may choose its own id, and call itself like a person.
#[tokio::test]
async fn a_service_gets_no_person_s_secret() {
    let issuer = "https://idp.example";
    let owner = UserRef { issuer: issuer.to_owned(), tenant: None, subject: "alice".to_owned() };
    let (_dir, sources) = store_of(owner).await;
    let service = Principal::for_tests(issuer, None, "alice", &[]).into_machine();
    assert_eq!(service.user().subject(), "alice");
    let error = sources.fetch(&service).await.unwrap_err();
    assert!(error.for_user().starts_with("no credential TOKEN is stored for you"));
    assert_eq!(value(&sources.fetch(&user("alice")).await.unwrap()), "his alone");
}

#[test]
fn the_operator_can_allow_a_shared_name() {
    let facts = Facts { issuers: 1, tenant_claim: false, machines: Machines::Refuse };
    let specs = [spec("vault:kv/mcp#t")];
    let problems = check_per_user(&specs, &facts, &[]);
    assert_eq!(
        problems[0].to_string(),
        "--credential (not set): TOKEN: the source vault:kv/mcp#t does not tell the users apart"
    );
    assert!(check_per_user(&specs, &facts, &["TOKEN".to_owned()]).is_empty());
}

#[tokio::test]
async fn one_flight_serves_all_who_wait() {
    let dir = files(&[("alice", "v")]);
    let sources = from_files(&dir, &[]);
    let alice = user("alice");
    let (one, two) = tokio::join!(sources.fetch(&alice), sources.fetch(&alice));
    assert_eq!((value(&one.unwrap()), value(&two.unwrap())), ("v", "v"));
    // A new value is seen by the next call: a flight is no cache.
    std::fs::write(dir.join("alice"), "w").unwrap();
    assert_eq!(value(&sources.fetch(&alice).await.unwrap()), "w");
}

#[test]
fn a_source_without_its_backend_is_refused_at_start_up() {
    for source in ["store:x", "vault:kv/{user}#t"] {
        let specs = vec![spec(source)];
        let watch = SharedWatch::new(&[]).unwrap();
        let refused = Sources::new(specs, Backends::default(), watch);
        assert!(matches!(refused, Err(Error::Backend { .. })));
    }
}

#[test]
fn authority_follows_what_a_child_may_do() {
    let sources = sources(&["file:/run/{claim:team}/{user}"], Backends::default(), &[]);
    let digest =
        |principal: &Principal, extra: &[&str]| sources.authority_digest(principal, extra).unwrap();
    let of = |tenant, team| Principal::for_tests("i", tenant, "s", &[("team", json!(team))]);
    let all = [
        digest(&of(None, "blue"), &[]),
        digest(&of(None, "red"), &[]),
        digest(&of(Some(""), "blue"), &[]),
        digest(&of(Some("t"), "blue"), &[]),
        digest(&of(None, "blue"), &[""]),
        digest(&of(None, "blue"), &["a", "b"]),
        digest(&of(None, "blue"), &["ab"]),
    ];
    for (at, one) in all.iter().enumerate() {
        assert_eq!(one.len(), 32);
        assert!(!all[at + 1..].contains(one));
    }
    assert_eq!(all[0], digest(&of(None, "blue"), &[]));
    assert!(sources.authority_digest(&Principal::for_tests("i", None, "s", &[]), &[]).is_err());
}
