//! Whether a variable that the operator writes down looks like a secret.
//!
//! A guess by name, by the marks that issuers put on their tokens, and by chance; it finds mistakes, not malice.

use std::collections::HashMap;

use super::template::Template;

/// Anywhere in a name, these make it a secret's.
const NAME_PARTS: [&str; 10] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "CREDENTIAL",
];
/// So do these, as words of their own.
const NAME_WORDS: [&str; 7] = ["KEY", "PAT", "PWD", "PASS", "AUTH", "JWT", "BEARER"];
/// Values of well-known services start like this.
const MARKS: [&str; 23] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "hvs.",
    "npm_",
    "pypi-",
    "-----BEGIN",
];
/// What stands before a secret in the value of a header.
const HEADER_SCHEMES: [&str; 2] = ["Bearer ", "Basic "];
/// Shorter values are names, though they begin like a token.
const MIN_MARKED: usize = 8;
/// A shorter value is more likely a setting than a key.
const MIN_RANDOM: usize = 20;
/// Bits per character; words and paths stay below, keys lie above.
const MIN_ENTROPY: f64 = 3.7;

/// Whether this looks like a secret; what the value takes from the user's claims is his own and does not count.
#[must_use]
pub fn is_secret_like(name: &str, value: &str) -> bool {
    let literal =
        Template::parse(value).map_or_else(|_| value.to_owned(), |value| value.literals());
    if literal.is_empty() {
        return false;
    }
    let name = name.to_ascii_uppercase();
    let named = NAME_PARTS.iter().any(|part| name.contains(part))
        || name.split('_').any(|word| NAME_WORDS.contains(&word));
    // A path or a number tells where a secret is, or how long it lives, not what it is.
    let harmless = literal.parse::<f64>().is_ok()
        || matches!(literal.as_str(), "true" | "false")
        || (literal.starts_with('/') && !literal.contains(char::is_whitespace));
    (named && !harmless) || is_marked(&literal) || has_password(&literal) || is_random(&literal)
}

fn is_marked(literal: &str) -> bool {
    let marked =
        |word: &str| word.len() >= MIN_MARKED && MARKS.iter().any(|mark| word.starts_with(mark));
    let in_header = HEADER_SCHEMES.iter().any(|scheme| literal.starts_with(scheme));
    (in_header && literal.len() >= MIN_MARKED)
        || literal
            .split(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | ',' | '"' | '\''))
            .any(marked)
}

/// `https://user:password@host` in whatever the variable is called.
fn has_password(literal: &str) -> bool {
    url::Url::parse(literal).is_ok_and(|url| url.password().is_some())
}

fn is_random(literal: &str) -> bool {
    literal.split(|c: char| !c.is_ascii_alphanumeric() && !"_-+=".contains(c)).any(|word| {
        let digits = word.bytes().any(|byte| byte.is_ascii_digit());
        let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        let hexadecimal = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        word.len() >= MIN_RANDOM
            && digits
            && letters
            && (hexadecimal || entropy(word) >= MIN_ENTROPY)
    })
}

fn entropy(word: &str) -> f64 {
    let mut counts = HashMap::new();
    for byte in word.bytes() {
        *counts.entry(byte).or_insert(0_u32) += 1;
    }
    let length = word.len() as f64;
    counts.values().map(|count| f64::from(*count) / length).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_marks_and_chance_give_it_away() {
        for (name, value) in [
            ("GITHUB_TOKEN", "abc"),
            ("github_token", "0123456x"),
            ("DB_PASSWORD", "hunter2"),
            ("API_KEY", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("X", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
            ("X", "github_pat_11ABCDEFG"),
            ("X", "sk-proj-aaaaaaaaaaaa"),
            ("X", "xoxb-1234567890"),
            ("X", "AKIAIOSFODNN7EXAMPLE"),
            ("AUTHORIZATION", "Bearer abc"),
            ("HEADER", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"),
            ("KEY_FILE", "-----BEGIN PRIVATE KEY-----"),
            ("OPTS", "key=q8Zr3LmX0vTn5YcW2bKd"),
            ("X", "d41d8cd98f00b204e9800998ecf8427e"),
            ("DATABASE_URL", "postgres://app:pw@db/x"),
            ("TOKEN_FOR", "u-{sub}"),
            ("TOKEN_FOR", "not { a template"),
        ] {
            assert!(is_secret_like(name, value), "{name}={value}");
        }
    }

    #[test]
    fn settings_are_left_alone() {
        for (name, value) in [
            ("LOG_LEVEL", "debugging"),
            ("GITHUB_HOST", "https://github.example.com/api/v3"),
            ("TOKEN_TTL", "3600"),
            ("MAX_TOKENS", "100000000"),
            ("USE_TOKEN", "true"),
            ("TOKEN_FILE", "/run/token"),
            ("USER_KEY", "{user}"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"),
            ("FLAGS", "--read-only --toolsets=repos,issues"),
            ("KEYBOARD", "qwertz-layout"),
            ("MODE", "sk-"),
        ] {
            assert!(!is_secret_like(name, value), "{name}={value}");
        }
    }
}
