//! How every file is written.

use crate::exceptions::Findings;
use crate::source::{everything, sources};

const LONGEST_INLINE_TESTS: usize = 90;

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

/// Unit tests stand at the end of their file while they are short, and beside it, in `<file>/tests.rs`, when they are not.
#[test]
fn long_unit_tests_stand_beside_their_file() {
    let long = sources("src").into_iter().filter(|source| !source.is_test());
    let long = long.filter(|source| source.tests().len() > LONGEST_INLINE_TESTS);
    let found = long.map(|source| (source.path, "has long unit tests inline".to_owned()));
    Findings(found.collect()).judge(&["has long unit tests"]);
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
    let sleeps =
        [concat!("thread::", "sleep"), concat!("time::", "sleep"), concat!("sleep(", "Duration")];
    // Where the clock is the machine's own, a tick that is waited for is a sleep by another name.
    let ticks = [
        concat!("sleep_", "until("),
        concat!("interval", "("),
        concat!("interval_", "at("),
        concat!("park_", "timeout("),
    ];
    // What waits for an event has to look for it, and a client that dribbles has to be slow.
    let slow = ["tests/support/wait.rs", "tests/support/until.rs", "src/http/listener/tests.rs"];
    for source in everything() {
        let own_clock =
            source.text.contains("start_paused = true") || slow.contains(&source.path.as_str());
        let words = sleeps.iter().chain(ticks.iter().filter(|_| !own_clock));
        let words: Vec<&str> = words.copied().collect();
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
