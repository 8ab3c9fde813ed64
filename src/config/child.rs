//! The wrapped server: its command, environment, credentials and times.
//!
//! It knows how a credential source is named, not how one is read.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::key;
use super::layers::Layers;
use super::wrong::Wrong;
use super::{secret_like, value};
use crate::problem::{Origin, Problem};

/// How long a child may take until it answers `initialize`.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a call may take.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long a child without work lives.
pub(super) const IDLE: Duration = Duration::from_secs(15 * 60);
/// The longest line that a child may print.
pub(super) const MAX_LINE: usize = 64 << 20;

/// The wrapped server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The command and its arguments; never empty.
    pub argv: Vec<OsString>,
    /// What is added to the child's environment, in order, each name once.
    pub env: Vec<(String, String)>,
    /// The directory to start in; off means ours.
    pub cwd: Option<PathBuf>,
    /// Which era of the protocol to speak.
    pub era: ChildEra,
    /// Who shares a child.
    pub scope: ChildScope,
    /// Credentials that go into the environment.
    pub credentials: Vec<NamedSource>,
    /// Until `initialize` is answered.
    pub start_timeout: Duration,
    /// Until a call is answered.
    pub call_timeout: Duration,
    /// Until a child without work is stopped.
    pub idle: Duration,
    /// The longest line on the child's stdout.
    pub max_line: usize,
}

/// Which era of the protocol the child speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEra {
    /// Ask it.
    Auto,
    /// 2024-11-05 to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// Who shares a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildScope {
    /// All clients of one user with one authority.
    User,
    /// Nobody: each legacy session has its own.
    Session,
}

/// A credential's name and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSource {
    /// The variable, or for `--credential-file` the variable that holds the file's path.
    pub name: String,
    /// `scheme:rest`, with a scheme that this mode allows.
    pub source: String,
    /// Who said it, for messages.
    pub origin: Origin,
}

/// What to do with a secret that stands in `--env` as it is.
pub(super) enum LiteralSecret {
    Warn,
    /// It would be the same for all users.
    Refuse,
}

pub(super) struct Rules {
    pub(super) sources: &'static [&'static str],
    pub(super) literal: LiteralSecret,
    /// Credentials that the operator declares shared on purpose.
    pub(super) shared: Vec<String>,
}

const ALL_SOURCES: &[&str] =
    &["vault", "exchange", "account", "store", "keyring", "file", "exec", "env"];

// === impl Child ===

impl Child {
    pub(super) fn resolve(layers: &mut Layers<'_>, rules: &Rules) -> Self {
        let env = environment(layers, rules);
        let credentials = sources(layers, &key::CREDENTIAL, rules);
        for credential in &credentials {
            if env.iter().any(|(name, _)| *name == credential.name) {
                let wrong = Wrong::new(format!("{} is also set by --env", credential.name));
                let wrong = wrong.hint("remove one of the two");
                layers.problems.push(wrong.with(&key::CREDENTIAL, credential.origin.clone()));
            }
        }
        Self {
            argv: command(layers),
            env,
            cwd: layers.path(&key::CWD),
            era: layers.one(&key::CHILD_ERA, ChildEra::Auto, |text| {
                let eras = [
                    ("auto", ChildEra::Auto),
                    ("legacy", ChildEra::Legacy),
                    ("modern", ChildEra::Modern),
                ];
                value::choice(text, &eras)
            }),
            scope: layers.one(&key::CHILD_SCOPE, ChildScope::User, |text| {
                value::choice(text, &[("user", ChildScope::User), ("session", ChildScope::Session)])
            }),
            credentials,
            start_timeout: layers.one(&key::START_TIMEOUT, START_TIMEOUT, value::duration),
            call_timeout: layers.one(&key::CALL_TIMEOUT, CALL_TIMEOUT, value::duration),
            idle: layers.one(&key::CHILD_IDLE, IDLE, value::duration),
            max_line: layers.one(&key::MAX_LINE, MAX_LINE, value::size),
        }
    }
}

