//! `mcpwrap serve`: every request is somebody, every user has his own child, his own credential, his own walls.

use std::sync::Arc;

use url::Url;

use super::outbound_client::outbound_client;
use super::parts::{self, Callers};
use super::proxy_cautions::Asks;
use super::run::{Error, News, bind, until_stopped};
use super::runtime::runtime;
use super::{callers, proxy_cautions, shown, sources, walls};
use crate::audit::{self, Refusals};
use crate::auth::{Authenticator, Clock, IssuerStatus, Verifier, metadata};
use crate::client::{Context, Front};
use crate::config::{self, Audit, PublicUrl, Serve};
use crate::credentials::{Sources, Template};
use crate::gate::{Confinement, Gate, HomeLimit, HomeScope, Homes, Isolated, Launcher, Trace};
use crate::http::{Allowed, Challenge, Endpoint, Listener, Metadata, Proxies, Routes};
use crate::limits::Accounts;
use crate::outbound;
use crate::private_file::Place;
use crate::problem::{Problem, chain};
use crate::process::{Deadlines, Program, Spawner, leftovers};
use crate::redact::Redactor;
use crate::seal::Keyring;
use crate::shutdown::Shutdown;

/// So many of a provider's scopes are named to the operator, and none that is longer; some have hundreds.
const SCOPES_SHOWN: usize = 8;
const SCOPE_SHOWN: usize = 64;

/// Serves until a signal.
///
/// # Errors
/// See [`Error`].
pub fn serve(config: Serve, tell: impl Fn(News) + Send + Sync + 'static) -> Result<(), Error> {
    runtime(config.threads)?.block_on(async move {
        let shutdown = Shutdown::new();
        let built = build(&config, &shutdown, &outbound_client(config.ca_file.as_deref())?).await;
        // What was begun for a configuration that turned out to be wrong ends as planned, not as a fault.
        let built = built.inspect_err(|_| shutdown.finish())?;
        for news in built.news {
            tell(news);
        }
        // Whoever comes meanwhile waits in the system's queue.
        built.gate.probe().await;
        let further = parts::tell_of_sse(&built.url, &config.endpoint_path, &config.http);
        tell(News::Listening { url: built.url, moved_from: built.moved_from });
        further.map(&tell);
        until_stopped(built.listeners, built.gate, shutdown, config.grace, &tell).await
    })
}

/// Builds everything that `serve` needs, asks the identity providers for their keys, and takes it down again.
///
/// # Errors
/// What users would run into.
pub fn check(config: Serve, tell: impl Fn(News) + Send + Sync + 'static) -> Result<(), Error> {
    runtime(config.threads)?.block_on(async move {
        let shutdown = Shutdown::new();
        let built = build(&config, &shutdown, &outbound_client(config.ca_file.as_deref())?).await;
        // What was begun for a configuration that turned out to be wrong ends as planned, not as a fault.
        let built = built.inspect_err(|_| shutdown.finish())?;
        for news in built.news {
            tell(news);
        }
        let mut problems = Vec::new();
        let offers = !metadata::challenge_scopes(built.verifier.settings()).is_empty();
        for issuer in built.verifier.warm_up().await {
            if !offers && !issuer.scopes.is_empty() {
                tell(News::Caution { text: no_scope(&issuer) });
            }
            if issuer.keys == 0 {
                problems.push(Problem::new(
                    "oidc",
                    format!("no keys could be fetched from {}", issuer.name),
                    "the log above says why; tokens cannot be verified without them",
                ));
            }
        }
        shutdown.finish();
        built.gate.close().await;
        drop((built.gate, built.listeners));
        shutdown.finished().await;
        if problems.is_empty() {
            tell(News::Shown { lines: built.shown });
            Ok(())
        } else {
            Err(Error::problems(problems, &config.origins))
        }
    })
}

/// Everything that serves, ready to run.
pub(crate) struct Built {
    pub(crate) url: String,
    pub(crate) moved_from: Option<u16>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) gate: Gate,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) news: Vec<News>,
    /// What a child sees of the file system, and what it does not.
    pub(crate) shown: Vec<String>,
}

