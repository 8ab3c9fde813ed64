//! What claims must say before anybody believes them: times, audience, purpose.
//!
//! The claims may come from a verified signature or from the issuer's own answer; who the caller is
//! follows from them elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::denied::Reason;
use super::preset::{Preset, TokenType};

pub(super) type Claims = BTreeMap<String, Value>;

/// The year 9999; later times are a mistake and overflow clocks.
const LAST_TIME: f64 = 253_402_300_799.0;

/// Whether a token without an end may pass: only while its issuer vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Required,
    IssuerVouches,
}

/// Checks `exp`, `nbf` and `iat`; answers when the token ends.
pub(super) fn check_times(
    claims: &Claims,
    now: f64,
    leeway: Duration,
    ending: Ending,
) -> Result<Option<SystemTime>, Reason> {
    let leeway = leeway.as_secs_f64();
    let expiry = time(claims, "exp")?;
    match expiry {
        None if ending == Ending::Required => return Err(Reason::Time),
        Some(expiry) if now >= expiry + leeway => return Err(Reason::Expired),
        _ => {}
    }
    for name in ["nbf", "iat"] {
        if time(claims, name)?.is_some_and(|start| start > now + leeway) {
            return Err(Reason::TooEarly);
        }
    }
    Ok(expiry.map(|expiry| UNIX_EPOCH + Duration::from_secs_f64(expiry)))
}

fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=LAST_TIME).contains(&seconds) => Ok(Some(seconds)),
            _ => Err(Reason::Time),
        },
    }
}

/// Checks that one of `aud` is one of ours; a token for nobody is refused.
pub(super) fn check_audience(claims: &Claims, audiences: &[String]) -> Result<(), Reason> {
    let ours = |audience: &Value| {
        audience.as_str().is_some_and(|audience| audiences.iter().any(|ours| ours == audience))
    };
    let meant = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().all(Value::is_string) && list.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    };
    if meant { Ok(()) } else { Err(Reason::Audience) }
}

/// Checks that a signed token is an access token that whoever holds it may use.
pub(super) fn check_purpose(
    token_type: Option<&str>,
    claims: &Claims,
    accepted: TokenType,
    idp: Preset,
) -> Result<(), Reason> {
    if claims.contains_key("cnf") {
        return Err(Reason::Bound);
    }
    match (token_type, accepted) {
        (Some("at+jwt"), _) => return Ok(()),
        (None | Some("jwt"), TokenType::Lenient) => {}
        _ => return Err(Reason::Type),
    }
    let says = |name: &str| claims.contains_key(name);
    // Keycloak and Cognito name the purpose in the claims.
    match claims.get("typ").map(Value::as_str) {
        None | Some(Some("Bearer" | "at+jwt" | "JWT")) => {}
        Some(_) => return Err(Reason::IdToken),
    }
    if says("token_use") && claims["token_use"] != "access" {
        return Err(Reason::IdToken);
    }
    if says("events") {
        return Err(Reason::Type);
    }
    if says("at_hash") || says("c_hash") || says("s_hash") {
        return Err(Reason::IdToken);
    }
    let grants = says("scope") || says("scp");
    // An ID token is meant for the very client that asked for it.
    let for_its_client = says("azp") && claims.get("aud") == claims.get("azp");
    if !grants && (says("nonce") || for_its_client) {
        return Err(Reason::IdToken);
    }
    // Entra's ID and access tokens differ in nothing else.
    if idp == Preset::Entra && !grants && !says("roles") {
        return Err(Reason::IdToken);
    }
    Ok(())
}

/// A claim by its name or, if there is none of that name, by the path that the dots spell.
pub(super) fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut steps = name.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

/// The words of a claim: a list of strings, or one string with spaces.
pub(super) fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        other => names(other),
    }
}

