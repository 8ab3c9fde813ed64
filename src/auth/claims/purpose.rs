//! Whether a signed token is an access token, and not one for a log-in, a log-out or a proof of possession.

use serde_json::Value;

use super::Claims;
use crate::auth::denied::Reason;
use crate::auth::settings::preset::{Preset, TokenType};

/// Checks that a signed token is an access token that whoever holds it may use.
pub(in crate::auth) fn check(
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::claims::claims_of;

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
            let checked = check(typ, &claims_of(&value), accepted, idp);
            assert_eq!(checked, expected, "{typ:?} {value}");
        }
    }
}
