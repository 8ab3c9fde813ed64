//! `mcpwrap serve`: every request is somebody, every user has his own child, his own credential, his own walls.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use url::Url;

use super::run::{Error, Fault, News, bind, chain, until_stopped};
use super::{callers, parts, walls};
use crate::audit::{self, Refusals};
use crate::auth::{self, Authenticator, Clock, Verifier, metadata};
use crate::bridge::{Launcher, Place, Pool, Stranger, Trace};
use crate::client::{Front, Parts};
use crate::config::{Claim, PublicUrl, Serve};
use crate::credentials::{
    Backends, CredentialSpec, Delivery, Facts, SharedWatch, Sources, Template, Vault,
    VaultSettings, check_env, check_per_user,
};
use crate::http::{Allowed, Challenge, Endpoint, Metadata, Proxies};
use crate::outbound;
use crate::policy::Policy;
use crate::process::leftovers;
use crate::process::{Deadlines, Program, Spawner};
use crate::redact::Redactor;
use crate::seal::Keyring;
use crate::shutdown::Shutdown;
use crate::store::{Store, keys::KeySource};

/// Serves until a signal.
///
/// # Errors
/// See [`Error`].
pub fn serve(config: Serve, tell: impl Fn(News) + Send + Sync + 'static) -> Result<(), Error> {
    runtime()?.block_on(async move {
        let shutdown = Shutdown::new();
        let built = build(&config, &shutdown, &outbound_client()?).await;
        // What was begun for a configuration that turned out to be wrong ends as planned, not as a fault.
        let built = built.inspect_err(|_| shutdown.finish())?;
        for news in built.news {
            tell(news);
        }
        tell(News::Listening { url: built.url, moved_from: built.moved_from });
        until_stopped(built.listener, built.endpoint, built.pool, shutdown, &tell).await
    })
}

/// Builds everything that `serve` needs, asks the identity providers for their keys, and takes it down again.
///
/// # Errors
/// What users would run into.
pub fn check(config: Serve, tell: impl Fn(News) + Send + Sync + 'static) -> Result<(), Error> {
    runtime()?.block_on(async move {
        let shutdown = Shutdown::new();
        let built = build(&config, &shutdown, &outbound_client()?).await;
        // What was begun for a configuration that turned out to be wrong ends as planned, not as a fault.
        let built = built.inspect_err(|_| shutdown.finish())?;
        for news in built.news {
            tell(news);
        }
        let mut faults = Vec::new();
        for issuer in built.verifier.warm_up().await {
            if issuer.keys == 0 {
                faults.push(Fault {
                    option: "oidc".to_owned(),
                    message: format!("no keys could be fetched from {}", issuer.name),
                    hint: "the log above says why; tokens cannot be verified without them"
                        .to_owned(),
                });
            }
        }
        drop(built.listener);
        shutdown.finish();
        built.pool.close().await;
        drop((built.pool, built.endpoint));
        shutdown.finished().await;
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Faults { faults, origins: config.origins })
        }
    })
}

/// Everything that serves, ready to run.
pub(crate) struct Built {
    pub(crate) url: String,
    pub(crate) moved_from: Option<u16>,
    pub(crate) listener: TcpListener,
    pub(crate) endpoint: Endpoint,
    pub(crate) pool: Pool,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) news: Vec<News>,
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::Runtime { cause })
}

pub(crate) fn outbound_client() -> Result<outbound::Client, Error> {
    outbound::Client::new().map_err(|cause| Error::Outbound { cause })
}

