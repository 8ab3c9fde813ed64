//! One thing that is wrong with the settings, as the operator is told.

use super::Issuer;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The flag, without its dashes.
    pub option: &'static str,
    /// What is wrong, in lower case.
    pub message: String,
    /// The remedy.
    pub hint: String,
}

// === impl Problem ===

impl Problem {
    pub(super) fn new(
        option: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { option, message: message.into(), hint: hint.into() }
    }

    pub(in crate::auth) fn of_issuer(issuer: &Issuer, what: &str) -> Self {
        Self::new(
            "oidc",
            format!("issuer {:?} ({}) {what}", issuer.name, issuer.url),
            "give the issuer exactly as its own metadata name it",
        )
    }

    pub(super) fn hinting(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}
