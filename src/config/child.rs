//! The wrapped server: its command, environment, credentials and times.
//!
//! How a credential source is written is known to `credentials`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::key;
use super::layers::Layers;
use super::value;
use super::wrong::Wrong;
use crate::credentials::{CredentialSpec, Delivery, Users, is_secret_like, is_variable};
use crate::problem::{Origin, Problem, chain};

/// How long a child may take from its own start until it answers `initialize`.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a call may wait for the start of a child.
pub(super) const START_WAIT: Duration = Duration::from_secs(2 * 60);
/// How long a call may take.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long a question waits for it to be clear whose it is, and a call for those that it could be confused with.
pub(super) const HOLD_LIMIT: Duration = Duration::from_secs(5);
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
    pub credentials: Vec<CredentialSpec>,
    /// Until `initialize` is answered, from the start of the process.
    pub start_timeout: Duration,
    /// Until a child may start, or start again.
    pub start_wait: Duration,
    /// Until a call is answered.
    pub call_timeout: Duration,
    /// Until a question is refused that could be of several clients' calls; a call waits no longer for theirs.
    pub hold_limit: Duration,
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

pub(super) struct CredentialRules {
    /// Whom the sources must suit; a secret that stands in `--env` as it is would be the same for all of many.
    pub(super) users: Users,
    /// Credentials that the operator declares shared on purpose.
    pub(super) shared: Vec<String>,
}

// === impl Child ===

impl Child {
    pub(super) fn resolve(layers: &mut Layers<'_>, rules: &CredentialRules) -> Self {
        let env = environment(layers, rules);
        let mut credentials = Vec::new();
        for (spec, origin) in specs(layers, &key::CREDENTIAL, Delivery::Env, rules) {
            if env.iter().any(|(name, _)| name == spec.name()) {
                set_twice(layers, &key::CREDENTIAL, origin, &spec, &key::ENV);
            }
            credentials.push(spec);
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
            start_wait: layers.one(&key::START_WAIT, START_WAIT, value::duration),
            call_timeout: layers.one(&key::CALL_TIMEOUT, CALL_TIMEOUT, value::duration),
            hold_limit: layers.one(&key::HOLD_LIMIT, HOLD_LIMIT, value::duration),
            idle: layers.one(&key::CHILD_IDLE, IDLE, value::duration),
            max_line: layers.one(&key::MAX_LINE, MAX_LINE, value::size),
        }
    }
}

/// How long calls may go on when mcpwrap or a child is to end.
pub(super) fn grace(layers: &mut Layers<'_>, default: Duration) -> Duration {
    layers.one(&key::GRACE, default, value::duration)
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

fn environment(layers: &mut Layers<'_>, rules: &CredentialRules) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    for ((name, text), origin) in layers.many_with_origin(&key::ENV, pair) {
        if is_secret_like(&name, &text) && !rules.shared.contains(&name) {
            let (what, told) = match rules.users {
                Users::One => ("stands here as it is", &mut layers.warnings),
                Users::Many => ("all users would share", &mut layers.problems),
            };
            let wrong = Wrong::new(format!("{name} looks like a secret that {what}"));
            let wrong = wrong.hint(format!("take it from a source: --credential {name}=SOURCE"));
            told.push(wrong.with(&key::ENV, origin));
        }
        env.retain(|(known, _)| *known != name);
        env.push((name, text));
    }
    env
}

/// The credentials of one setting, each with who said it; of two with one name the higher layer's wins.
pub(super) fn specs(
    layers: &mut Layers<'_>,
    key: &key::Key,
    delivery: Delivery,
    rules: &CredentialRules,
) -> Vec<(CredentialSpec, Origin)> {
    let mut specs: Vec<(CredentialSpec, Origin)> = Vec::new();
    let parse = |text: &str| {
        let (name, source) = pair(text)?;
        CredentialSpec::new(&name, &source, delivery, rules.users)
            .map_err(|error| Wrong::new(format!("{name}: {}", chain(&error))).hint(error.hint()))
    };
    for (spec, origin) in layers.many_with_origin(key, parse) {
        specs.retain(|(known, _)| known.name() != spec.name());
        specs.push((spec, origin));
    }
    specs
}

/// Says that a credential's variable is set by `other` too.
pub(super) fn set_twice(
    layers: &mut Layers<'_>,
    key: &key::Key,
    origin: Origin,
    spec: &CredentialSpec,
    other: &key::Key,
) {
    let wrong = Wrong::new(format!("{} is also set by {}", spec.name(), other.flag()));
    layers.problems.push(wrong.hint("remove one of the two").with(key, origin));
}

/// `NAME=VALUE`; the message never repeats the value.
fn pair(text: &str) -> Result<(String, String), Wrong> {
    let hint = "write NAME=VALUE, where NAME is letters, digits and underscores";
    let Some((name, value)) = text.split_once('=') else {
        return Err(Wrong::new("there is no = after the name").hint(hint));
    };
    if !is_variable(name) {
        return Err(Wrong::new("the part before = is not the name of a variable").hint(hint));
    }
    if value.contains('\0') {
        return Err(Wrong::new(format!("the value of {name} holds a zero byte")).hint(hint));
    }
    Ok((name.to_owned(), value.to_owned()))
}
