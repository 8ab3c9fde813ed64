//! What `mcpwrap serve` and `mcpwrap check` need.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::auth::Auth;
use super::child::{self, Child, CredentialRules};
use super::dev::server_name;
use super::file::File;
use super::http::{self, Http, Listen};
use super::layers::{Layers, Origins, Typed};
use super::output::{self, Audit, AuditDurability};
use super::value;
use super::wrong::Wrong;
use super::{key, state, threads};
use crate::credentials::{CredentialSpec, Delivery, Users};
use crate::problem::Problem;
use crate::store::keys::KeySource;
use crate::telemetry;

/// The largest configuration file that we read.
pub const MAX_FILE: usize = 1 << 20;
/// Children in all.
pub(super) const MAX_CHILDREN: usize = 256;
/// What one user may have held for him.
pub(super) const MEMORY_PER_USER: usize = 64 << 20;
/// Children of one user.
pub(super) const MAX_CHILDREN_PER_USER: usize = 4;

/// How long calls may go on when mcpwrap or a child is to end.
pub(super) const GRACE: Duration = Duration::from_secs(30);
/// What a home may use of the disk.
pub(super) const HOME_SIZE: usize = 1 << 30;

/// Many users, each with his own child.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// Where to listen.
    pub listen: Listen,
    /// The endpoint's path, like `/mcp`.
    pub endpoint_path: String,
    /// What clients call the endpoint.
    pub public_url: PublicUrl,
    /// What the server is called in client settings.
    pub name: String,
    /// The wrapped server.
    pub child: Child,
    /// How long calls may go on when mcpwrap or a child is to end.
    pub grace: Duration,
    /// How to speak HTTP.
    pub http: Http,
    /// Who may come in.
    pub auth: Auth,
    /// Further certificate authorities for the provider and the vault.
    pub ca_file: Option<PathBuf>,
    /// Credentials beyond those in the child's environment.
    pub credentials: Credentials,
    /// How many.
    pub limits: Limits,
    /// The walls around a child.
    pub isolation: Isolation,
    /// Where audit records go.
    pub audit: Audit,
    /// How durable a record has to be before its call is dispatched.
    pub audit_durability: AuditDurability,
    /// What is logged, and how.
    pub log: telemetry::Settings,
    /// The file that settings were read from.
    pub file: Option<PathBuf>,
    /// Where to keep state.
    pub state_dir: PathBuf,
    /// How many threads work on calls.
    pub threads: usize,
    /// The answer to a child that asks for its roots outside any call.
    pub roots: Vec<PathBuf>,
    /// Who said what, for faults that are found later.
    pub origins: Origins,
    /// What the operator should know though it works.
    pub warnings: Vec<Problem>,
}

/// What clients call the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicUrl {
    /// The address we listen on, which is loopback.
    FromListen,
    /// This.
    Given(Url),
}

/// Credentials beyond those in the child's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Credentials that are files in the child's home; the variable holds the path.
    pub files: Vec<CredentialSpec>,
    /// Names that the operator declares shared by all users.
    pub shared: Vec<String>,
    /// Where the key of the encrypted store comes from; off means a key file in the state directory.
    pub master_key: Option<KeySource>,
}

/// How many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Children in all.
    pub max_children: usize,
    /// Children of one user.
    pub max_children_per_user: usize,
    /// Children that start at the same time.
    pub max_starts: usize,
    /// Bytes that may be held for one user.
    pub memory_per_user: usize,
}

/// The walls around a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// How high they must be.
    pub level: IsolationLevel,
    /// User ids to give to children, one for each; off means that all keep ours.
    pub uids: Option<UidRange>,
    /// What children may read beside the system and their program.
    pub readable: Vec<PathBuf>,
    /// What all children may write to beside their homes.
    pub writable: Vec<PathBuf>,
    /// Who shares a home.
    pub home_scope: HomeScope,
    /// How many bytes of the disk a home may use.
    pub home_size: usize,
}

/// Who shares a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeScope {
    /// The children of one user with one authority.
    Authority,
    /// All children of one user.
    User,
}

/// How high the walls must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All of them, or no start.
    Strict,
    /// What the machine offers.
    Basic,
}

/// User ids from first to last, both included; root is never among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidRange {
    /// The first.
    pub first: u32,
    /// The last, not less than the first.
    pub last: u32,
}

/// What `serve` needs, from what was typed, the environment and the file, which `read` reads.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn serve(
    typed: &Typed,
    env: impl Fn(&str) -> Option<OsString>,
    read: impl Fn(&Path) -> io::Result<String>,
) -> Result<Serve, Vec<Problem>> {
    let (file, problems) = file(typed, &env, read);
    let mut layers = Layers::new(typed, &env, file);
    layers.problems = problems;
    let shared = shared(&mut layers);
    let rules = CredentialRules { users: Users::Many, shared: shared.clone() };
    let child = Child::resolve(&mut layers, &rules);
    let listen = Listen::resolve(&mut layers, Ok);
    let serve = Serve {
        listen,
        endpoint_path: http::endpoint_path(&mut layers),
        public_url: public_url(&mut layers, listen),
        name: server_name(&mut layers, &child),
        grace: child::grace(&mut layers, GRACE),
        http: Http::resolve(&mut layers),
        auth: Auth::resolve(&mut layers),
        ca_file: layers.path(&key::CA_FILE),
        credentials: credentials(&mut layers, &rules, &child, shared),
        limits: limits(&mut layers),
        isolation: isolation(&mut layers),
        audit: output::audit(&mut layers, Audit::Stderr),
        audit_durability: output::audit_durability(&mut layers),
        log: output::log(&mut layers),
        file: layers.path(&key::CONFIG),
        state_dir: state::dir(&mut layers),
        threads: threads::resolve(&mut layers),
        roots: layers.paths(&key::ROOTS),
        origins: layers.origins(key::serve()),
        warnings: std::mem::take(&mut layers.warnings),
        child,
    };
    if layers.problems.is_empty() { Ok(serve) } else { Err(layers.problems) }
}

