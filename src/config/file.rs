//! The TOML file, flattened to texts with line numbers; its keys are the names of the flags.
//!
//! It refuses keys that nobody reads, and does not know what the values mean.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{self, Key, Values};
use super::wrong::Wrong;
use crate::problem::{Origin, Problem};

/// What the file says, by key.
#[derive(Debug, Default)]
pub(super) struct File {
    entries: BTreeMap<&'static str, Vec<Entry>>,
}

/// One value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Turns byte offsets into places in one file.
struct Positions<'a> {
    path: &'a Path,
    text: &'a str,
}

// === impl File ===

impl File {
    /// Reads the text of the file at `path`; everything that is wrong with it is reported at once.
    pub(super) fn parse(path: &Path, text: &str) -> (Self, Vec<Problem>) {
        let positions = Positions { path, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems: Vec<Problem> =
            errors.iter().map(|error| positions.syntax(error)).collect();
        let mut file = Self::default();
        for (name, value) in table.get_ref() {
            let Some(key) = key::of_serve(name.get_ref()).filter(|key| **key != key::CONFIG) else {
                problems.push(positions.unknown(name));
                continue;
            };
            match positions.texts(key, value) {
                Ok(entries) => {
                    file.entries.insert(key.name, entries);
                }
                Err(problem) => problems.push(problem),
            }
        }
        (file, problems)
    }

    pub(super) fn get(&self, key: &Key) -> &[Entry] {
        self.entries.get(key.name).map_or(&[], Vec::as_slice)
    }
}

// === impl Positions ===

impl Positions<'_> {
    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Origin::File { path: PathBuf::from(self.path), line: before.matches('\n').count() + 1 }
    }

    fn syntax(&self, error: &toml::de::Error) -> Problem {
        Problem {
            key: "file".to_owned(),
            origin: self.origin(&error.span().unwrap_or_default()),
            what: error.message().trim().replace('\n', ", "),
            hint: Some("the file is TOML, like: call-timeout = \"10m\"".to_owned()),
        }
    }

    fn unknown(&self, name: &Spanned<toml::de::DeString<'_>>) -> Problem {
        let written = name.get_ref();
        let meant = key::of_serve(&written.to_lowercase().replace('_', "-"));
        Problem {
            key: written.to_string(),
            origin: self.origin(&name.span()),
            what: "unknown key".to_owned(),
            hint: Some(meant.map_or_else(
                || "a key is the name of a flag of serve: see mcpwrap serve --help".to_owned(),
                |key| format!("did you mean {}?", key.name),
            )),
        }
    }

    fn texts(
        &self,
        key: &'static Key,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Entry>, Problem> {
        match (value.get_ref(), key.values) {
            (
                DeValue::Array(items),
                Values::Commas | Values::Lines | Values::Words | Values::Pairs,
            ) => items.iter().map(|item| self.text(key, item)).collect(),
            (DeValue::Table(table), Values::Pairs) => table
                .iter()
                .map(|(name, value)| {
                    let mut entry = self.text(key, value)?;
                    entry.text = format!("{}={}", name.get_ref(), entry.text);
                    Ok(entry)
                })
                .collect(),
            (_, Values::Words) => Err(self.mistyped(key, value)),
            _ => Ok(vec![self.text(key, value)?]),
        }
    }

    fn text(&self, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Entry, Problem> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => return Err(self.mistyped(key, value)),
        };
        Ok(Entry { text, origin: self.origin(&value.span()) })
    }

    fn mistyped(&self, key: &Key, value: &Spanned<DeValue<'_>>) -> Problem {
        let expected = match key.values {
            Values::One => "one string",
            Values::Commas | Values::Lines | Values::Words => "an array of strings",
            Values::Pairs => "a table of strings",
        };
        let wrong =
            Wrong::new(format!("expected {expected}, found {}", value.get_ref().type_str()));
        wrong.with(key, self.origin(&value.span()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let (_, problems) = File::parse(Path::new("m.toml"), text);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = "listen = \"127.0.0.1:1\"\n\nlisten_to = 3\ncall_timeout = \"3s\"\n";
        let (_, problems) = File::parse(Path::new("m.toml"), text);
        let said: Vec<_> =
            problems.iter().map(|p| (p.to_string(), p.hint.clone().unwrap())).collect();
        assert!(said.contains(&(
            "call_timeout (m.toml:4): unknown key".to_owned(),
            "did you mean call-timeout?".to_owned()
        )));
        assert!(said.iter().any(|(error, _)| error == "listen_to (m.toml:3): unknown key"));
    }

    #[test]
    fn values_of_the_wrong_type_are_refused_with_their_line() {
        assert_eq!(
            problems("\nlisten = [\"a\"]\n"),
            ["listen (m.toml:2): expected one string, found array"]
        );
        assert_eq!(
            problems("command = \"npx server\""),
            ["command (m.toml:1): expected an array of strings, found string"]
        );
        assert_eq!(
            problems("audience = [[1]]"),
            ["audience (m.toml:1): expected an array of strings, found array"]
        );
    }

    #[test]
    fn syntax_errors_name_the_line() {
        let said = problems("listen = \"a\"\nlisten = \"b\"\n");
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("file (m.toml:2): duplicate key"), "{said:?}");
    }

    #[test]
    fn a_table_is_a_list_of_pairs() {
        let (file, problems) = File::parse(Path::new("m.toml"), "[env]\nA = \"1\"\nB = 2\n");
        assert_eq!(problems, []);
        let texts: Vec<_> = file.get(&key::ENV).iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["A=1", "B=2"]);
    }
}