/// The names in a claim: a list of strings, or one string as it is.
pub(super) fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_800_000_000.0;
    const LEEWAY: Duration = Duration::from_secs(60);

    fn claims(value: &Value) -> Claims {
        value.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn times_are_judged_with_a_minute_of_leeway() {
        for (value, expected) in [
            (json!({"exp": NOW + 1.0}), Ok(())),
            (json!({"exp": NOW - 59.0}), Ok(())),
            (json!({"exp": NOW - 61.0}), Err(Reason::Expired)),
            (json!({"exp": NOW - 60.0}), Err(Reason::Expired)),
            (json!({}), Err(Reason::Time)),
            (json!({"exp": null}), Err(Reason::Time)),
            (json!({"exp": "1900000000"}), Err(Reason::Time)),
            (json!({"exp": -1}), Err(Reason::Time)),
            (json!({"exp": 1e300}), Err(Reason::Time)),
            (json!({"exp": NOW + 1.5}), Ok(())),
            (json!({"exp": NOW + 9.0, "nbf": NOW + 59.0}), Ok(())),
            (json!({"exp": NOW + 9.0, "nbf": NOW + 61.0}), Err(Reason::TooEarly)),
            (json!({"exp": NOW + 9.0, "iat": NOW + 61.0}), Err(Reason::TooEarly)),
            (json!({"exp": NOW + 9.0, "nbf": "x"}), Err(Reason::Time)),
        ] {
            let checked = check_times(&claims(&value), NOW, LEEWAY, Ending::Required);
            assert_eq!(checked.map(|_| ()), expected, "{value}");
        }
        let vouched = check_times(&Claims::new(), NOW, LEEWAY, Ending::IssuerVouches);
        assert_eq!(vouched, Ok(None));
    }

    #[test]
    fn a_token_must_be_meant_for_us() {
        let ours = ["https://mcp.example/mcp".to_owned(), "api".to_owned()];
        for (aud, meant) in [
            (json!("https://mcp.example/mcp"), true),
            (json!(["other", "api"]), true),
            (json!("https://mcp.example/mcp/"), false),
            (json!("https://mcp.example"), false),
            (json!(""), false),
            (json!([]), false),
            (json!(["api", 1]), false),
            (json!({"api": true}), false),
            (json!(null), false),
        ] {
            let checked = check_audience(&claims(&json!({"aud": aud})), &ours);
            assert_eq!(checked.is_ok(), meant, "{aud}");
        }
        assert_eq!(check_audience(&Claims::new(), &ours), Err(Reason::Audience));
        assert!(check_audience(&claims(&json!({"aud": ""})), &[]).is_err());
    }

    #[test]
    fn only_access_tokens_pass() {
        use Preset::{Entra, Generic};
        use TokenType::{Lenient, Strict};
        let cases = [
            (Some("at+jwt"), json!({}), Strict, Generic, Ok(())),
            (Some("jwt"), json!({"scope": "a"}), Strict, Generic, Err(Reason::Type)),
            (None, json!({}), Strict, Generic, Err(Reason::Type)),
            (None, json!({}), Lenient, Generic, Ok(())),
            (Some("jwt"), json!({}), Lenient, Generic, Ok(())),
            (Some("oauth-id-jag+jwt"), json!({}), Lenient, Generic, Err(Reason::Type)),
            (Some("logout+jwt"), json!({}), Lenient, Generic, Err(Reason::Type)),
            (Some("dpop+jwt"), json!({}), Lenient, Generic, Err(Reason::Type)),
            (Some("secevent+jwt"), json!({}), Lenient, Generic, Err(Reason::Type)),
            (Some("okta-internal-at+jwt"), json!({}), Lenient, Generic, Err(Reason::Type)),
            (None, json!({"typ": "Bearer"}), Lenient, Generic, Ok(())),
            (None, json!({"typ": "ID"}), Lenient, Generic, Err(Reason::IdToken)),
            (None, json!({"typ": "Refresh"}), Lenient, Generic, Err(Reason::IdToken)),
            (None, json!({"token_use": "access"}), Lenient, Generic, Ok(())),
            (None, json!({"token_use": "id"}), Lenient, Generic, Err(Reason::IdToken)),
            (None, json!({"nonce": "n"}), Lenient, Generic, Err(Reason::IdToken)),
            (None, json!({"nonce": "n", "scp": "a"}), Lenient, Generic, Ok(())),
            (None, json!({"at_hash": "h", "scope": "a"}), Lenient, Generic, Err(Reason::IdToken)),
            (None, json!({"aud": "c", "azp": "c"}), Lenient, Generic, Err(Reason::IdToken)),
            (None, json!({"aud": "api", "azp": "c"}), Lenient, Generic, Ok(())),
            (Some("jwt"), json!({"aud": "c"}), Lenient, Entra, Err(Reason::IdToken)),
            (Some("jwt"), json!({"aud": "c", "scp": "a"}), Lenient, Entra, Ok(())),
            (Some("at+jwt"), json!({"cnf": {"jkt": "x"}}), Lenient, Generic, Err(Reason::Bound)),
        ];
        for (typ, value, accepted, idp, expected) in cases {
            let checked = check_purpose(typ, &claims(&value), accepted, idp);
            assert_eq!(checked, expected, "{typ:?} {value}");
        }
    }

    #[test]
    fn a_claim_is_found_by_name_before_path() {
        let claims = claims(&json!({
            "https://x.example/roles": ["a"],
            "realm_access": {"roles": ["b"]},
        }));
        assert_eq!(find(&claims, "https://x.example/roles"), Some(&json!(["a"])));
        assert_eq!(find(&claims, "realm_access.roles"), Some(&json!(["b"])));
        assert_eq!(find(&claims, "realm_access.none"), None);
        assert_eq!(names(Some(&json!("Team A"))), ["Team A"]);
        assert_eq!(words(Some(&json!("read  write"))), ["read", "write"]);
    }
}
