//! What `mcpwrap dev` needs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::child::{self, Child, CredentialRules};
use super::file::File;
use super::http::{self, Http, Listen};
use super::layers::{Layers, Origins, Typed};
use super::output::{self, Audit, AuditDurability, Trace};
use super::wrong::Wrong;
use super::{key, name, threads, value};
use crate::credentials::Users;
use crate::problem::Problem;
use crate::telemetry;

/// A developer who stops mcpwrap does not want to wait.
const GRACE: Duration = Duration::from_secs(5);

/// One developer, one child, loopback.
#[derive(Clone, Debug, PartialEq)]
pub struct Dev {
    /// Where to listen; loopback.
    pub listen: Listen,
    /// The endpoint's path, like `/mcp`.
    pub endpoint_path: String,
    /// What the server is called in client settings.
    pub name: String,
    /// The wrapped server.
    pub child: Child,
    /// How long calls may go on when mcpwrap or the child is to end.
    pub grace: Duration,
    /// How to speak HTTP.
    pub http: Http,
    /// What is shown of the messages.
    pub trace: Trace,
    /// Files and directories whose change restarts the child; none means never.
    pub watch: Vec<PathBuf>,
    /// Print these settings instead of serving.
    pub print: Option<ClientApp>,
    /// Where audit records go.
    pub audit: Audit,
    /// How durable a record has to be before its call is dispatched.
    pub audit_durability: AuditDurability,
    /// What is logged, and how.
    pub log: telemetry::Settings,
    /// Where to keep state; off means in memory alone.
    pub state_dir: Option<PathBuf>,
    /// How many threads work on calls.
    pub threads: usize,
    /// The answer to a child that asks for its roots outside any call.
    pub roots: Vec<PathBuf>,
    /// Who said what, for faults that are found later.
    pub origins: Origins,
    /// What the operator should know though it works.
    pub warnings: Vec<Problem>,
}

/// A client application whose settings we can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientApp {
    /// `.vscode/mcp.json`
    Vscode,
    /// `.cursor/mcp.json`
    Cursor,
    /// A command line.
    ClaudeCode,
    /// `claude_desktop_config.json`, through `npx mcp-remote`.
    ClaudeDesktop,
    /// The form that most other clients read.
    Json,
}

// === impl ClientApp ===

impl ClientApp {
    /// All of them, with the word that the operator types.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("vscode", Self::Vscode),
        ("cursor", Self::Cursor),
        ("claude-code", Self::ClaudeCode),
        ("claude-desktop", Self::ClaudeDesktop),
        ("json", Self::Json),
    ];
}

// === resolving ===

/// What `dev` needs, from what was typed and the environment.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn dev(typed: &Typed, env: impl Fn(&str) -> Option<OsString>) -> Result<Dev, Vec<Problem>> {
    let mut layers = Layers::new(typed, &env, File::default());
    let rules = CredentialRules { users: Users::One, shared: Vec::new() };
    let child = Child::resolve(&mut layers, &rules);
    let listen = Listen::resolve(&mut layers, http::loopback_only);
    let print = layers.maybe(&key::PRINT_CONFIG, |text| value::choice(text, ClientApp::ALL));
    if print.is_some() && listen.addr.port() == 0 {
        let wrong = Wrong::new("settings need a port, and --listen leaves it open");
        layers.problem(&key::PRINT_CONFIG, wrong.hint("name the port: --listen 127.0.0.1:8808"));
    }
    let dev = Dev {
        listen,
        endpoint_path: http::endpoint_path(&mut layers),
        name: server_name(&mut layers, &child),
        grace: child::grace(&mut layers, GRACE),
        http: Http::resolve(&mut layers),
        trace: output::trace(&mut layers),
        watch: layers.paths(&key::WATCH),
        print,
        audit: output::audit(&mut layers, Audit::Off),
        audit_durability: output::audit_durability(&mut layers),
        log: output::log(&mut layers),
        state_dir: layers.path(&key::STATE_DIR),
        threads: threads::resolve(&mut layers),
        roots: layers.paths(&key::ROOTS),
        origins: layers.origins(key::dev()),
        warnings: std::mem::take(&mut layers.warnings),
        child,
    };
    if layers.problems.is_empty() { Ok(dev) } else { Err(layers.problems) }
}

pub(super) fn server_name(layers: &mut Layers<'_>, child: &Child) -> String {
    let given = layers.maybe(&key::NAME, |text| {
        name::plain(text).ok_or_else(|| Wrong::new(format!("{text:?} holds no letter or digit")))
    });
    given.unwrap_or_else(|| name::from_command(&child.argv))
}