/// Puts everything together; whatever is wrong with the configuration is said at once.
pub(crate) async fn build(
    config: &Serve,
    shutdown: &Shutdown,
    outbound: &outbound::Client,
) -> Result<Built, Error> {
    let mut faults = not_yet(config);
    let specs = sources(config, &mut faults)?;
    let env = environment(config, &mut faults);
    let spawner = Spawner::new(Program::Own, Deadlines::default())?;
    let walls = walls::choose(config, &spawner, &mut faults).await?;
    let (listener, moved_from) = bind(config.listen).await?;
    let address = listener.local_addr().map_err(|cause| Error::Runtime { cause })?;
    let local = format!("http://{address}{}", config.endpoint_path);
    let public = match &config.public_url {
        PublicUrl::Given(url) => url.to_string(),
        PublicUrl::FromListen => local.clone(),
    };
    let settings = callers::settings(config, &public, &mut faults);
    let verifier = match &settings {
        Some(settings) => {
            match Verifier::start(settings.clone(), outbound, Clock::system(), shutdown) {
                Ok(verifier) => Some(verifier),
                Err(problems) => {
                    faults.extend(problems.into_iter().map(fault_of));
                    None
                }
            }
        }
        None => None,
    };
    let (Some(settings), Some(verifier), true) = (settings, verifier, faults.is_empty()) else {
        return Err(Error::Faults { faults, origins: config.origins.clone() });
    };
    let mut news: Vec<News> = Vec::new();
    news.extend(settings.cautions().into_iter().map(|c| News::Caution { text: c.message }));
    news.extend(walls.open.iter().map(|text| News::Caution { text: (*text).to_owned() }));
    let sources = credentials(config, specs, shutdown).await?;
    let allowed = allowed(config, &public)?;
    let audit = parts::audit(&config.audit, shutdown)?;
    let launcher = launcher(config, spawner, sources, env, walls)?;
    let pool = pool(config, launcher, audit.clone(), shutdown);
    let refusals = Refusals::new(audit.clone(), shutdown);
    let front = Front::new(Parts {
        pool: pool.clone(),
        policy: Policy::WholeServer,
        audit,
        keyring: Keyring::load_or_create(&config.state_dir)?,
        settings: parts::client(&config.endpoint_path, &config.child, &config.http),
        shutdown: shutdown.clone(),
    });
    let public_url = Url::parse(&public).map_err(|cause| Error::PublicUrl { cause })?;
    let document = metadata::protected_resource(&public, &settings, &config.name);
    let endpoint = Endpoint {
        path: config.endpoint_path.clone(),
        allowed,
        authenticator: Authenticator::Oidc(Arc::clone(&verifier)),
        challenge: Some(Challenge {
            metadata_url: metadata::document_url(&public_url),
            scopes: metadata::challenge_scopes(&settings),
        }),
        metadata: Some(Metadata {
            paths: metadata::well_known_paths(&public_url),
            document: document.to_string().into(),
        }),
        front,
        max_body: config.http.max_body,
        keep_alive: config.http.keep_alive,
        limits: parts::connections(&config.http),
        proxies: Proxies::new(&config.auth.trusted_proxies),
        refusals,
    };
    Ok(Built { url: local, moved_from, listener, endpoint, pool, verifier, news })
}

