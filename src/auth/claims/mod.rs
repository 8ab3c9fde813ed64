//! What an issuer says about a caller: whether it may be believed, and who he is by it.
//!
//! The claims may come from a verified signature or from the issuer's own answer. A file judges each of their
//! parts; `mapping` makes the principal.

use std::collections::BTreeMap;

use serde_json::Value;

pub(in crate::auth) mod audience;
pub(in crate::auth) mod json;
pub(in crate::auth) mod mapping;
pub(in crate::auth) mod purpose;
pub(in crate::auth) mod times;

pub(in crate::auth) type Claims = BTreeMap<String, Value>;

/// A claim by its name or, if there is none of that name, by the path that the dots spell.
pub(in crate::auth) fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut steps = name.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

/// The words of a claim: a list of strings, or one string with spaces.
pub(in crate::auth) fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        other => names(other),
    }
}

/// The names in a claim: a list of strings, or one string as it is.
pub(in crate::auth) fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Claims as a test writes them.
#[cfg(test)]
pub(in crate::auth) fn claims_of(value: &Value) -> Claims {
    value.as_object().unwrap().clone().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_by_name_before_path() {
        let claims = claims_of(&json!({
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
