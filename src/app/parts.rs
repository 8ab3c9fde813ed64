//! The parts that both modes build alike, from the groups of configuration that they share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::run::{Error, News};
use crate::config::{Audit, AuditDurability, Child, ChildEra, ChildScope, Http, LegacySse};
use crate::gate::{self, Gate, Launcher, PoolSettings, Trace};
use crate::limits::Accounts;
use crate::mcp::{Era, Raw};
use crate::policy::Policy;
use crate::server::EraChoice;
use crate::shutdown::Shutdown;
use crate::{audit, client, http, process};

/// Calls that one child works on at a time.
const MOST_IN_FLIGHT: usize = 4096;
const MOST_SESSIONS: usize = 1024;
const FEWEST_CONNECTIONS: usize = 64;
const MOST_CONNECTIONS: usize = 16 * 1024;
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(15);
/// Longer than the idle connections of the proxies that people use, which must not find ours closed.
const CONNECTION_SILENCE: Duration = Duration::from_secs(75);

/// Who may connect.
#[derive(Clone, Copy)]
pub(super) enum Callers {
    /// One, with all his clients.
    Developer,
    /// Many, among them whoever wants to keep the others out.
    Users,
}

/// How many children there may be.
#[derive(Clone, Copy)]
pub(super) struct Children {
    pub(super) of_all: usize,
    pub(super) of_one: usize,
    /// That start at the same time.
    pub(super) starting: usize,
}

/// The way to the children, with what both modes have alike behind it.
pub(super) fn gate(
    launcher: Launcher,
    child: &Child,
    pool: PoolSettings,
    audit: audit::Log,
    shutdown: &Shutdown,
) -> Gate {
    Gate::new(gate::Parts {
        launcher,
        pool,
        policy: Policy::WholeServer,
        audit,
        call_timeout: child.call_timeout,
        shutdown: shutdown.clone(),
    })
}

pub(super) fn pool(
    child: &Child,
    roots: &[PathBuf],
    trace: Trace,
    most: Children,
    grace: Duration,
    accounts: &Arc<Accounts>,
) -> PoolSettings {
    let roots = (!roots.is_empty()).then(|| {
        let uris = roots.iter().filter_map(|path| {
            let path = std::path::absolute(path).ok()?;
            let url = url::Url::from_file_path(path).ok()?;
            Some(serde_json::json!({ "uri": url.as_str() }))
        });
        Raw::of(&serde_json::json!({ "roots": uris.collect::<Vec<_>>() }))
    });
    PoolSettings {
        era: match child.era {
            ChildEra::Auto => EraChoice::Probe,
            ChildEra::Legacy => EraChoice::Known(Era::Legacy),
            ChildEra::Modern => EraChoice::Known(Era::Modern),
        },
        start_timeout: child.start_timeout,
        start_wait: child.start_wait,
        most_starts: most.starting,
        hold_limit: child.hold_limit,
        idle: child.idle,
        grace,
        most_in_flight: MOST_IN_FLIGHT,
        accounts: Arc::clone(accounts),
        roots,
        trace,
        most_children: most.of_all,
        most_children_per_user: most.of_one,
    }
}

pub(super) fn client(path: &str, child: &Child, http: &Http) -> client::Settings {
    client::Settings {
        path: path.to_owned(),
        keep_alive: http.keep_alive,
        session_idle: http.session_idle,
        most_sessions: MOST_SESSIONS,
        suspended_for: http.sealed_ttl,
        scope: match child.scope {
            ChildScope::User => client::ChildScope::User,
            ChildScope::Session => client::ChildScope::Session,
        },
        legacy_sse: match http.legacy_sse {
            LegacySse::Off => client::LegacySse::Off,
            LegacySse::On => client::LegacySse::Served,
        },
    }
}

/// Where clients of HTTP+SSE look by custom, beside the endpoint's own path: `/sse` for `/mcp`.
pub(super) fn sse_path(path: &str, http: &Http) -> Option<String> {
    let beside = path.rsplit_once('/').map(|(family, _)| format!("{family}/sse"));
    beside.filter(|sse| http.legacy_sse == LegacySse::On && sse != path)
}

/// Says where HTTP+SSE is served, where it is.
pub(super) fn tell_of_sse(url: &str, path: &str, http: &Http) -> Option<News> {
    if http.legacy_sse == LegacySse::Off {
        return None;
    }
    let base = url.strip_suffix(path).unwrap_or(url);
    let beside = sse_path(path, http).map_or_else(String::new, |sse| format!(" and {base}{sse}"));
    Some(News::AlsoListening { text: format!("HTTP+SSE of 2024-11-05 is served at {url}{beside}") })
}

/// What connections may use: half of the descriptors are for clients, the other half for children.
pub(super) fn connections(http: &Http, callers: Callers) -> http::Limits {
    let most = (process::raise_open_files() / 2).clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS);
    http::Limits {
        most,
        most_of_one: match callers {
            Callers::Developer => most,
            Callers::Users => most / 4,
        },
        first: FIRST_HEAD_WITHIN,
        idle: CONNECTION_SILENCE.max(2 * http.keep_alive),
    }
}

pub(super) fn audit(
    audit: &Audit,
    durability: AuditDurability,
    shutdown: &Shutdown,
) -> Result<audit::Log, Error> {
    let durability = match durability {
        AuditDurability::Written => audit::Durability::Written,
        AuditDurability::Synced => audit::Durability::Synced,
    };
    Ok(match audit {
        Audit::Off => audit::Log::off(),
        Audit::Stderr => audit::Log::open("-".as_ref(), durability, shutdown)?,
        Audit::File(path) => audit::Log::open(path, durability, shutdown)?,
    })
}
