//! Takes a signed token apart (RFC 7515) without believing any of it.
//!
//! What the header may ask of us is decided here; what the claims mean is not.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::claims::json;
use super::denied::Reason;
use super::settings::Algorithm;

const MAX_HEADER: usize = 2 * 1024;
const MAX_KEY_ID: usize = 256;
/// Headers that bring their own key, or demand what we do not do.
const REFUSED: &[&str] = &["crit", "jku", "x5u", "jwk", "b64", "zip", "enc"];

/// A signed token, not yet verified.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// In lower case, without `application/`.
    pub(super) token_type: Option<String>,
    pub(super) claims: BTreeMap<String, Value>,
}

/// Reads a signed token; `None` if the token is of a kind that only its issuer can read.
pub(super) fn read(token: &str) -> Result<Option<Jwt<'_>>, Reason> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    let header = match URL_SAFE_NO_PAD.decode(header) {
        Ok(bytes) if bytes.first() == Some(&b'{') => bytes,
        _ => return Ok(None),
    };
    match parts.count() {
        0 => {}
        2 => return Err(Reason::Encrypted),
        _ => return Err(Reason::Shape),
    }
    if header.len() > MAX_HEADER {
        return Err(Reason::TooLong);
    }
    let header = json::object(&header)?;
    if REFUSED.iter().any(|name| header.contains_key(*name)) {
        return Err(Reason::Header);
    }
    let algorithm = text(&header, "alg", Reason::Algorithm)?
        .and_then(|name| name.parse().ok())
        .ok_or(Reason::Algorithm)?;
    let key_id = text(&header, "kid", Reason::Header)?;
    if key_id.is_some_and(|id| id.len() > MAX_KEY_ID) {
        return Err(Reason::TooLong);
    }
    let token_type = text(&header, "typ", Reason::Type)?.map(|typ| {
        let typ = typ.to_ascii_lowercase();
        typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned)
    });
    let message = &token[..token.len() - signature.len() - 1];
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Reason::Json)?;
    Ok(Some(Jwt {
        message,
        signature,
        algorithm,
        key_id: key_id.map(str::to_owned),
        token_type,
        claims: json::object(&claims)?,
    }))
}

fn text<'a>(
    header: &'a BTreeMap<String, Value>,
    name: &str,
    otherwise: Reason,
) -> Result<Option<&'a str>, Reason> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode(header), encode(claims))
    }

    #[test]
    fn a_header_that_asks_for_more_is_refused() {
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(300));
        let longer = format!(r#"{{"alg":"RS256","x":"{}"}}"#, "k".repeat(3000));
        for (header, reason) in [
            (r#"{"alg":"none"}"#, Reason::Algorithm),
            (r#"{"alg":"None"}"#, Reason::Algorithm),
            (r#"{"alg":"HS256"}"#, Reason::Algorithm),
            (r#"{"alg":["RS256"]}"#, Reason::Algorithm),
            (r#"{"typ":"JWT"}"#, Reason::Algorithm),
            (r#"{"alg":"RS256","crit":[]}"#, Reason::Header),
            (r#"{"alg":"RS256","crit":["exp"]}"#, Reason::Header),
            (r#"{"alg":"RS256","jku":"https://evil.example"}"#, Reason::Header),
            (r#"{"alg":"RS256","x5u":"https://evil.example"}"#, Reason::Header),
            (r#"{"alg":"RS256","jwk":{}}"#, Reason::Header),
            (r#"{"alg":"RS256","b64":false}"#, Reason::Header),
            (r#"{"alg":"RS256","zip":"DEF"}"#, Reason::Header),
            (r#"{"alg":"RS256","kid":1}"#, Reason::Header),
            (r#"{"alg":"RS256","alg":"none"}"#, Reason::Duplicate),
            (r#"{"alg":"#, Reason::Json),
            (long.as_str(), Reason::TooLong),
            (longer.as_str(), Reason::TooLong),
        ] {
            assert_eq!(read(&token(header, "{}")).unwrap_err(), reason, "{header}");
        }
    }

    #[test]
    fn claims_must_be_one_plain_object() {
        let header = r#"{"alg":"RS256"}"#;
        for (claims, reason) in [
            (r#"{"sub":"a","sub":"b"}"#, Reason::Duplicate),
            ("[]", Reason::Json),
            ("", Reason::Json),
        ] {
            assert_eq!(read(&token(header, claims)).unwrap_err(), reason, "{claims}");
        }
        let padded = format!("{}.e30=.c2ln", URL_SAFE_NO_PAD.encode(header));
        assert_eq!(read(&padded).unwrap_err(), Reason::Json);
    }

    #[test]
    fn what_is_no_signed_token_is_opaque_and_what_is_encrypted_is_not() {
        for opaque in ["ya29.a0Af", "gho_abc", "a.b.c", "a", "ya29.c.b0A", "a.b.c.d.e"] {
            assert!(read(opaque).unwrap().is_none(), "{opaque}");
        }
        let encrypted = format!("{}.x.y", token(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, "{}"));
        assert_eq!(read(&encrypted).unwrap_err(), Reason::Encrypted);
        let four = format!("{}.x", token(r#"{"alg":"RS256"}"#, "{}"));
        assert_eq!(read(&four).unwrap_err(), Reason::Shape);
    }

    #[test]
    fn the_type_is_compared_without_case_and_prefix() {
        let token = token(r#"{"alg":"ES256","kid":"1","typ":"Application/AT+JWT"}"#, r#"{"a":1}"#);
        let jwt = read(&token).unwrap().unwrap();
        assert_eq!(jwt.token_type.as_deref(), Some("at+jwt"));
        assert_eq!(jwt.key_id.as_deref(), Some("1"));
        assert!(token.starts_with(jwt.message) && token.ends_with(jwt.signature));
    }
}
