//! `mcpwrap dev`: one developer, loopback, the developer's own environment.

use std::sync::Arc;
use std::time::Duration;

use super::parts::{self, Callers};
use super::run::{Error, News, bind, until_stopped};
use super::runtime::runtime;
use super::watch::Watch;
use crate::audit;
use crate::auth::{Authenticator, Principal};
use crate::client::{Context, Front};
use crate::config::{self, Dev};
use crate::credentials::{Backends, SharedWatch, Sources};
use crate::gate::{Confinement, Gate, Launcher, Outcome, Trace};
use crate::http::{Allowed, Endpoint, Proxies, Routes};
use crate::limits::Accounts;
use crate::mcp::{Object, Raw};
use crate::process::{Deadlines, Environment, Program, Spawner};
use crate::redact::Redactor;
use crate::seal::Keyring;
use crate::server::Hello;
use crate::shutdown::Shutdown;

/// One developer's clients; with a child for each session there may be many.
const MOST: parts::Children = parts::Children { of_all: 256, of_one: 256, starting: 8 };
/// A developer who stops the server does not want to wait.
const DEADLINES: Deadlines = Deadlines {
    start: Deadlines::START,
    close: Duration::from_secs(1),
    term: Duration::from_secs(2),
    kill: Deadlines::KILL,
};

/// Serves one developer until a signal.
///
/// # Errors
/// See [`Error`].
pub fn dev(config: Dev, tell: impl Fn(News) + Send + Sync + 'static) -> Result<(), Error> {
    runtime(config.threads)?.block_on(run(config, Arc::new(tell)))
}

async fn run(config: Dev, tell: Arc<impl Fn(News) + Send + Sync + 'static>) -> Result<(), Error> {
    let shutdown = Shutdown::new();
    let allowed = Allowed::new(&config.http.allowed_hosts, &config.http.allowed_origins)?;
    let audit = parts::audit(&config.audit, config.audit_durability, &shutdown)?;
    let keyring = match &config.state_dir {
        Some(dir) => Keyring::load_or_create(dir)?,
        None => Keyring::ephemeral()?,
    };
    let refusals = audit::Refusals::new(audit.clone(), &shutdown);
    let mut watch = Watch::over(&config.watch)?;
    let accounts = Arc::new(Accounts::of_one(config.http.memory));
    let (child, trace) = (&config.child, trace(&config));
    let pool = parts::pool(child, &config.roots, trace, MOST, config.grace, &accounts);
    let gate = parts::gate(launcher(&config)?, &config.child, pool, audit, &shutdown);
    let (listener, moved_from) = bind(config.listen).await?;
    let address = listener.local_addr().map_err(|cause| Error::Runtime { cause })?;
    let url = format!("http://{address}{}", config.endpoint_path);
    let further = parts::tell_of_sse(&url, &config.endpoint_path, &config.http);
    tell(News::Listening { url, moved_from });
    further.map(&*tell);
    let front = Front::new(Context {
        gate: gate.clone(),
        keyring,
        accounts,
        settings: parts::client(&config.endpoint_path, &config.child, &config.http),
        shutdown: shutdown.clone(),
    });
    let endpoint = Endpoint {
        routes: Routes {
            mcp: config.endpoint_path.clone(),
            sse: parts::sse_path(&config.endpoint_path, &config.http),
            metadata: None,
            server_metadata: Vec::new(),
        },
        allowed,
        authenticator: Authenticator::Local,
        challenge: None,
        front,
        max_body: config.http.max_body,
        keep_alive: config.http.keep_alive,
        proxies: Proxies::default(),
        refusals,
    };
    let (warm_gate, warm_tell) = (gate.clone(), Arc::clone(&tell));
    shutdown.spawn_work(async move { warm_tell(warm(&warm_gate).await) });
    let (restart_gate, restart_tell) = (gate.clone(), Arc::clone(&tell));
    let stopping = shutdown.clone();
    shutdown.spawn("restart on changes", async move {
        loop {
            tokio::select! {
                () = stopping.finishing() => return,
                () = watch.changed() => {
                    restart_tell(News::Restarting);
                    restart_gate.replace_all().await;
                }
            }
        }
    });
    let listeners =
        vec![endpoint.listen_on(listener, parts::connections(&config.http, Callers::Developer))];
    until_stopped(listeners, gate, shutdown, config.grace, &*tell).await
}

/// Starts the child before anybody calls, and says what it is.
async fn warm(gate: &Gate) -> News {
    match gate.warm(&Arc::new(Principal::local())).await {
        Ok((hello, tools)) => introduced(&hello, tools),
        Err(why) => News::NotStarted { why: why.error.message },
    }
}

fn introduced(hello: &Hello, tools: Outcome) -> News {
    let names = |result: Raw| {
        let list = Object::parse(&result).ok()?.get("tools")?;
        let tools: Vec<serde_json::Value> = list.read().ok()?;
        Some(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
    };
    let tools = match tools {
        Outcome::Result(result) => names(result).unwrap_or_default(),
        _ => Vec::new(),
    };
    News::Introduced { title: hello.title(), version: hello.version.as_str(), tools }
}

fn launcher(config: &Dev) -> Result<Launcher, Error> {
    let child = &config.child;
    let mut env = Environment::inherited();
    for (name, value) in &child.env {
        env.set(name, value.clone());
    }
    let watch = SharedWatch::new(&[]).map_err(|cause| Error::Watching { cause })?;
    let sources = Sources::new(child.credentials.clone(), Backends::default(), watch)
        .map_err(|cause| Error::Sources { cause })?;
    let mut argv = child.argv.iter().cloned();
    Ok(Launcher {
        spawner: Spawner::new(Program::Own, DEADLINES)?,
        program: argv.next().unwrap_or_default(),
        args: argv.collect(),
        cwd: child.cwd.clone(),
        name: config.name.clone(),
        max_line: child.max_line,
        sources,
        redactor: Redactor::new(),
        confinement: Confinement::Developer { env },
    })
}

fn trace(config: &Dev) -> Trace {
    match config.trace {
        config::Trace::Off => Trace::Off,
        config::Trace::Lines => Trace::Lines,
        config::Trace::Full => Trace::Full,
    }
}
