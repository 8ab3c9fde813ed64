//! `Mcp-Param-*`: arguments that travel in headers as well must say there what they say in the body
//! (checklist 3.9–3.11).

use http::HeaderMap;
use serde_json::Value;

use super::validate::{Rejected, mismatch};
use crate::client::headers;
use crate::gate::Annotated;
use crate::mcp::{Object, Raw};

/// The headers that repeat arguments of a call.
pub(super) fn of(method: &str, headers: &HeaderMap) -> HeaderMap {
    let repeats = |name: &http::HeaderName| name.as_str().starts_with(headers::PARAM_PREFIX);
    match method {
        "tools/call" => headers
            .iter()
            .filter(|(name, _)| repeats(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        _ => HeaderMap::new(),
    }
}

/// Compares the headers of a call with its arguments.
pub(super) fn check(
    headers: &HeaderMap,
    params: Option<&Raw>,
    annotated: &[Annotated],
) -> Result<(), Rejected> {
    if annotated.is_empty() {
        return Ok(());
    }
    let arguments = params.and_then(|raw| Object::parse(raw).ok()?.get("arguments"));
    for one in annotated {
        let name = format!("{}{}", headers::PARAM_PREFIX, one.header.to_ascii_lowercase());
        let header =
            headers::value(headers, &name).map_err(|error| mismatch(&name, &error.to_string()))?;
        let body = value_at(arguments.as_ref(), &one.path)
            .map_err(|()| mismatch(&name, "cannot be compared: an argument occurs twice"))?;
        match (header, body) {
            (None, None) => {}
            (Some(header), Some(body)) if is_equal(&header, &body) => {}
            (None, Some(_)) => return Err(mismatch(&name, "is missing")),
            (Some(_), None) => return Err(mismatch(&name, "has no counterpart in the body")),
            (Some(_), Some(_)) => return Err(mismatch(&name, "differs from the body")),
        }
    }
    Ok(())
}

/// The value at a path of properties; null counts as absent.
fn value_at(arguments: Option<&Raw>, path: &[String]) -> Result<Option<Raw>, ()> {
    let mut value = arguments.cloned();
    for name in path {
        let Some(raw) = value.filter(Raw::is_object) else { return Ok(None) };
        value = Object::parse(&raw).map_err(|_| ())?.get(name);
    }
    Ok(value.filter(|value| value.as_str() != "null"))
}

fn is_equal(header: &str, body: &Raw) -> bool {
    match body.read::<Value>() {
        Ok(Value::String(text)) => text == header,
        Ok(Value::Bool(flag)) => header == if flag { "true" } else { "false" },
        Ok(Value::Number(_)) => match (integer(header), integer(body.as_str())) {
            (Some(one), Some(other)) => one == other,
            _ => header == body.as_str(),
        },
        _ => false,
    }
}

/// An integer of any size in its shortest spelling; `42.0` is `42` (checklist 3.11, 10.33).
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let whole = match digits.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => digits,
    };
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let short = whole.trim_start_matches('0');
    Some(if short.is_empty() { "0".to_owned() } else { format!("{sign}{short}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn equal(header: &str, body: &str) -> bool {
        is_equal(header, &Raw::parse(body.to_owned()).unwrap())
    }

    #[test]
    fn values_compare_by_their_type() {
        assert!(equal("eu", "\"eu\"") && !equal("EU", "\"eu\"") && equal("", "\"\""));
        assert!(equal("true", "true") && !equal("True", "true"));
        assert!(
            equal("42", "42") && equal("42.0", "42") && equal("42", "42.0") && !equal("43", "42")
        );
        assert!(equal("123456789012345678901234567890", "123456789012345678901234567890"));
        assert!(!equal("123456789012345678901234567891", "123456789012345678901234567890"));
        assert!(equal("-0", "0") && !equal("x", "1"));
    }

    #[test]
    fn a_repeated_argument_cannot_be_compared() {
        let arguments = Raw::parse(r#"{"a":"x","a":"y"}"#).unwrap();
        assert_eq!(value_at(Some(&arguments), &["a".to_owned()]), Err(()));
    }

    proptest! {
        #[test]
        fn integers_equal_themselves_however_they_are_spelled(number in any::<i64>()) {
            let spelled = format!("{number}.000");
            prop_assert!(equal(&spelled, &number.to_string()));
            prop_assert!(!equal(&number.to_string(), &number.wrapping_add(1).to_string()));
        }
    }
}
