//! What goes over the lifeline: one-byte orders down, one-line reports up.

use crate::process::ExecFailure;

/// The order to terminate: SIGTERM to every descendant.
pub(super) const TERMINATE: u8 = b'T';
/// The order to kill: SIGKILL to every descendant until none is left.
pub(super) const KILL: u8 = b'K';
/// The longest report; a supervisor that says more is not one of ours.
pub(super) const MAX: usize = 4096;

/// A line from a supervisor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The command runs under this pid.
    Started(u32),
    /// The command could not be executed.
    Failed(ExecFailure),
    /// The command ended with this code, and nothing of its tree is left.
    Exited(i32),
    /// This signal ended the command, and nothing of its tree is left.
    Signaled(i32),
}

// === impl Report ===

impl Report {
    /// The prefix of a failure; the supervisor passes on what stage 2 wrote without looking at it.
    pub(super) const FAILED: &str = "failed ";

    /// The line, with its end.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Started(pid) => format!("started {pid}\n"),
            Self::Failed(failure) => format!("{}{}\n", Self::FAILED, encode(failure)),
            Self::Exited(code) => format!("exited {code}\n"),
            Self::Signaled(signal) => format!("signaled {signal}\n"),
        }
    }

    /// Reads a line without its end.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "started" => rest.parse().ok().map(Self::Started),
            "failed" => serde_json::from_str(rest).ok().map(Self::Failed),
            "exited" => rest.parse().ok().map(Self::Exited),
            "signaled" => rest.parse().ok().map(Self::Signaled),
            _ => None,
        }
    }
}

/// A failure as stage 2 writes it: one line of JSON without its end.
pub(super) fn encode(failure: &ExecFailure) -> String {
    serde_json::to_string(failure).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_its_line() {
        for report in [
            Report::Started(7),
            Report::Exited(3),
            Report::Signaled(9),
            Report::Failed(ExecFailure::NotFound),
            Report::Failed(ExecFailure::Preparation { step: "read\nit".into(), errno: 5 }),
        ] {
            let line = report.line();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Report::parse(line.trim_end()), Some(report));
        }
    }

    #[test]
    fn anything_else_is_no_report() {
        for line in ["", "started", "started x", "exited", "hello 1", "failed {"] {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }
}
