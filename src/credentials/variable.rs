//! What may name an environment variable, and so a credential.

/// The longest name.
const LONGEST: usize = 128;

/// Whether a text may name an environment variable.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
