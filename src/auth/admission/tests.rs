//! Callers and lists: who is let in.

use serde_json::json;

use super::*;
use crate::auth::claims::claims_of;
use crate::auth::claims::mapping::ClaimMapping;
use crate::auth::clock::Clock;
use crate::auth::settings::Issuer;

fn principal(idp: Preset, claims: &Value) -> Principal {
    let mapping = ClaimMapping {
        issuer_name: "idp".into(),
        idp,
        rules: idp.rules(),
        clients: Vec::new(),
        clock: Clock::system(),
    };
    mapping.principal("https://idp.example", claims_of(claims), None).unwrap()
}

fn issuer(name: &str) -> Issuer {
    Issuer::parse(&format!("{name}=https://{name}.example"), Preset::Generic).unwrap()
}

#[test]
fn those_who_are_listed_are_let_in() {
    let alice = json!({
        "sub": "alice", "groups": ["team"], "email": "alice@corp.example", "email_verified": true,
        "hd": "evil.example", "scope": "read",
    });
    let list = |text: &str| vec![text.to_owned()];
    let cases = [
        (Allow::default(), true),
        (Allow { groups: list("team"), ..Allow::default() }, true),
        (Allow { groups: list("other"), ..Allow::default() }, false),
        (Allow { domains: list("CORP.example"), ..Allow::default() }, true),
        (Allow { domains: list("evil.example"), ..Allow::default() }, false),
        (Allow { domains: list("example"), ..Allow::default() }, false),
        (Allow { users: list("alice"), ..Allow::default() }, true),
        (Allow { users: list("alice@corp.example"), ..Allow::default() }, true),
        (Allow { users: list("bob"), ..Allow::default() }, false),
        (Allow { tenants: list("t"), ..Allow::default() }, false),
        (Allow { users: list("bob"), groups: list("team"), ..Allow::default() }, true),
    ];
    for (allow, expected) in cases {
        let settings =
            Settings { issuers: vec![issuer("idp")], allow: allow.clone(), ..Settings::default() };
        let caller = principal(Preset::Generic, &alice);
        let admitted = Admission::new(&settings).admit(Preset::Generic, &caller);
        assert_eq!(admitted.is_ok(), expected, "{allow:?}");
    }
}

#[test]
fn google_s_domain_is_the_workspace_and_not_the_address() {
    let settings = Settings {
        allow: Allow { domains: vec!["corp.example".into()], ..Allow::default() },
        ..Settings::default()
    };
    let admission = Admission::new(&settings);
    let claims = json!({"sub": "1", "email": "gone@corp.example", "email_verified": "true"});
    let consumer = principal(Preset::Google, &claims);
    assert!(admission.admit(Preset::Google, &consumer).is_err());
    let employee = principal(Preset::Google, &json!({"sub": "1", "hd": "corp.example"}));
    assert!(admission.admit(Preset::Google, &employee).is_ok());
}

#[test]
fn with_two_issuers_a_listed_user_names_his_issuer() {
    let settings = Settings {
        issuers: vec![issuer("idp"), issuer("other")],
        allow: Allow { users: vec!["other:alice".into(), "alice".into()], ..Allow::default() },
        ..Settings::default()
    };
    let caller = principal(Preset::Generic, &json!({"sub": "alice"}));
    let admitted = Admission::new(&settings).admit(Preset::Generic, &caller);
    assert_eq!(admitted, Err(Denied::Forbidden { reason: Reason::NotAllowed }));
}

#[test]
fn every_required_scope_must_be_granted() {
    let settings =
        Settings { required_scopes: vec!["read".into(), "write".into()], ..Settings::default() };
    let admission = Admission::new(&settings);
    let caller = principal(Preset::Generic, &json!({"sub": "a", "scope": "read"}));
    let required = settings.required_scopes;
    assert_eq!(admission.admit(Preset::Generic, &caller), Err(Denied::Scope { required }));
    let caller = principal(Preset::Generic, &json!({"sub": "a", "scp": ["write", "read"]}));
    assert_eq!(admission.admit(Preset::Generic, &caller), Ok(()));
}

#[test]
fn machines_stay_outside_unless_accepted() {
    let service = principal(Preset::Generic, &json!({"sub": "s", "client_id": "s"}));
    let mut settings = Settings::default();
    let refused = Admission::new(&settings).admit(Preset::Generic, &service);
    assert_eq!(refused, Err(Denied::Forbidden { reason: Reason::Machine }));
    settings.machines = Machines::Accept;
    assert_eq!(Admission::new(&settings).admit(Preset::Generic, &service), Ok(()));
}
