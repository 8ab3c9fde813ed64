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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_shell_takes() {
        for name in ["A", "_a1", "GITHUB_TOKEN"] {
            assert!(is_variable(name), "{name}");
        }
        for name in ["", "1A", "A-B", "A B", "A.B", "Ä", "../A", &"A".repeat(LONGEST + 1)] {
            assert!(!is_variable(name), "{name}");
        }
    }
}
