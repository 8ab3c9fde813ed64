//! What a server said last on stderr before its start failed, and who may know it.
//!
//! An operator may. A user may where he is the operator: what a program writes about itself is not meant for others.

/// The longest part of a line that stands in an answer, in characters.
const LONGEST: usize = 300;

/// Who may know what a server wrote on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearer {
    /// Whoever uses the server: it is his own.
    User,
    /// The operator alone.
    Operator,
}

/// The line that says best why a server ended, masked before it came here.
#[derive(Debug)]
pub(super) struct LastWord {
    line: Option<String>,
    hearer: Hearer,
}

// === impl LastWord ===

impl LastWord {
    /// Of these lines, oldest first: the last that names an error, as runtimes write more behind it, or the last.
    pub(super) fn of(lines: &[String], hearer: Hearer) -> Self {
        let said = || lines.iter().rev().filter(|line| !line.trim().is_empty());
        let line = said().find(|line| line.contains("Error:")).or_else(|| said().next());
        Self { line: line.map(|line| line.trim().chars().take(LONGEST).collect()), hearer }
    }

    /// For the log.
    pub(super) fn for_operator(&self) -> Option<&str> {
        self.line.as_deref()
    }

    /// For the answer to a call.
    pub(super) fn for_user(&self) -> Option<&str> {
        self.line.as_deref().filter(|_| self.hearer == Hearer::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_names_the_error_is_chosen() {
        let node =
            ["Error: Cannot find module 'x'", "    at load (a.js:1)", "}", "", "Node.js v22"];
        let python =
            ["Traceback (most recent call last):", "ModuleNotFoundError: No module 'x'", ""];
        let plain = ["starting", "no token, giving up ", " "];
        for (lines, word) in [
            (&node[..], Some("Error: Cannot find module 'x'")),
            (&python, Some("ModuleNotFoundError: No module 'x'")),
            (&plain, Some("no token, giving up")),
            (&[""], None),
            (&[], None),
        ] {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let (user, operator) =
                (LastWord::of(&lines, Hearer::User), LastWord::of(&lines, Hearer::Operator));
            assert_eq!((user.for_user(), user.for_operator()), (word, word));
            assert_eq!((operator.for_user(), operator.for_operator()), (None, word));
        }
        let long = LastWord::of(&["é".repeat(LONGEST + 1)], Hearer::User);
        assert_eq!(long.for_user().map(|line| line.chars().count()), Some(LONGEST));
    }
}