fn command(layers: &mut Layers<'_>) -> Vec<OsString> {
    let argv: Vec<OsString> =
        layers.found(&key::COMMAND).into_iter().map(|found| found.value).collect();
    if argv.first().is_none_or(|program| program.is_empty()) {
        layers.problems.push(Problem {
            key: key::COMMAND.name.to_owned(),
            origin: layers.origin(&key::COMMAND),
            what: "no command to run".to_owned(),
            hint: Some(
                "put the server's command after --, like: -- npx -y @modelcontextprotocol/server-everything".to_owned(),
            ),
        });
    }
    argv
}

fn environment(layers: &mut Layers<'_>, rules: &Rules) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    for ((name, text), origin) in layers.many_with_origin(&key::ENV, pair) {
        let literal = !text.contains('{') && secret_like::is_secret(&name, &text);
        if literal && !rules.shared.contains(&name) {
            let wrong = Wrong::new(format!("{name} looks like a secret that stands here as it is"));
            let wrong = wrong.hint(format!("take it from a source: --credential {name}=SOURCE"));
            let problem = wrong.with(&key::ENV, origin);
            match rules.literal {
                LiteralSecret::Warn => layers.warnings.push(problem),
                LiteralSecret::Refuse => layers.problems.push(Problem {
                    what: format!("{name} looks like a secret that all users would share"),
                    ..problem
                }),
            }
        }
        env.retain(|(known, _)| *known != name);
        env.push((name, text));
    }
    env
}

/// The named sources of one setting; of two with one name the higher layer's wins.
pub(super) fn sources(layers: &mut Layers<'_>, key: &key::Key, rules: &Rules) -> Vec<NamedSource> {
    let mut sources: Vec<NamedSource> = Vec::new();
    let parse = |text: &str| {
        let (name, source) = pair(text)?;
        known_scheme(&source, rules.sources)?;
        Ok((name, source))
    };
    for ((name, source), origin) in layers.many_with_origin(key, parse) {
        sources.retain(|known| known.name != name);
        sources.push(NamedSource { name, source, origin });
    }
    sources
}

/// Checks `scheme:rest` without repeating it: people paste the secret itself here.
pub(super) fn known_scheme(source: &str, allowed: &[&str]) -> Result<(), Wrong> {
    let hint = format!("write one of {}:…", allowed.join(":…, "));
    let Some((scheme, rest)) =
        source.split_once(':').filter(|(scheme, _)| ALL_SOURCES.contains(scheme))
    else {
        return Err(Wrong::new("the source has no known scheme").hint(hint));
    };
    if scheme == "account" {
        return Err(Wrong::new(
            "account: is reserved for accounts linked in the browser, which is yet to come",
        )
        .hint(hint));
    }
    if !allowed.contains(&scheme) {
        return Err(Wrong::new(format!("{scheme}: is not for this command")).hint(hint));
    }
    if rest.is_empty() {
        return Err(Wrong::new(format!("nothing follows {scheme}:")).hint(hint));
    }
    Ok(())
}

/// `NAME=VALUE`; the message never repeats the value.
fn pair(text: &str) -> Result<(String, String), Wrong> {
    let hint = "write NAME=VALUE, where NAME is letters, digits and underscores";
    let Some((name, value)) = text.split_once('=') else {
        return Err(Wrong::new("there is no = after the name").hint(hint));
    };
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if name.is_empty() || !plain || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Wrong::new("the part before = is not the name of a variable").hint(hint));
    }
    if value.contains('\0') {
        return Err(Wrong::new(format!("the value of {name} holds a zero byte")).hint(hint));
    }
    Ok((name.to_owned(), value.to_owned()))
}

// === names ===

/// Names are for one variable each, so a set finds the doubles.
pub(super) fn shared_twice<'a>(
    a: &'a [NamedSource],
    b: &'a [NamedSource],
) -> Option<&'a NamedSource> {
    let names: BTreeSet<&str> = a.iter().map(|source| source.name.as_str()).collect();
    b.iter().find(|source| names.contains(source.name.as_str()))
}
