//! The documents say what is true: the flags, files and pages that they name are there, and no flag is without its page.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commands, as they are typed.
const COMMANDS: [&str; 11] = [
    "",
    "dev",
    "serve",
    "check",
    "demo",
    "secret",
    "secret set",
    "secret list",
    "secret rm",
    "completions",
    "man",
];
/// Flags of other programs that the documents name.
const OTHERS: [&str; 5] = ["--example", "--no-deps", "--open", "--release", "--test"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn readme() -> String {
    read(&root().join("README.md"))
}

/// Everything written for people, each with its text: the README, those of the tests, the pages of the manual.
fn documents() -> Vec<(PathBuf, String)> {
    let files =
        ["README.md", "tests/interop/README.md", "tests/bench/README.md", "tests/soak/README.md"];
    let pages = fs::read_dir(root().join("man")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let all = files.iter().map(|file| root().join(file)).chain(pages);
    all.map(|path| (path.clone(), read(&path))).collect()
}

fn help(words: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpwrap"));
    let ran = command.args(words.split_whitespace()).arg("--help").env_clear().output().unwrap();
    assert!(ran.status.success(), "{words}");
    String::from_utf8(ran.stdout).unwrap()
}

/// Every `--word` of a text; a bare `--` is none.
fn long_flags(text: &str) -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back();
        let name: String =
            text[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        let name = name.trim_end_matches('-');
        let begins = !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '<');
        if begins && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            flags.insert(format!("--{name}"));
        }
    }
    flags
}

/// The lines outside code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

#[test]
fn flags_are_found_in_text() {
    let found = long_flags("`--a-b`, --trace[=x] -- npx -y <!-- c --> x--d --e: ---f");
    assert_eq!(found, ["--a-b", "--e", "--trace"].map(str::to_owned).into());
}

#[test]
fn every_flag_of_the_binary_is_in_the_manual() {
    for words in COMMANDS {
        let name = format!("mcpwrap {words}").trim().replace(' ', "-");
        let page = read(&root().join(format!("man/{name}.1"))).replace("\\-", "-");
        // A font may begin right before the flag.
        let named = long_flags(&page.replace("\\fB", " ").replace("\\fI", " "));
        for flag in long_flags(&help(words)) {
            assert!(named.contains(&flag), "{flag} of {name} is missing");
        }
    }
}

#[test]
fn every_flag_that_is_named_exists() {
    let mut known: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    known.extend(COMMANDS.iter().flat_map(|words| long_flags(&help(words))));
    for (path, text) in documents() {
        let unknown: Vec<String> = long_flags(&text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
    }
}

#[test]
fn the_commands_are_there() {
    for line in [
        "cargo run --release -- dev -- npx -y @modelcontextprotocol/server-everything",
        "cargo run --release -- demo",
        "cargo test",
    ] {
        assert!(readme().contains(&format!("\n```sh\n{line}\n```\n")), "{line}");
    }
}

#[test]
fn headings_do_not_skip_a_level() {
    for (path, text) in documents() {
        let mut last = 0;
        let mut titles = 0;
        for line in prose(&text).filter(|line| line.starts_with('#')) {
            let level = line.bytes().take_while(|byte| *byte == b'#').count();
            assert!(level <= last + 1, "{}: {line}", path.display());
            titles += usize::from(level == 1);
            last = level;
        }
        assert_eq!(titles, 1, "{}", path.display());
    }
}

/// The files and directories that a text names in backticks.
fn places(text: &str) -> BTreeSet<&str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let tops = ["src/", "tests/", "man/", ".ci/", "LICENSE"];
    quoted.filter(|word| tops.iter().any(|top| word.starts_with(top))).collect()
}

#[test]
fn what_is_named_is_there() {
    let docs = read(&root().join("src/lib.rs"));
    assert!(places(&docs).len() > 10 && places(&readme()).len() > 5);
    for text in documents().into_iter().map(|(_, text)| text).chain([docs]) {
        for place in places(&text) {
            // What stands after the name of a script is for the script.
            let place = place.split(' ').next().unwrap();
            let there = root().join(place).exists() || root().join(format!("{place}.rs")).exists();
            assert!(there, "{place}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for (path, text) in documents() {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            assert!(path.with_file_name(target).exists(), "{}: {target}", path.display());
        }
    }
}

#[test]
fn every_concept_is_linked() {
    let readme = readme();
    for (path, _) in documents() {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        assert!(path == "README.md" || readme.contains(&format!("]({path})")), "{path}");
    }
}

#[test]
fn the_architecture_names_every_module() {
    let docs = read(&root().join("src/lib.rs"));
    let map = docs.lines().filter(|line| line.starts_with("//! | [`")).collect::<String>();
    let modules = docs.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(map.contains(&format!("[`{module}`]")), "{module}");
    }
}
