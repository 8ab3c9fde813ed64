//! The challenge that tells a client where to get a token (RFC 6750 §3, RFC 9728 §5.1).

use http::HeaderValue;

use crate::auth::denied::Denied;

/// The `WWW-Authenticate` value that tells a client where to get a token, or a better one.
///
/// `scope` is what to ask for on a first log-in; a [`Denied::Scope`] names its own before it. `None` where a new
/// token would not help.
#[must_use]
pub fn challenge(
    denied: &Denied,
    resource_metadata_url: &str,
    scope: &[String],
) -> Option<HeaderValue> {
    let mut named = Vec::new();
    let required = match denied {
        Denied::Forbidden { .. } | Denied::Slowed | Denied::Unavailable { .. } => return None,
        Denied::Scope { required } => required.as_slice(),
        Denied::Missing | Denied::Invalid { .. } | Denied::Malformed { .. } => &[],
    };
    for scope in required.iter().chain(scope) {
        if !named.contains(&scope.as_str()) {
            named.push(scope.as_str());
        }
    }
    let mut value = String::from("Bearer ");
    if let Some(code) = denied.code() {
        parameter(&mut value, "error", code);
        parameter(&mut value, "error_description", denied.sentence());
    }
    if !named.is_empty() {
        parameter(&mut value, "scope", &named.join(" "));
    }
    parameter(&mut value, "resource_metadata", resource_metadata_url);
    HeaderValue::from_str(&value).ok()
}

fn parameter(to: &mut String, name: &str, value: &str) {
    if !to.ends_with(' ') {
        to.push_str(", ");
    }
    to.push_str(name);
    to.push_str("=\"");
    // What a quoted string cannot carry is dropped: one odd scope must not cost the client the challenge.
    for c in value.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            to.push('\\');
        }
        to.push(c);
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::denied::Reason;

    const METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

    fn shown(denied: &Denied, scope: &[&str]) -> String {
        let scope: Vec<String> = scope.iter().map(ToString::to_string).collect();
        let value = challenge(denied, METADATA, &scope).unwrap();
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_missing_token_gets_no_error_code() {
        assert_eq!(
            shown(&Denied::Missing, &["mcp:use"]),
            format!("Bearer scope=\"mcp:use\", resource_metadata=\"{METADATA}\"")
        );
    }

    #[test]
    fn a_scope_challenge_names_every_needed_scope() {
        let denied = Denied::Scope { required: vec!["read".into(), "write".into()] };
        let value = shown(&denied, &["read", "offered"]);
        assert!(value.starts_with("Bearer error=\"insufficient_scope\", "));
        assert!(value.contains("scope=\"read write offered\""), "{value}");
    }

    #[test]
    fn every_invalid_token_gets_the_same_challenge() {
        let first = shown(&Denied::invalid(Reason::Expired), &[]);
        for reason in Reason::ALL {
            assert_eq!(shown(&Denied::invalid(*reason), &[]), first);
        }
    }

    #[test]
    fn quotes_and_control_characters_cannot_break_the_challenge() {
        let value = shown(&Denied::Missing, &["a\"b\\c\r\nX: y", "ü"]);
        assert!(value.contains(r#"scope="a\"b\\cX: y ""#), "{value}");
    }

    #[test]
    fn no_challenge_where_a_new_token_would_not_help() {
        for denied in [
            Denied::Unavailable { reason: Reason::NoKeys },
            Denied::Forbidden { reason: Reason::NotAllowed },
            Denied::Slowed,
        ] {
            assert!(challenge(&denied, METADATA, &[]).is_none());
        }
    }
}
