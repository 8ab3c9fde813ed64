//! What is wrong with the configuration: which setting, who said it, what is wrong, and the remedy.
//!
//! It does not print and does not know exit codes.

use std::fmt;
use std::path::PathBuf;

use super::key::Key;

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Typed on the command line.
    Flag,
    /// Taken from the environment.
    Env {
        /// The variable's name.
        var: String,
    },
    /// Written in the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

/// One thing that is wrong; its `Display` is the error line without the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting as its origin calls it: a flag, a variable or a key.
    pub setting: String,
    /// Who said it.
    pub origin: Origin,
    /// What is wrong, lower case, without a full stop.
    pub what: String,
    /// The remedy.
    pub hint: Option<String>,
}

/// Something that works but that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub Problem);

/// What a parser says about a value; the layer adds the setting and the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Env { .. } => f.write_str("environment"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("not set"),
        }
    }
}

// === impl Problem ===

impl Problem {
    pub(super) fn new(key: &Key, origin: Origin, wrong: Wrong) -> Self {
        Self::of(key.name, origin, wrong)
    }

    pub(super) fn of(name: &str, origin: Origin, wrong: Wrong) -> Self {
        let setting = match &origin {
            Origin::Flag | Origin::Default => format!("--{name}"),
            Origin::Env { var } => var.clone(),
            Origin::File { .. } => name.to_owned(),
        };
        Self { setting, origin, what: wrong.what, hint: wrong.hint }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.setting, self.origin, self.what)
    }
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
}
