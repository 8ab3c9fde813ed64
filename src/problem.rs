//! What an operator is told is wrong: which setting, who said it, what is wrong with it, and the remedy.
//!
//! Whoever finds a fault names the setting; `config` knows who said it. It neither prints nor knows exit codes.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong, or that works but should be known; its `Display` is the line without the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting: the name of its flag, without dashes.
    pub key: String,
    /// Who said it.
    pub origin: Origin,
    /// What is wrong, lower case, without a full stop.
    pub what: String,
    /// The remedy.
    pub hint: Option<String>,
}

/// Who said what a setting is.
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
    /// Nobody said anything, as far as is known.
    Default,
}

// === impl Problem ===

impl Problem {
    /// A problem with a setting; who said it is not known here.
    #[must_use]
    pub fn new(key: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        let (key, what) = (key.into(), what.into());
        Self { key, origin: Origin::Default, what, hint: Some(hint.into()) }
    }

    /// The same with another remedy.
    #[must_use]
    pub fn hinting(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.key.as_str()) {
            (Origin::Env { var }, _) => f.write_str(var)?,
            (Origin::File { .. }, key) => f.write_str(key)?,
            // These two are typed as they are, without a flag.
            (Origin::Flag | Origin::Default, "command") => f.write_str("CMD")?,
            (Origin::Flag | Origin::Default, "source") => f.write_str("SOURCE")?,
            (Origin::Flag | Origin::Default, key) => write!(f, "--{key}")?,
        }
        write!(f, " ({}): {}", self.origin, self.what)
    }
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

/// What led to an error, from the outside in.
pub fn causes(error: &dyn Error) -> impl Iterator<Item = &dyn Error> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    causes(error).fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_called_as_its_origin_calls_it() {
        let said =
            |key: &str, origin| Problem { origin, ..Problem::new(key, "no", "do") }.to_string();
        assert_eq!(said("listen", Origin::Flag), "--listen (command line): no");
        assert_eq!(said("command", Origin::Default), "CMD (not set): no");
        let env = Origin::Env { var: "MCPWRAP_LISTEN".to_owned() };
        assert_eq!(said("listen", env), "MCPWRAP_LISTEN (environment): no");
        let file = Origin::File { path: "m.toml".into(), line: 3 };
        assert_eq!(said("listen", file), "listen (m.toml:3): no");
    }

    #[test]
    fn causes_are_told_from_the_outside_in() {
        #[derive(Debug, thiserror::Error)]
        #[error("start the child")]
        struct Start(#[source] std::io::Error);
        let error = Start(std::io::Error::other("no such file"));
        assert_eq!(chain(&error), "start the child: no such file");
        assert_eq!(causes(&error).count(), 1);
    }
}
