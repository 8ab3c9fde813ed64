//! What is to be run, and with which environment. Knows no credential sources; values arrive ready.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::Error;
use super::walls::Walls;

/// A program to run, with everything it gets.
#[derive(Clone, Debug)]
pub struct ChildCommand {
    /// A path, or a name that is looked up in the child's own `PATH`.
    pub program: OsString,
    /// The arguments; everybody on the machine can read them, so no secret belongs here.
    pub args: Vec<OsString>,
    /// The environment, secrets included.
    pub env: Environment,
    /// The working directory; mcpwrap's own where absent.
    pub cwd: Option<PathBuf>,
    /// How the logs call it.
    pub name: String,
    /// What stands between it and everybody else.
    pub walls: Walls,
}

/// The environment of a child.
#[derive(Clone, Debug)]
pub struct Environment {
    base: Base,
    set: Vec<(OsString, SecretString)>,
}

/// What an environment starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Cleared,
    Inherited,
}

/// Which binary carries the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The running one, even if its file has been replaced since.
    Own,
    /// The one at this path, for tests and for embedding.
    At(PathBuf),
}

// === impl Environment ===

impl Environment {
    /// Starts from nothing, not even a `PATH`.
    #[must_use]
    pub fn cleared() -> Self {
        Self { base: Base::Cleared, set: Vec::new() }
    }

    /// Starts from mcpwrap's own environment, as it is when the child is started.
    #[must_use]
    pub fn inherited() -> Self {
        Self { base: Base::Inherited, set: Vec::new() }
    }

    /// Sets a variable; the last value given for a name counts.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<SecretString>) {
        self.set.push((name.into(), value.into()));
    }

    /// Like [`set`](Self::set), for chains.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<SecretString>) -> Self {
        self.set(name, value);
        self
    }

    /// The names and values that were set, without what is inherited.
    pub(super) fn assignments(&self) -> Result<BTreeMap<&OsStr, &str>, Error> {
        let mut all = BTreeMap::new();
        for (name, value) in &self.set {
            let value = value.expose_secret();
            let bytes = name.as_encoded_bytes();
            if bytes.is_empty()
                || bytes.contains(&b'=')
                || bytes.contains(&0)
                || value.contains('\0')
            {
                return Err(Error::Variable { name: name.to_string_lossy().into_owned() });
            }
            all.insert(name.as_os_str(), value);
        }
        Ok(all)
    }

    /// What is inherited: empty for a cleared environment.
    pub(super) fn inheritance(&self) -> Vec<(OsString, OsString)> {
        match self.base {
            Base::Cleared => Vec::new(),
            Base::Inherited => std::env::vars_os().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_name_counts() {
        let env = Environment::cleared().with("A", "1").with("B", "2").with("A", "3");
        let all = env.assignments().unwrap();
        assert_eq!(
            all.into_iter().collect::<Vec<_>>(),
            [(OsStr::new("A"), "3"), (OsStr::new("B"), "2")]
        );
    }

    #[test]
    fn what_the_system_cannot_carry_is_refused_by_name_only() {
        for (name, value) in [("", "v"), ("A=B", "v"), ("A\0", "v"), ("A", "se\0cret")] {
            let error = Environment::cleared().with(name, value).assignments().unwrap_err();
            assert!(!error.to_string().contains("cret"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let env = Environment::cleared().with("TOKEN", "hunter2");
        assert!(!format!("{env:?}").contains("hunter2"));
    }
}
