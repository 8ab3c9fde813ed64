//! What was found, against what is excepted.

use std::collections::BTreeSet;

use crate::source::sources;

/// A file that may do what others may not, the rule, and why.
type Exception = (&'static str, &'static str, &'static str);

const EXCEPTIONS: &[Exception] = &[
    (
        "src/demo/provider.rs",
        "names a status code",
        "the demo's identity provider answers for itself, not for mcpwrap",
    ),
    ("src/credentials/vault.rs", "names a status code", "the vault's answers are read here"),
    ("src/http/listener.rs", "spawns", "a connection is dropped with the listener"),
    ("src/bridge/pool/launch.rs", "spawns", "drains a child's pipes and ends with them"),
    ("src/process/portable.rs", "spawns", "waits for the process that it owns and ends with it"),
    (
        "src/client/legacy/post.rs",
        "spawns",
        "a call that outlives its connection ends with its child",
    ),
];

/// The files that break a rule, each with the rule.
pub(crate) struct Findings(pub(crate) BTreeSet<(String, String)>);

// === impl Findings ===

impl Findings {
    /// Fails with everything that is not excepted, and with the exceptions of these rules that are not needed.
    pub(crate) fn judge(self, rules: &[&str]) {
        let mut wrong: Vec<String> = Vec::new();
        for (path, rule) in &self.0 {
            let excepted = EXCEPTIONS.iter().any(|(own, of, _)| own == path && of == rule);
            if !excepted {
                wrong.push(format!("{path}: {rule}"));
            }
        }
        for (path, rule, _) in EXCEPTIONS {
            let about = rules.iter().any(|of| rule.starts_with(of));
            if about && !self.0.contains(&((*path).to_owned(), (*rule).to_owned())) {
                wrong.push(format!("{path}: the exception \"{rule}\" is no longer needed"));
            }
        }
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    }

    /// Files of `src` outside these folders whose code holds one of the words.
    pub(crate) fn words(rule: &str, allowed: &[&str], words: &[&str]) {
        let mut found = BTreeSet::new();
        for source in sources("src") {
            let home = allowed.iter().any(|home| source.path.starts_with(home));
            let uses =
                source.code().iter().any(|line| words.iter().any(|word| line.contains(word)));
            if uses && !home {
                found.insert((source.path.clone(), rule.to_owned()));
            }
        }
        Self(found).judge(&[rule]);
    }
}
