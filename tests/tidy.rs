//! The house rules that a test can check (STYLE section 3, DESIGN section 6): names, sizes, who may use whom.
//!
//! It reads the source as text. Every exception stands in a list with its reason, and one that is no longer
//! needed fails as well.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module may use those further down, and those beside it in the same row.
const ORDER: [&[&str]; 17] = [
    &["cli"],
    &["app"],
    &["config"],
    &["http"],
    &["client"],
    &["bridge"],
    &["server"],
    &["limits"],
    &["policy"],
    &["credentials"],
    &["process"],
    &["auth"],
    &["audit"],
    &["store"],
    &["seal"],
    &["outbound"],
    &["mcp"],
];
/// What everybody may use.
const GROUND: [&str; 3] = ["redact", "shutdown", "telemetry"];

/// A file that may do what others may not, the rule, and why.
type Exception = (&'static str, &'static str, &'static str);

const EXCEPTIONS: &[Exception] = &[
    ("src/main.rs", "uses cli", "the binary hands over to the command line"),
    ("src/main.rs", "uses process", "the stages of a child are the same binary"),
    (
        "src/demo/provider.rs",
        "names a status code",
        "the demo's identity provider answers for itself, not for mcpwrap",
    ),
    ("src/credentials/vault.rs", "names a status code", "the vault's answers are read here"),
    ("src/http/connections.rs", "spawns", "a connection is dropped with the listener"),
    ("src/bridge/launch.rs", "spawns", "drains a child's pipes and ends with them"),
    ("src/process/fallback.rs", "spawns", "waits for the process that it owns and ends with it"),
    (
        "src/client/legacy/exchange.rs",
        "spawns",
        "a call that outlives its connection ends with its child",
    ),
];

/// A source file, its path from the root with slashes, and its text.
struct Source {
    path: String,
    text: String,
}

/// What was found, against what is excepted.
struct Findings(BTreeSet<(String, String)>);

fn sources(root: &str) -> Vec<Source> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    let mut open: Vec<PathBuf> = vec![base.join(root)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            // What the interop suites install and build is not ours.
            let name = path.file_name().unwrap().to_string_lossy();
            let installed = name.starts_with('.') || name == "node_modules" || name == "target";
            if !installed {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(base).unwrap().to_str().unwrap().replace('\\', "/");
            all.push(Source { path, text });
        }
    }
    assert!(!all.is_empty(), "{root} has no sources");
    all
}

fn everything() -> Vec<Source> {
    ["src", "tests"].into_iter().flat_map(sources).collect()
}

// === impl Source ===

impl Source {
    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || name == "tests.rs"
            || name == "testing.rs"
            || name.ends_with("_tests.rs")
    }

    /// The lines that are code, without those of tests.
    fn code(&self) -> Vec<&str> {
        if self.is_test() {
            return Vec::new();
        }
        let code = self.text.lines().take(self.first_test());
        code.filter(|line| !line.trim_start().starts_with("//")).collect()
    }

    /// The line where the tests within the file begin.
    fn first_test(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let begins = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
        lines.windows(2).position(begins).unwrap_or(lines.len())
    }

    /// The lines of its tests.
    fn tests(&self) -> Vec<&str> {
        let code = if self.is_test() { 0 } else { self.first_test() };
        self.text.lines().skip(code).collect()
    }

    /// The top module that it belongs to.
    fn module(&self) -> &str {
        let rest = self.path.strip_prefix("src/").unwrap();
        rest.split('/').next().unwrap().trim_end_matches(".rs")
    }
}

// === impl Findings ===

impl Findings {
    /// Fails with everything that is not excepted, and with the exceptions of these rules that are not needed.
    fn judge(self, rules: &[&str]) {
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
    fn words(rule: &str, allowed: &[&str], words: &[&str]) {
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

fn rank(module: &str) -> Option<usize> {
    if GROUND.contains(&module) {
        return Some(ORDER.len());
    }
    ORDER.iter().position(|row| row.contains(&module))
}

/// The top modules that a line of code names.
fn used(line: &str) -> Vec<&str> {
    let after = line.match_indices("crate::").map(|(at, word)| &line[at + word.len()..]);
    let own = line.match_indices("mcpwrap::").map(|(at, word)| &line[at + word.len()..]);
    let name = |rest: &'_ str| -> usize {
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())
    };
    let named = after.chain(own).flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split(['}', ';']).next().unwrap().split(',').map(str::trim).collect(),
        None => vec![rest],
    });
    named.map(|rest| &rest[..name(rest)]).filter(|name| rank(name).is_some()).collect()
}

