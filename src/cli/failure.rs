//! How a run ends badly: what, why and what to do, as lines on stderr, and the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::problem::{self, Problem};
use crate::telemetry::{Colour, Newlines, printable};

/// A run that ends badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is, which gives the exit code.
    pub kind: FailureKind,
    /// What failed, lower case, without a full stop.
    pub message: String,
    /// Why, from the outside in.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The command line or the configuration: exit code 2.
    Usage,
    /// The world: exit code 1.
    Runtime,
}

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

// === impl Failure ===

impl Failure {
    /// Something that the operator wrote is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, message.into())
    }

    /// Something went wrong while running.
    #[must_use]
    pub fn runtime(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Runtime, message.into())
    }

    /// Something went wrong while running, with all its causes.
    #[must_use]
    pub fn of(error: &dyn Error) -> Self {
        let mut failure = Self::runtime(error.to_string());
        failure.causes = problem::causes(error).map(ToString::to_string).collect();
        failure
    }

    /// Adds a cause and its causes.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        self.causes.push(error.to_string());
        self.causes.extend(problem::causes(error).map(ToString::to_string));
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn new(kind: FailureKind, message: String) -> Self {
        Self { kind, message, causes: Vec::new(), hints: Vec::new() }
    }

    fn lines(&self, colour: Colour) -> String {
        let mut lines = String::new();
        let mut line = |sequence, head: &str, text: &str| {
            let text = printable(text, Newlines::Keep);
            let _ = writeln!(lines, "{} {text}", colour.paint(sequence, head));
        };
        line("1;31", "error:", &self.message);
        for cause in &self.causes {
            line("1", "caused by:", cause);
        }
        for hint in &self.hints {
            line("1;36", "hint:", hint);
        }
        lines
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        let mut failure = Self::usage(problem.to_string());
        failure.hints.extend(problem.hint.clone());
        failure
    }
}

/// A failure for each problem.
pub(super) fn all(problems: &[Problem]) -> Vec<Failure> {
    problems.iter().map(Into::into).collect()
}

/// Says all failures; the code of a misuse prevails.
pub(super) fn report(failures: &[Failure]) -> ExitCode {
    let colour = Colour::of_stderr();
    let text: String = failures.iter().map(|failure| failure.lines(colour)).collect();
    say(&text);
    if failures.iter().any(|failure| failure.kind == FailureKind::Usage) {
        ExitCode::from(MISUSED)
    } else {
        ExitCode::from(FAILED)
    }
}

/// Says what works but should be known.
pub(super) fn warn(warnings: &[Problem]) {
    let colour = Colour::of_stderr();
    for problem in warnings {
        let text = printable(&problem.to_string(), Newlines::Keep);
        say(&format!("{} {text}\n", colour.paint("1;33", "warning:")));
        if let Some(hint) = &problem.hint {
            say(&hint_line(hint));
        }
    }
}

/// A remedy on a line of its own.
pub(super) fn hint_line(hint: &str) -> String {
    let hint = printable(hint, Newlines::Keep);
    format!("{} {hint}\n", Colour::of_stderr().paint("1;36", "hint:"))
}

/// Writes to stderr; where that is gone nobody can be told.
pub(super) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("start the child")]
    struct Start(#[source] io::Error);

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let error = Start(io::Error::other("no such file"));
        let failure = Failure::of(&error).hint("is it installed?");
        assert_eq!(
            failure.lines(Colour::Off),
            "error: start the child\ncaused by: no such file\nhint: is it installed?\n"
        );
        assert!(failure.lines(Colour::On).starts_with("\x1b[1;31merror:\x1b[0m start the child\n"));
    }

    #[test]
    fn a_failure_cannot_steer_the_terminal() {
        let lines = Failure::runtime("child said \x1b[2J").lines(Colour::Off);
        assert_eq!(lines, "error: child said \\u{1b}[2J\n");
    }
}
