//! Claims in, principal out.

use serde_json::json;

use super::*;
use crate::auth::claims::claims_of;

fn mapping(idp: Preset) -> ClaimMapping {
    ClaimMapping {
        issuer_name: "idp".into(),
        idp,
        rules: idp.rules(),
        clients: Vec::new(),
        clock: Clock::system(),
    }
}

fn principal(idp: Preset, claims: &Value) -> Result<Principal, Reason> {
    mapping(idp).principal("https://idp.example", claims_of(claims), None)
}

#[test]
fn odd_subjects_are_refused_and_ugly_ones_are_not() {
    for sub in [
        json!(""),
        json!("a".repeat(300)),
        json!("a\nb"),
        json!("a\u{0}b"),
        json!("a\u{7f}"),
        json!(["a"]),
        json!(true),
        json!(null),
    ] {
        let refused = principal(Preset::Generic, &json!({ "sub": sub }));
        assert_eq!(refused.unwrap_err(), Reason::Subject, "{sub}");
    }
    assert_eq!(principal(Preset::Generic, &json!({})).unwrap_err(), Reason::Subject);
    for sub in ["../bob", "a/b#c", "ü", "auth0|5f7c", "a b"] {
        let caller = principal(Preset::Generic, &json!({ "sub": sub })).unwrap();
        assert_eq!(caller.user().subject(), sub);
        assert!(caller.user().digest().bytes().all(|b| b.is_ascii_hexdigit()));
    }
}

#[test]
fn what_the_token_says_is_kept() {
    let caller = principal(
        Preset::Generic,
        &json!({
            "sub": "alice", "client_id": "cli", "scope": "read write", "groups": ["Team A", "b"],
            "email": "alice@corp.example", "email_verified": true,
            "act": {"sub": "agent", "act": {"iss": "https://other.example", "sub": "robot"}},
        }),
    )
    .unwrap();
    assert_eq!(caller.kind(), Kind::Human);
    assert_eq!(caller.client(), Some("cli"));
    assert!(caller.scopes().contains("read") && caller.scopes().contains("write"));
    assert!(caller.groups().contains("Team A"));
    assert_eq!(caller.email(), Some("alice@corp.example"));
    let actors: Vec<&str> = caller.actors().iter().map(AsRef::as_ref).collect();
    assert_eq!(actors, ["agent", "https://other.example robot"]);
    assert_eq!(caller.claim("groups"), Some(&json!(["Team A", "b"])));
}

#[test]
fn an_unverified_address_is_none() {
    for verified in [json!(false), json!("false"), json!(1), json!(null)] {
        let claims = json!({"sub": "a", "email": "boss@corp.example", "email_verified": verified});
        assert_eq!(principal(Preset::Generic, &claims).unwrap().email(), None);
    }
    let mut by_email = mapping(Preset::Generic);
    by_email.rules.user_claim = "email".into();
    let claims = json!({"sub": "a", "email": "boss@corp.example"});
    let refused = by_email.principal("https://idp.example", claims_of(&claims), None);
    assert_eq!(refused.unwrap_err(), Reason::Subject);
}

#[test]
fn machines_are_told_from_people() {
    use Preset::{Auth0, Entra, Generic, Google, Keycloak, Okta};
    let cases = [
        (Generic, json!({"sub": "svc", "client_id": "svc"}), Kind::Machine),
        (Generic, json!({"sub": "alice", "client_id": "svc"}), Kind::Human),
        (Generic, json!({"sub": "alice"}), Kind::Human),
        (Auth0, json!({"sub": "x@clients", "azp": "x"}), Kind::Machine),
        (Auth0, json!({"sub": "auth0|1", "azp": "x", "gty": "client-credentials"}), Kind::Machine),
        (Entra, json!({"sub": "s", "oid": "o", "tid": "t", "roles": ["r"]}), Kind::Machine),
        (Entra, json!({"sub": "s", "oid": "o", "tid": "t", "scp": "r"}), Kind::Human),
        (Okta, json!({"sub": "0oa1", "cid": "0oa1"}), Kind::Machine),
        (Okta, json!({"sub": "a@b.example", "uid": "00u1", "cid": "0oa1"}), Kind::Human),
        (
            Keycloak,
            json!({"sub": "u", "azp": "job", "preferred_username": "service-account-job"}),
            Kind::Machine,
        ),
        (Google, json!({"sub": "1", "email": "a@p.iam.gserviceaccount.com"}), Kind::Machine),
    ];
    for (idp, claims, kind) in cases {
        assert_eq!(principal(idp, &claims).unwrap().kind(), kind, "{idp} {claims}");
    }
}

#[test]
fn a_machine_that_takes_a_person_s_name_is_somebody_else() {
    let person = principal(Preset::Generic, &json!({"sub": "alice", "client_id": "cli"})).unwrap();
    let machine =
        principal(Preset::Generic, &json!({"sub": "alice", "client_id": "alice"})).unwrap();
    assert_ne!(person.user(), machine.user());
    assert_ne!(person.user().digest(), machine.user().digest());
}

#[test]
fn a_configured_tenant_must_be_there() {
    let human = json!({"oid": "o", "sub": "s", "scp": "x"});
    assert_eq!(principal(Preset::Entra, &human).unwrap_err(), Reason::Tenant);
    let human = json!({"oid": "o", "sub": "s", "scp": "x", "tid": "t"});
    let caller = principal(Preset::Entra, &human).unwrap();
    assert_eq!((caller.user().subject(), caller.user().tenant()), ("o", Some("t")));
}

#[test]
fn an_endless_or_odd_actor_chain_is_refused() {
    let mut act = json!({"sub": "a"});
    for _ in 0..MAX_ACTORS {
        act = json!({"sub": "a", "act": act});
    }
    for act in [act, json!("agent"), json!({}), json!({"sub": ""})] {
        let refused = principal(Preset::Generic, &json!({"sub": "a", "act": act}));
        assert_eq!(refused.unwrap_err(), Reason::Actor, "{act}");
    }
}

#[test]
fn listed_clients_narrow() {
    let mut listed = mapping(Preset::Generic);
    listed.clients = vec![Client { id: "cli".into(), secret: None }];
    for (claims, ok) in [
        (json!({"sub": "a", "client_id": "cli"}), true),
        (json!({"sub": "a", "client_id": "other"}), false),
        (json!({"sub": "a"}), false),
    ] {
        let caller = listed.principal("https://idp.example", claims_of(&claims), None);
        assert_eq!(caller.is_ok(), ok);
    }
}
