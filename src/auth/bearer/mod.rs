//! Finds the one bearer token of a request, or says how the request is wrong (RFC 6750 §2.1, §3.1).
//!
//! It looks at syntax alone and knows nothing of what a token means.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::auth::denied::{Denied, Reason};

pub(in crate::auth) mod challenge;
pub mod metadata;

/// No token that we accept is longer.
pub(in crate::auth) const MAX_TOKEN: usize = 16 * 1024;

/// The token of this request.
pub(in crate::auth) fn token<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> Result<&'a str, Denied> {
    let malformed = |reason| Err(Denied::Malformed { reason });
    if query.is_some_and(carries_token) {
        return malformed(Reason::TokenInQuery);
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Denied::Missing);
    };
    if values.next().is_some() {
        return malformed(Reason::SeveralTokens);
    }
    let Ok(value) = value.to_str() else {
        return malformed(Reason::Syntax);
    };
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Missing);
    }
    let token = rest.trim_matches(' ');
    if !is_b64token(token) {
        return malformed(Reason::Syntax);
    }
    if token.len() > MAX_TOKEN {
        return Err(Denied::invalid(Reason::TooLong));
    }
    Ok(token)
}

fn carries_token(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, _)| name.eq_ignore_ascii_case("access_token"))
}

fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn one_token_in_the_header_is_found() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(token(&headers(&[value]), Some("a=b")), Ok("abc"), "{value}");
        }
    }

    #[test]
    fn no_token_and_other_schemes_are_missing() {
        for values in [&[][..], &["Basic dTpw"], &["DPoP abc"]] {
            assert_eq!(token(&headers(values), None), Err(Denied::Missing));
        }
    }

    #[test]
    fn two_ways_or_two_tokens_are_malformed() {
        let cases: [(&[&str], Option<&str>, Reason); 7] = [
            (&["Bearer a", "Bearer b"], None, Reason::SeveralTokens),
            (&["Bearer a", "Basic b"], None, Reason::SeveralTokens),
            (&["Bearer a, Bearer b"], None, Reason::Syntax),
            (&["Bearer"], None, Reason::Syntax),
            (&["Bearer a\"b"], None, Reason::Syntax),
            (&["Bearer a"], Some("access_token=b"), Reason::TokenInQuery),
            (&[], Some("x=1&access%5Ftoken=b"), Reason::TokenInQuery),
        ];
        for (values, query, reason) in cases {
            assert_eq!(
                token(&headers(values), query),
                Err(Denied::Malformed { reason }),
                "{values:?} {query:?}"
            );
        }
    }

    #[test]
    fn a_token_of_17_kib_is_too_long() {
        let long = format!("Bearer {}", "a".repeat(17 * 1024));
        assert_eq!(token(&headers(&[&long]), None), Err(Denied::invalid(Reason::TooLong)));
    }
}