/// Puts everything together; whatever is wrong with the configuration is said at once.
pub(crate) async fn build(
    config: &Serve,
    shutdown: &Shutdown,
    outbound: &outbound::Client,
) -> Result<Built, Error> {
    let mut problems = Vec::from_iter(check_exposure(config));
    for issuer in config.auth.issuers.iter().filter_map(|issuer| Url::parse(&issuer.id).ok()) {
        outbound.prepare(&issuer).map_err(|cause| Error::Outbound { cause })?;
    }
    let specs = sources::specs(config, &mut problems);
    let env = environment(config, &mut problems);
    let spawner = Spawner::new(Program::Own, Deadlines::default())?;
    let walls = walls::choose(config, &spawner, &mut problems).await?;
    let (listener, moved_from) = bind(config.listen).await?;
    let address = listener.local_addr().map_err(|cause| Error::Runtime { cause })?;
    let local = format!("http://{address}{}", config.endpoint_path);
    let public = match &config.public_url {
        PublicUrl::Given(url) => url.to_string(),
        PublicUrl::FromListen => local.clone(),
    };
    let settings = callers::settings(config, &public, &mut problems);
    let verifier = match &settings {
        Some(settings) => {
            match Verifier::start(settings.clone(), outbound, Clock::system(), shutdown) {
                Ok(verifier) => Some(verifier),
                Err(found) => {
                    problems.extend(found);
                    None
                }
            }
        }
        None => None,
    };
    let (Some(settings), Some(verifier), true) = (settings, verifier, problems.is_empty()) else {
        return Err(Error::problems(problems, &config.origins));
    };
    let mut news: Vec<News> = Vec::new();
    news.extend(settings.cautions().into_iter().map(|c| News::Caution { text: c.what }));
    news.extend(walls.cautions.iter().map(|text| News::Caution { text: text.clone() }));
    let audit = parts::audit(&config.audit, config.audit_durability, shutdown)?;
    let sources = sources::open(config, specs, &audit, outbound, shutdown).await?;
    let allowed = allowed(config, &public)?;
    let shown = shown::listed(&walls.shown, walls.form);
    let launcher = launcher(config, spawner, sources, env, walls, shutdown)?;
    let refusals = Refusals::new(audit.clone(), shutdown);
    verifier.count_at(&refusals);
    let accounts = accounts(config);
    let gate = gate(config, launcher, &accounts, audit, shutdown);
    let front = Front::new(Context {
        gate: gate.clone(),
        keyring: Keyring::load_or_create(&config.state_dir)?,
        accounts,
        settings: parts::client(&config.endpoint_path, &config.child, &config.http),
        shutdown: shutdown.clone(),
    });
    let public_url = Url::parse(&public).map_err(|cause| Error::PublicUrl { cause })?;
    let document = metadata::protected_resource(&public, &settings, &config.name);
    let endpoint = Endpoint {
        routes: Routes {
            mcp: config.endpoint_path.clone(),
            sse: parts::sse_path(&config.endpoint_path, &config.http),
            metadata: Some(Metadata {
                paths: metadata::well_known_paths(&public_url),
                document: document.to_string().into(),
            }),
            server_metadata: metadata::server_metadata_paths(&public_url, &settings),
        },
        allowed,
        authenticator: Authenticator::Oidc(Arc::clone(&verifier)),
        challenge: Some(Challenge {
            metadata_url: metadata::document_url(&public_url),
            scopes: metadata::challenge_scopes(&settings),
        }),
        front,
        max_body: config.http.max_body,
        keep_alive: config.http.keep_alive,
        proxies: Proxies::new(&config.auth.trusted_proxies),
        refusals,
    };
    let asks = if verifier.asks_about_opaque() { Asks::Issuer } else { Asks::Nobody };
    let cautions = audit_beside_homes(config).into_iter().chain(proxy_cautions::of(config, asks));
    news.extend(cautions.map(|text| News::Caution { text }));
    let listeners =
        vec![endpoint.listen_on(listener, parts::connections(&config.http, Callers::Users))];
    Ok(Built { url: local, moved_from, listeners, gate, verifier, news, shown })
}

/// Clients ask for what our metadata name, and a provider with scopes may deny a log-in that asks for none.
fn no_scope(issuer: &IssuerStatus) -> String {
    let short = issuer.scopes.iter().filter(|scope| scope.len() <= SCOPE_SHOWN);
    let some: Vec<&str> = short.take(SCOPES_SHOWN).map(String::as_str).collect();
    let (name, some) = (&issuer.name, some.join(", "));
    format!(
        "{name} has scopes ({some}), and clients are told of none; where it denies log-ins that ask for none, add --offer-scope SCOPE"
    )
}

