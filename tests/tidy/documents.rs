//! What a comment cites exists: documents, and the numbers of the two checklists.
//!
//! `checklist 5.8` (or `protocol-checklist`) is a number of the protocol's, `auth-checklist 1.9` one of the
//! authorization's. A number that stands alone, at the start of a comment, before a colon or at the start of parentheses, is
//! of the protocol's in `tests/it`, and of the authorization's in `tests/serve`.

use std::collections::BTreeSet;
use std::fs;

use crate::exceptions::Findings;
use crate::source::{everything, root};

/// The checklists: what comments call them, where they are, and whose tests give their numbers alone.
const CHECKLISTS: [(&[&str], &str, &str); 2] = [
    (&["checklist ", "protocol-checklist "], "tests/CHECKLIST.md", "tests/it/"),
    (&["auth-checklist "], "tests/CHECKLIST-AUTH.md", "tests/serve/"),
];

/// A number of a checklist: `5` or `5a` of a section, `5.8` of an item.
type Number = String;

#[test]
fn what_is_cited_is_there() {
    let mut found = BTreeSet::new();
    let sources = everything();
    for (names, document, tests) in CHECKLISTS {
        let Ok(text) = fs::read_to_string(root().join(document)) else {
            found.insert((document.to_owned(), "is cited and absent".to_owned()));
            continue;
        };
        let there = defined(&text);
        for source in &sources {
            for comment in source.comments() {
                let mut cited = named(&comment, names);
                if source.path.starts_with(tests) {
                    cited.extend(alone(&comment));
                }
                for number in cited.into_iter().filter(|number| !there.contains(number)) {
                    found.insert((source.path.clone(), format!("cites {document} {number}")));
                }
            }
        }
    }
    for source in &sources {
        for comment in source.comments() {
            for document in documents(&comment).filter(|name| !root().join(name).exists()) {
                found.insert((source.path.clone(), format!("cites {document}, which is absent")));
            }
        }
    }
    Findings(found).judge(&["cites", "is cited"]);
}

/// The numbers of a checklist: those that its headings and items begin with.
fn defined(text: &str) -> BTreeSet<Number> {
    let mut all = BTreeSet::new();
    for line in text.lines() {
        let start = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        // Where items share a line, as in "5.8–5.10", each of them is there.
        let Some((first, rest)) = number(start) else { continue };
        let last = rest.trim_start_matches(['*', '`']).strip_prefix(['–', '-']).and_then(number);
        all.extend(between(&first, last.as_ref().map(|(last, _)| last.as_str())));
    }
    all
}

/// From one item to another of the same section.
fn between(first: &str, last: Option<&str>) -> Vec<Number> {
    let item = |number: &str| {
        let (section, item) = number.split_once('.')?;
        Some((section.to_owned(), item.parse::<u32>().ok()?))
    };
    match (item(first), last.and_then(item)) {
        (Some((section, from)), Some((same, to))) if section == same && from <= to => {
            (from..=to).map(|item| format!("{section}.{item}")).collect()
        }
        _ => vec![first.to_owned()],
    }
}

/// The numbers that follow one of the names.
fn named(comment: &str, names: &[&str]) -> Vec<Number> {
    let whole = |at: usize| !comment[..at].ends_with(|c: char| c == '-' || c.is_alphanumeric());
    let mut all = Vec::new();
    for name in names {
        for (at, _) in comment.match_indices(*name).filter(|(at, _)| whole(*at)) {
            all.extend(list(&comment[at + name.len()..]));
        }
    }
    all
}

/// The items that no name stands before.
fn alone(comment: &str) -> Vec<Number> {
    let after_a_bracket = comment.match_indices('(').map(|(at, _)| at + 1);
    let mut all: Vec<Number> = std::iter::once(0)
        .chain(after_a_bracket)
        .flat_map(|start| list(&comment[start..]))
        .collect();
    let words = comment.split_whitespace().filter_map(|word| word.strip_suffix(':'));
    all.extend(
        words.filter_map(|word| number(word).filter(|(_, rest)| rest.is_empty())).map(|(n, _)| n),
    );
    all.retain(|number| number.contains('.'));
    all
}

/// The numbers that a text begins with, and those between the ends of a range.
fn list(text: &str) -> Vec<Number> {
    let mut all: Vec<Number> = Vec::new();
    let mut rest = text;
    let mut ranges = false;
    while let Some((next, after)) = number(rest) {
        match if ranges { all.pop() } else { None } {
            Some(first) => all.extend(between(&first, Some(&next))),
            None => all.push(next),
        }
        let separator = ["–", " to ", " and ", ", "].into_iter().find(|s| after.starts_with(s));
        let Some(separator) = separator else { break };
        ranges = ["–", " to "].contains(&separator);
        rest = &after[separator.len()..];
    }
    all
}

/// The number at the start of a text, and what follows.
fn number(text: &str) -> Option<(Number, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(text);
    if end == 0 || end > 2 {
        return None;
    }
    if let Some(item) = text[end..].strip_prefix('.').map(digits).filter(|item| *item > 0) {
        end += 1 + item;
    } else if text[end..].starts_with(|c: char| c.is_ascii_lowercase()) {
        end += 1;
    }
    let rest = &text[end..];
    // Anything longer is an address, a version or a date.
    let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        || rest
            .strip_prefix(['.', '-'])
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (!goes_on).then(|| (text[..end].to_owned(), rest))
}

/// The files of this repository that a comment names.
fn documents(comment: &str) -> impl Iterator<Item = &str> {
    let of_a_path = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    let words = comment.split(move |c: char| !of_a_path(c));
    words.map(|word| word.trim_end_matches('.')).filter(|word| {
        let place = word.starts_with("src/") || word.starts_with("tests/");
        word.ends_with(".md")
            || (place && word.rsplit('/').next().is_some_and(|name| name.contains('.')))
    })
}

#[test]
fn citations_are_read() {
    let cited = |comment| named(comment, CHECKLISTS[0].0);
    assert_eq!(
        cited("so (checklist 5.41–5.43, 1.23 e, 9.1). Next 3.3"),
        ["5.41", "5.42", "5.43", "1.23"]
    );
    assert_eq!(cited("as auth-checklist 1.9 and protocol-checklist 5a, 3.2 say"), ["5a", "3.2"]);
    assert_eq!(
        alone("2.13: once (3.1 to 3.2; x), 127.0.0.1: no, 2.12: again (5 s)"),
        ["2.13", "3.1", "3.2", "2.13", "2.12"]
    );
    let there = defined(
        "## 5. Calls\n### 5a. Map\n- **5.8** that\n* 5.9–5.11 those\n5.12. this\n| 6.1 | x |\n2025-06-18\n",
    );
    assert_eq!(
        there.into_iter().collect::<Vec<_>>(),
        ["5", "5.10", "5.11", "5.12", "5.8", "5.9", "5a", "6.1"]
    );
    assert_eq!(
        documents("see README.md, `tests/it` and src/a/b.rs.").collect::<Vec<_>>(),
        ["README.md", "src/a/b.rs"]
    );
}
