//! Whether a variable that the operator writes down looks like a secret.
//!
//! A guess by name and by the marks that issuers put on their tokens; it finds mistakes, not malice.

const NAME_WORDS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "PAT",
    "JWT",
    "BEARER",
];
const NAME_ENDS: &[&str] =
    &["API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "SECRET_KEY", "AUTH_KEY", "_PAT"];
const VALUE_STARTS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "ya29.",
    "eyJ",
    "hvs.",
    "npm_",
    "pypi-",
    "-----BEGIN",
    "Bearer ",
    "Basic ",
];
/// Shorter values are switches and names, whatever the variable is called.
const SHORTEST: usize = 8;

/// Whether this looks like a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    if value.len() < SHORTEST {
        return false;
    }
    let name = name.to_uppercase();
    // A path to a secret is not the secret.
    if name.ends_with("_FILE") || name.ends_with("_PATH") || name.ends_with("_URL") {
        return marked(value);
    }
    name.split('_').any(|word| NAME_WORDS.contains(&word))
        || NAME_ENDS.iter().any(|end| name.ends_with(end))
        || marked(value)
}

fn marked(value: &str) -> bool {
    VALUE_STARTS.iter().any(|start| value.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_marks_give_it_away() {
        for (name, value) in [
            ("GITHUB_TOKEN", "0123456789"),
            ("github_token", "0123456789"),
            ("OPENAI_API_KEY", "0123456789"),
            ("AWS_SECRET_ACCESS_KEY", "0123456789"),
            ("THING", "ghp_0123456789"),
            ("AUTHORIZATION", "Bearer abc"),
            ("KEY_FILE", "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("LOG_LEVEL", "debugging"),
            ("TOKEN_FILE", "/run/secrets/token"),
            ("MAX_TOKENS", "100000000"),
            ("USE_TOKEN", "true"),
            ("PATH", "/usr/local/bin"),
            ("KEYBOARD", "qwertz-layout"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