/// Where a child could stop everybody, by filling the disk that the audit log needs.
fn audit_beside_homes(config: &Serve) -> Option<String> {
    let Audit::File(log) = &config.audit else { return None };
    let about = std::fs::metadata(log).ok().filter(std::fs::Metadata::is_file)?;
    let homes = std::fs::metadata(&config.state_dir).ok()?;
    Place::of(&about).shares_disk_with(&Place::of(&homes)).then(|| {
        format!(
            "{} is on the same filesystem as the homes of children in {}: a child that fills it stops all calls; \
             put the audit log on a filesystem of its own",
            log.display(),
            config.state_dir.display()
        )
    })
}

/// Where tokens would travel unencrypted.
fn check_exposure(config: &Serve) -> Option<Problem> {
    let open = !config.listen.addr.ip().is_loopback();
    (open && config.auth.trusted_proxies.is_empty()).then(|| {
        Problem::new(
            "listen",
            format!("{} is not loopback, and tokens would travel unencrypted", config.listen.addr),
            "put a proxy that speaks TLS in front and name it with --trusted-proxy",
        )
    })
}

fn environment(config: &Serve, problems: &mut Vec<Problem>) -> Vec<(String, Template)> {
    let mut env = Vec::new();
    for (name, value) in &config.child.env {
        match Template::parse(value) {
            Ok(template) => env.push((name.clone(), template)),
            Err(error) => {
                let hint =
                    "write {user}, {sub}, {iss}, {tenant}, {tenant_id}, {email} or {claim:NAME}";
                problems.push(Problem::new("env", format!("{name}: {}", chain(&error)), hint));
            }
        }
    }
    env
}

fn launcher(
    config: &Serve,
    spawner: Spawner,
    sources: Sources,
    env: Vec<(String, Template)>,
    walls: walls::Chosen,
    shutdown: &Shutdown,
) -> Result<Launcher, Error> {
    let in_use = leftovers::sweep(&config.state_dir)
        .map_err(|cause| Error::StateDir { path: config.state_dir.clone(), cause })?;
    let walls::Chosen { form, uids, command, shown, .. } = walls;
    let scope = match config.isolation.home_scope {
        config::HomeScope::Authority => HomeScope::Authority,
        config::HomeScope::User => HomeScope::User,
    };
    let state_dir = config.state_dir.clone();
    let limit = HomeLimit::new(state_dir.clone(), config.isolation.home_size as u64);
    let (watching, stop) = (limit.clone(), shutdown.clone());
    shutdown.spawn("watch the size of homes", async move {
        tokio::select! {
            () = watching.watch() => {}
            () = stop.finishing() => {}
        }
    });
    let homes = Homes { state_dir, scope, limit };
    let isolated = Isolated::new(homes, env, form, uids, shown, in_use);
    Ok(Launcher {
        spawner,
        program: command.program.into(),
        args: command.args,
        cwd: config.child.cwd.clone(),
        name: config.name.clone(),
        max_line: config.child.max_line,
        sources,
        redactor: Redactor::new(),
        confinement: Confinement::Isolated(Arc::new(isolated)),
    })
}

/// What may be held for each user, and for all.
fn accounts(config: &Serve) -> Arc<Accounts> {
    Arc::new(Accounts::of_many(config.http.memory, config.limits.memory_per_user))
}

fn gate(
    config: &Serve,
    launcher: Launcher,
    accounts: &Arc<Accounts>,
    audit: audit::Log,
    shutdown: &Shutdown,
) -> Gate {
    let most = parts::Children {
        of_all: config.limits.max_children,
        of_one: config.limits.max_children_per_user,
        starting: config.limits.max_starts,
    };
    let (child, trace) = (&config.child, Trace::Off);
    let pool = parts::pool(child, &config.roots, trace, most, config.grace, accounts);
    parts::gate(launcher, &config.child, pool, audit, shutdown)
}

/// The names under which clients may address us: the public one, and the one we listen on.
fn allowed(config: &Serve, public: &str) -> Result<Allowed, Error> {
    let mut hosts = config.http.allowed_hosts.clone();
    if let Ok(url) = Url::parse(public)
        && let Some(host) = url.host_str()
    {
        hosts.push(host.to_owned());
    }
    Ok(Allowed::new(&hosts, &config.http.allowed_origins)?)
}