/// What this version does not do is refused, not ignored.
fn not_yet(config: &Serve) -> Vec<Fault> {
    let later = |option: &str, given: bool| {
        given.then(|| Fault {
            option: option.to_owned(),
            message: "is not part of this version".to_owned(),
            hint: format!("leave --{option} out"),
        })
    };
    let mut faults: Vec<Fault> = [
        later("policy", config.policy.is_some()),
        later("rate-limit", config.limits.rate.is_some()),
        later("admin-listen", config.admin_listen.is_some()),
        later("tls-cert", config.tls.is_some()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let open = !config.listen.addr.ip().is_loopback();
    if open && config.auth.trusted_proxies.is_empty() {
        faults.push(Fault {
            option: "listen".to_owned(),
            message: format!(
                "{} is not loopback, and tokens would travel unencrypted",
                config.listen.addr
            ),
            hint: "put a proxy that speaks TLS in front and name it with --trusted-proxy"
                .to_owned(),
        });
    }
    faults
}

fn sources(config: &Serve, faults: &mut Vec<Fault>) -> Result<Vec<CredentialSpec>, Error> {
    let mut specs = Vec::new();
    for (named, delivery) in
        [(&config.child.credentials, Delivery::Env), (&config.credentials.files, Delivery::File)]
    {
        match parts::specs(named, delivery, &config.origins) {
            Ok(read) => specs.extend(read),
            Err(Error::Faults { faults: found, .. }) => faults.extend(found),
            Err(error) => return Err(error),
        }
    }
    let tenant_claim = matches!(config.auth.tenant_claim, Claim::Named(_))
        || config.auth.issuers.iter().any(|issuer| issuer.idp.rules().tenant_claim.is_some());
    let facts =
        Facts { issuers: config.auth.issuers.len(), tenant_claim, machines: config.auth.machines };
    let shared = check_per_user(&specs, &facts, &config.credentials.shared);
    faults.extend(shared.into_iter().map(|problem| {
        // The option comes with the credential's name, which belongs to the message here.
        let (flag, name) = problem.option.split_once(' ').unwrap_or((&problem.option, ""));
        Fault {
            option: flag.trim_start_matches('-').to_owned(),
            message: format!("{name}: {}", problem.message),
            hint: problem.hint,
        }
    }));
    Ok(specs)
}

fn environment(config: &Serve, faults: &mut Vec<Fault>) -> Vec<(String, Template)> {
    let mut env = Vec::new();
    for (name, value) in &config.child.env {
        match Template::parse(value) {
            Ok(template) => env.push((name.clone(), template)),
            Err(error) => faults.push(Fault {
                option: "env".to_owned(),
                message: format!("{name}: {}", chain(&error)),
                hint: "write {user}, {sub}, {iss}, {tenant}, {tenant_id}, {email} or {claim:NAME}"
                    .to_owned(),
            }),
        }
    }
    let literal = check_env(&env, &config.credentials.shared);
    faults.extend(literal.into_iter().map(|problem| Fault {
        option: "env".to_owned(),
        message: format!("{}: {}", problem.option, problem.message),
        hint: problem.hint,
    }));
    env
}

async fn credentials(
    config: &Serve,
    specs: Vec<CredentialSpec>,
    shutdown: &Shutdown,
) -> Result<Sources, Error> {
    let vault = match specs.iter().any(CredentialSpec::needs_vault) {
        false => None,
        true => {
            let settings = VaultSettings::from_env(|name| std::env::var(name).ok())
                .map_err(|cause| Error::VaultSettings { cause })?;
            let vault = Vault::new(settings).map_err(|cause| Error::Vault { cause })?;
            let (upkeep, stop) = (vault.clone().upkeep(), shutdown.clone());
            shutdown.spawn("renew the vault's token", async move {
                tokio::select! {
                    () = upkeep => {}
                    () = stop.finishing() => {}
                }
            });
            Some(vault)
        }
    };
    let store = match specs.iter().any(CredentialSpec::needs_store) {
        false => None,
        true => Some(
            open_store(config.state_dir.clone(), config.credentials.master_key.as_deref()).await?,
        ),
    };
    let watch =
        SharedWatch::new(&config.credentials.shared).map_err(|cause| Error::Watching { cause })?;
    Sources::new(specs, Backends { vault, store }, watch).map_err(|cause| Error::Sources { cause })
}

/// Opens the embedded store with its master key.
pub(crate) async fn open_store(
    state_dir: PathBuf,
    master_key: Option<&str>,
) -> Result<Store, Error> {
    let keyring = match master_key {
        None => Keyring::load_or_create(&state_dir)?,
        Some(source) => {
            let source = KeySource::parse(source).map_err(|cause| Error::MasterKey { cause })?;
            source.load().await.map_err(|cause| Error::MasterKey { cause })?
        }
    };
    let path = state_dir.join("store.sqlite");
    let opened = tokio::task::spawn_blocking(move || Store::open(&path, keyring)).await;
    match opened {
        Ok(store) => store.map_err(|cause| Error::Store { cause }),
        Err(_) => Err(Error::Part),
    }
}

fn launcher(
    config: &Serve,
    spawner: Spawner,
    sources: Sources,
    env: Vec<(String, Template)>,
    walls: walls::Chosen,
) -> Result<Launcher, Error> {
    let in_use = leftovers::sweep(&config.state_dir)
        .map_err(|cause| Error::StateDir { path: config.state_dir.clone(), cause })?;
    let walls::Chosen { form, uids, command, .. } = walls;
    let state_dir = config.state_dir.clone();
    let stranger = Stranger::new(state_dir, env, form, uids, command.trees, in_use);
    Ok(Launcher {
        spawner,
        program: command.program.into(),
        args: command.args,
        cwd: config.child.cwd.clone(),
        name: config.name.clone(),
        max_line: config.child.max_line,
        sources,
        redactor: Redactor::new(),
        place: Place::Stranger(Arc::new(stranger)),
    })
}

fn pool(config: &Serve, launcher: Launcher, audit: audit::Log, shutdown: &Shutdown) -> Pool {
    let most = parts::Children {
        of_all: config.limits.max_children,
        of_one: config.limits.max_children_per_user,
    };
    let settings = parts::pool(&config.child, &config.roots, Trace::Off, most, audit);
    Pool::new(launcher, settings, shutdown)
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

fn fault_of(problem: auth::Problem) -> Fault {
    Fault { option: problem.option.to_owned(), message: problem.message, hint: problem.hint }
}