fn file(
    typed: &Typed,
    env: &dyn Fn(&str) -> Option<OsString>,
    read: impl Fn(&Path) -> io::Result<String>,
) -> (File, Vec<Problem>) {
    let mut before = Layers::new(typed, env, File::default());
    let Some(path) = before.path(&key::CONFIG) else {
        return (File::default(), before.problems);
    };
    let wrong = match read(&path) {
        Ok(text) if text.len() <= MAX_FILE => return File::parse(&path, &text),
        Ok(_) => Wrong::new(format!("{} is larger than {MAX_FILE} bytes", path.display())),
        Err(error) => Wrong::new(format!("cannot read {}: {error}", path.display())),
    };
    before.problem(&key::CONFIG, wrong.hint("name a TOML file that this user may read"));
    (File::default(), before.problems)
}

/// The names that the operator declares shared, each said loudly.
fn shared(layers: &mut Layers<'_>) -> Vec<String> {
    let key = &key::ALLOW_SHARED_CREDENTIAL;
    let mut names = Vec::new();
    for (name, origin) in layers.many_with_origin(key, value::word) {
        let wrong = Wrong::new(format!(
            "{name} is the same for all users, who act under one identity with it"
        ));
        let wrong = wrong.hint("give each user his own: a source with {user}");
        layers.warnings.push(wrong.with(key, origin));
        names.push(name);
    }
    names
}

fn public_url(layers: &mut Layers<'_>, listen: Listen) -> PublicUrl {
    if !layers.is_set(&key::PUBLIC_URL) {
        if !listen.addr.ip().is_loopback() {
            let wrong = Wrong::new(format!("clients cannot know what {} is called", listen.addr));
            let hint =
                "write the URL that clients use, like --public-url https://mcp.example.com/mcp";
            layers.problem(&key::PUBLIC_URL, wrong.hint(hint));
        }
        return PublicUrl::FromListen;
    }
    let given = layers.maybe(&key::PUBLIC_URL, value::secure_url);
    given.map_or(PublicUrl::FromListen, PublicUrl::Given)
}

fn credentials(
    layers: &mut Layers<'_>,
    rules: &CredentialRules,
    child: &Child,
    shared: Vec<String>,
) -> Credentials {
    let mut files = Vec::new();
    for (spec, origin) in child::specs(layers, &key::CREDENTIAL_FILE, Delivery::File, rules) {
        if child.credentials.iter().any(|other| other.name() == spec.name()) {
            child::set_twice(layers, &key::CREDENTIAL_FILE, origin, &spec, &key::CREDENTIAL);
        }
        files.push(spec);
    }
    Credentials { files, shared, master_key: state::master_key(layers) }
}

fn limits(layers: &mut Layers<'_>) -> Limits {
    // The others are for whoever is served already.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Limits {
        max_starts: layers.one(&key::MAX_STARTS, (cores / 2).max(1), value::count),
        max_children: layers.one(&key::MAX_CHILDREN, MAX_CHILDREN, value::count),
        max_children_per_user: layers.one(
            &key::MAX_CHILDREN_PER_USER,
            MAX_CHILDREN_PER_USER,
            value::count,
        ),
        memory_per_user: layers.one(&key::MEMORY_PER_USER, MEMORY_PER_USER, value::size),
    }
}

fn isolation(layers: &mut Layers<'_>) -> Isolation {
    let levels = [("strict", IsolationLevel::Strict), ("basic", IsolationLevel::Basic)];
    Isolation {
        level: layers
            .one(&key::ISOLATION, IsolationLevel::Strict, |text| value::choice(text, &levels)),
        uids: layers.maybe(&key::UID_RANGE, uid_range),
        readable: layers.paths(&key::ALLOW_READ),
        writable: layers.paths(&key::ALLOW_WRITE),
        home_scope: home_scope(layers),
        home_size: layers.one(&key::HOME_SIZE, HOME_SIZE, value::size),
    }
}

fn home_scope(layers: &mut Layers<'_>) -> HomeScope {
    let scopes = [("authority", HomeScope::Authority), ("user", HomeScope::User)];
    let key = &key::HOME_SCOPE;
    let scope = layers.one(key, HomeScope::Authority, |text| value::choice(text, &scopes));
    if scope == HomeScope::User {
        let wrong = Wrong::new(
            "a client that may do little can plant files where the same user's child that may do more finds them",
        );
        let wrong =
            wrong.hint("leave it out, unless the server keeps what all of a user's clients need");
        let origin = layers.origin(key);
        layers.warnings.push(wrong.with(key, origin));
    }
    scope
}

fn uid_range(text: &str) -> Result<UidRange, Wrong> {
    let wrong = || {
        Wrong::new(format!("{text:?} is not a range of user ids"))
            .hint("write FIRST-LAST, like 200000-200999")
    };
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let first: u32 = first.trim().parse().map_err(|_| wrong())?;
    let last: u32 = last.trim().parse().map_err(|_| wrong())?;
    // The highest number means "no user" to the kernel.
    if first == 0 || first > last || last == u32::MAX {
        return Err(wrong());
    }
    Ok(UidRange { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_never_in_a_range_of_user_ids() {
        assert_eq!(uid_range("5-5").unwrap(), UidRange { first: 5, last: 5 });
        for text in ["0-5", "5-4", "5", "a-b", "1-4294967295", "-1-5"] {
            assert!(uid_range(text).is_err(), "{text}");
        }
    }
}
