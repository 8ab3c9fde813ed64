//! The README says what is true: its flags are those of the binary, its tables are generated, its commands are there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use clap::{Arg, CommandFactory as _};
use mcpwrap::cli::Cli;

/// The commands whose flags the README lists, in its order.
const COMMANDS: [&str; 9] = [
    "dev",
    "serve",
    "check",
    "demo",
    "secret set",
    "secret list",
    "secret rm",
    "completions",
    "man",
];
/// Flags of other programs that the README names.
const OTHERS: [&str; 4] = ["--no-deps", "--open", "--release", "--test"];
const BEGIN: &str = "<!-- flags: written by UPDATE_GENERATED=1 cargo test --test readme -->\n";
const END: &str = "<!-- end of flags -->\n";

/// Flags that the same commands share under one heading of their help.
#[derive(Debug)]
struct Group {
    commands: Vec<&'static str>,
    heading: Option<String>,
    rows: Vec<String>,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The text; its tables are written first where that is asked for, so that every test sees them.
static README: LazyLock<String> = LazyLock::new(|| {
    let old = fs::read_to_string(path()).unwrap();
    if std::env::var_os("UPDATE_GENERATED").is_none_or(|value| value != "1") {
        return old;
    }
    let new = generated(&old);
    fs::write(path(), &new).unwrap();
    new
});

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

// === the tables ===

/// One line of a table: the flag, what it does, its default.
fn row(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let value: String = values.iter().map(|name| format!("<{name}>")).collect();
    let mut flag = match (arg.get_long(), arg.get_action().takes_values()) {
        (None, _) => value,
        (Some(long), false) => format!("--{long}"),
        (Some(long), true) if arg.is_require_equals_set() => format!("--{long}[={value}]"),
        (Some(long), true) => format!("--{long} {value}"),
    };
    if let Some(short) = arg.get_short() {
        flag = format!("-{short}, {flag}");
    }
    let help = arg.get_help().unwrap().to_string();
    let (mut help, default) = match help.split_once(" [default: ") {
        Some((help, default)) => (help.to_owned(), default.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    };
    if !arg.is_hide_possible_values_set() {
        let words = arg.get_possible_values();
        let words: Vec<String> =
            words.iter().map(|word| format!("`{}`", word.get_name())).collect();
        if arg.get_action().takes_values() && !words.is_empty() {
            let _ = write!(help, ": {}", words.join(", "));
        }
    }
    format!("| `{flag}` | {help} | {default} |\n")
}

fn groups() -> Vec<Group> {
    let mut rows: Vec<(Option<String>, String, Vec<&'static str>)> = Vec::new();
    for words in COMMANDS {
        let mut command = Cli::command();
        for word in words.split(' ') {
            command = command.find_subcommand(word).unwrap().clone();
        }
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let (heading, row) = (arg.get_help_heading().map(str::to_owned), row(arg));
            match rows.iter_mut().find(|known| (&known.0, &known.1) == (&heading, &row)) {
                Some((_, _, commands)) => commands.push(words),
                None => rows.push((heading, row, vec![words])),
            }
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    for (heading, row, commands) in rows {
        let alike = |group: &&mut Group| group.commands == commands && group.heading == heading;
        match groups.iter_mut().find(alike) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { commands, heading, rows: vec![row] }),
        }
    }
    groups
}

fn tables() -> String {
    let mut text = String::new();
    for Group { commands, heading, rows } in groups() {
        let commands: Vec<String> = commands.iter().map(|words| format!("`{words}`")).collect();
        let heading = heading.map(|heading| format!(": {heading}")).unwrap_or_default();
        let _ = write!(
            text,
            "\n### {}{heading}\n\n| flag | what it does | default |\n|---|---|---|\n{}",
            commands.join(", "),
            rows.concat()
        );
    }
    text.push('\n');
    text
}

/// The text with its tables as they should be.
fn generated(text: &str) -> String {
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    format!("{head}{BEGIN}{}{END}{tail}", tables())
}

#[test]
fn the_tables_of_flags_are_in_step() {
    let remedy = "README.md is out of step: run the tests once with UPDATE_GENERATED=1";
    assert!(generated(&README) == *README, "{remedy}");
}

// === the words ===

#[test]
fn flags_are_found_in_text() {
    let found = long_flags("`--a-b`, --trace[=x] -- npx -y <!-- c --> x--d --e: ---f");
    assert_eq!(found, ["--a-b", "--e", "--trace"].map(str::to_owned).into());
}

#[test]
fn every_flag_of_the_binary_is_named() {
    let named = long_flags(&README);
    for words in COMMANDS.iter().chain(&["", "secret"]) {
        for flag in long_flags(&help(words)) {
            assert!(named.contains(&flag), "{flag} of mcpwrap {words} is missing");
        }
    }
}

#[test]
fn every_flag_that_is_named_exists() {
    let mut known: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    known.extend(long_flags(&help("")));
    known.extend(COMMANDS.iter().flat_map(|words| long_flags(&help(words))));
    let unknown: Vec<String> = long_flags(&README).difference(&known).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_commands_are_there() {
    for line in [
        "cargo run --release -- dev -- npx -y @modelcontextprotocol/server-everything",
        "cargo run --release -- demo",
        "cargo test",
    ] {
        assert!(README.contains(&format!("\n```sh\n{line}\n```\n")), "{line}");
    }
}

#[test]
fn headings_do_not_skip_a_level() {
    let mut last = 0;
    let mut titles = 0;
    for line in prose(&README).filter(|line| line.starts_with('#')) {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        assert!(level <= last + 1, "{line}");
        titles += usize::from(level == 1);
        last = level;
    }
    assert_eq!(titles, 1);
}

/// The files and directories that a text names in backticks.
fn places(text: &str) -> BTreeSet<&str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let tops = ["src/", "tests/", ".ci/", "LICENSE"];
    quoted.filter(|word| tops.iter().any(|top| word.starts_with(top))).collect()
}

#[test]
fn what_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for text in [&*README, &docs] {
        let places = places(text);
        assert!(places.len() > 10, "{places:?}");
        for place in places {
            let there = root.join(place).exists() || root.join(format!("{place}.rs")).exists();
            assert!(there, "{place}");
        }
    }
}

#[test]
fn the_architecture_names_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let map = docs.lines().filter(|line| line.starts_with("//! | [`")).collect::<String>();
    let modules = docs.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(map.contains(&format!("[`{module}`]")), "{module}");
    }
}
