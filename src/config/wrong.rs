//! What a parser says about a value, until it is known which setting it is and who said it.

use super::key::Key;
use crate::problem::{Origin, Problem};

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

// === impl Wrong ===

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem that this is for a setting.
    pub(super) fn with(self, key: &Key, origin: Origin) -> Problem {
        Problem { key: key.name.to_owned(), origin, what: self.what, hint: self.hint }
    }
}
