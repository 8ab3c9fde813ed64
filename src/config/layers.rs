//! Flags beat environment beats file beats default; every value keeps who said it, and problems are gathered.
//!
//! It does not know a single setting. An environment variable that is empty counts as absent.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::file::File;
use super::key::{Key, Values};
use super::wrong::Wrong;
use crate::problem::{Origin, Problem};

/// What was typed: only that, by the flag's name, in the order of typing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    values: BTreeMap<String, Vec<OsString>>,
}

/// Who said each setting that somebody said, for those who find fault with it later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    known: BTreeMap<&'static str, Origin>,
}

/// The wrapper's own environment, as a look-up.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The layers over each other, and what was found wrong so far.
pub(super) struct Layers<'a> {
    typed: &'a Typed,
    env: Env<'a>,
    file: File,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// A value that somebody said.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) value: OsString,
    pub(super) origin: Origin,
}

// === impl Typed ===

impl Typed {
    /// Notes the values of a flag.
    pub fn insert(&mut self, name: &str, values: impl IntoIterator<Item = OsString>) {
        self.values.entry(name.to_owned()).or_default().extend(values);
    }
}

// === impl Origins ===

impl Origins {
    /// A problem that was found after the configuration was read, now with who said it.
    #[must_use]
    pub fn attribute(&self, problem: Problem) -> Problem {
        match self.known.get(problem.key.as_str()) {
            Some(origin) if problem.origin == Origin::Default => {
                Problem { origin: origin.clone(), ..problem }
            }
            _ => problem,
        }
    }
}

// === impl Layers ===

impl<'a> Layers<'a> {
    pub(super) fn new(typed: &'a Typed, env: Env<'a>, file: File) -> Self {
        Self { typed, env, file, problems: Vec::new(), warnings: Vec::new() }
    }

    /// One variable of the wrapper's environment that is not a setting.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// Whether anybody said anything, and who.
    pub(super) fn origin(&self, key: &Key) -> Origin {
        self.found(key).into_iter().next_back().map_or(Origin::Default, |found| found.origin)
    }

    /// Who said what, of these settings.
    pub(super) fn origins(&self, keys: impl Iterator<Item = &'static Key>) -> Origins {
        let known = keys.map(|key| (key.name, self.origin(key)));
        Origins { known: known.filter(|(_, origin)| *origin != Origin::Default).collect() }
    }

    pub(super) fn is_set(&self, key: &Key) -> bool {
        self.origin(key) != Origin::Default
    }

    pub(super) fn problem(&mut self, key: &Key, wrong: Wrong) {
        let origin = self.origin(key);
        self.problems.push(wrong.with(key, origin));
    }

    /// The value or the default; a value that makes no sense is noted as a problem.
    pub(super) fn one<T>(
        &mut self,
        key: &Key,
        default: T,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> T {
        self.maybe(key, parse).unwrap_or(default)
    }

    /// The value, if anybody said one that makes sense.
    pub(super) fn maybe<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let found = self.found(key).pop()?;
        self.parse(key, found, parse).map(|(value, _)| value)
    }

    /// The value as a path, which need not be UTF-8.
    pub(super) fn path(&mut self, key: &Key) -> Option<PathBuf> {
        let found = self.found(key).pop()?;
        self.as_path(key, found)
    }

    /// All values as paths.
    pub(super) fn paths(&mut self, key: &Key) -> Vec<PathBuf> {
        let found = self.found(key).into_iter();
        found.filter_map(|found| self.as_path(key, found)).collect()
    }

    fn as_path(&mut self, key: &Key, found: Found) -> Option<PathBuf> {
        if found.value.is_empty() {
            let wrong =
                Wrong::new("the path is empty").hint("write a path, or leave the setting out");
            self.problems.push(wrong.with(key, found.origin));
            return None;
        }
        Some(found.value.into())
    }

    /// All values that make sense.
    pub(super) fn many<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let found = self.found(key).into_iter();
        let parsed = found.filter_map(|found| self.parse(key, found, &parse));
        parsed.map(|(value, _)| value).collect()
    }

    /// All values that make sense, each with who said it.
    pub(super) fn many_with_origin<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Vec<(T, Origin)> {
        let found = self.found(key).into_iter();
        found.filter_map(|found| self.parse(key, found, &parse)).collect()
    }

    /// Every value as it was said, the highest layer's only; pairs of all layers, the lowest layer first.
    pub(super) fn found(&self, key: &Key) -> Vec<Found> {
        let typed = self.typed.values.get(key.name).into_iter().flatten();
        let typed = typed.flat_map(|value| match key.values {
            Values::Commas => split(key, value, &Origin::Flag),
            Values::One | Values::Lines | Values::Words | Values::Pairs => {
                vec![Found { value: value.clone(), origin: Origin::Flag }]
            }
        });
        let var = key.env_var();
        let env = self.variable(&var).filter(|_| key.values != Values::Words);
        let env = env.map(|value| {
            let origin = Origin::Env { var };
            split(key, &value, &origin)
        });
        let file = self
            .file
            .get(key)
            .iter()
            .map(|entry| Found { value: entry.text.clone().into(), origin: entry.origin.clone() });
        let layers: [Vec<Found>; 3] = [file.collect(), env.unwrap_or_default(), typed.collect()];
        if key.values == Values::Pairs {
            return layers.into_iter().flatten().collect();
        }
        layers.into_iter().rfind(|layer| !layer.is_empty()).unwrap_or_default()
    }

    fn parse<T>(
        &mut self,
        key: &Key,
        found: Found,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<(T, Origin)> {
        let parsed = match found.value.to_str() {
            Some(text) => parse(text),
            None => Err(Wrong::new("not valid UTF-8")),
        };
        match parsed {
            Ok(value) => Some((value, found.origin)),
            Err(wrong) => {
                self.problems.push(wrong.with(key, found.origin));
                None
            }
        }
    }
}

fn split(key: &Key, value: &OsStr, origin: &Origin) -> Vec<Found> {
    let separator = match key.values {
        Values::One | Values::Words => None,
        Values::Commas => Some(','),
        Values::Lines | Values::Pairs => Some('\n'),
    };
    let pieces: Vec<OsString> = match (separator, value.to_str()) {
        (Some(separator), Some(text)) => text
            .split(separator)
            .map(str::trim)
            .filter(|piece| !piece.is_empty())
            .map(Into::into)
            .collect(),
        _ => vec![value.to_owned()],
    };
    let found = pieces.into_iter().map(|value| Found { value, origin: origin.clone() });
    found.collect()
}
