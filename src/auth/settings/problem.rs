//! One thing that is wrong with the settings, as the operator is told.

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

    pub(super) fn hinting(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}