#[test]
fn modules_use_only_those_below_them() {
    let mut found = BTreeSet::new();
    for source in sources("src") {
        let module = source.module();
        if module == "lib" {
            continue;
        }
        let own = rank(module);
        assert!(module == "main" || own.is_some(), "{} has no place in the order", source.path);
        for line in source.code() {
            for used in used(line).into_iter().filter(|used| *used != module) {
                // The composition root is for the command line alone, whatever the order says.
                let fits = own.is_some_and(|own| own < rank(used).unwrap());
                if !fits || (used == "app" && module != "cli") {
                    found.insert((source.path.clone(), format!("uses {used}")));
                }
            }
        }
    }
    Findings(found).judge(&["uses"]);
}

#[test]
fn files_say_what_they_are() {
    for source in everything() {
        assert!(source.text.starts_with("//! "), "{} does not open with //!", source.path);
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = everything()
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > 400)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

#[test]
fn nothing_is_left_to_be_done() {
    // In pieces, so that this file does not hold them.
    let words = [
        concat!("todo", "!"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("dbg", "!"),
        concat!("unimplemented", "!"),
        concat!("#[ig", "nore"),
    ];
    for source in everything() {
        for word in words {
            assert!(!source.text.contains(word), "{} holds {word}", source.path);
        }
    }
}

#[test]
fn no_test_sleeps() {
    let words =
        [concat!("thread::", "sleep"), concat!("time::", "sleep"), concat!("sleep(", "Duration")];
    for source in everything() {
        for line in source.tests() {
            let sleeps = words.iter().any(|word| line.contains(word));
            assert!(!sleeps, "{}: {}", source.path, line.trim());
        }
    }
}

#[test]
fn types_are_named_after_things() {
    const ENDINGS: [&str; 6] = ["Manager", "Helper", "Util", "Handler", "Data", "Info"];
    for source in everything() {
        for line in source.text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let keyword = |word: &str| ["struct", "enum", "trait", "type", "union"].contains(&word);
            let Some(at) = words.iter().position(|word| keyword(word)) else { continue };
            // An associated type has the name that its trait gave it.
            let associated = words[at] == "type" && line.starts_with(' ');
            let plain = words[..at].iter().all(|word| word.starts_with("pub"));
            let Some(name) = words.get(at + 1).filter(|_| plain && !associated) else { continue };
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            let bad = ENDINGS.iter().any(|end| name.ends_with(end));
            assert!(!bad, "{}: {name}", source.path);
        }
    }
}

#[test]
fn no_parameter_is_a_bool() {
    for source in sources("src") {
        let code = source.code().join("\n");
        for (at, _) in code.match_indices("fn ") {
            let head = code[at..].split(['{', ';']).next().unwrap();
            // The names and the parameters are serde's and tracing's.
            if head.starts_with("fn visit_bool") || head.starts_with("fn record_bool") {
                continue;
            }
            let Some(open) = head.find('(') else { continue };
            let mut depth = 0_i32;
            let end = head[open..].find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let parameters = &head[open..open + end.unwrap_or(head.len() - open)];
            let bare: String = parameters.chars().filter(|c| !c.is_whitespace()).collect();
            let is_bool =
                [":bool,", ":&bool,", ":Option<bool>"].iter().any(|kind| bare.contains(kind))
                    || bare.ends_with(":bool");
            assert!(!is_bool, "{}: {}", source.path, head.lines().next().unwrap());
        }
    }
}

#[test]
fn status_codes_live_in_http() {
    // What others answer us is another matter: the outbound client and the identity providers' answers.
    let homes = ["src/http/", "src/outbound.rs", "src/auth/"];
    Findings::words("names a status code", &homes, &["StatusCode"]);
}

#[test]
fn only_the_command_line_prints() {
    let words = ["println!", "eprintln!", " print!(", " eprint!("];
    Findings::words("prints", &["src/cli/"], &words);
}

#[test]
fn tasks_are_known_to_shutdown() {
    let words = ["tokio::spawn", "task::spawn(", "JoinSet", "spawn_local"];
    Findings::words("spawns", &["src/shutdown.rs"], &words);
}

#[test]
fn secrets_are_spent_in_few_places() {
    let homes = [
        "src/auth/",
        "src/process/",
        "src/credentials/",
        "src/store/",
        "src/redact.rs",
        "src/seal",
    ];
    Findings::words("exposes a secret", &homes, &["expose_secret"]);
}

#[test]
fn only_process_starts_processes() {
    let words =
        ["process::Command", "process::{Command", "unistd::fork", "execv", "fork()", "posix_spawn"];
    Findings::words("starts a process", &["src/process/"], &words);
}

#[test]
fn no_file_allows_unsafe_code() {
    for source in everything() {
        let word = concat!("un", "safe");
        let code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let used = line.contains(&format!("{word} {{")) || line.contains(&format!("{word} fn"));
            assert!(!used && !line.contains(&format!("allow({word}")), "{}: {line}", source.path);
        }
    }
}
