//! Starts the operating-system process of one principal's child: its environment, its credentials, its walls.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::capacity::Permit;
use super::launch_error::LaunchError;
use super::leases::{Lease, Leases};
use crate::auth::Principal;
use crate::credentials::{self, CredentialSet, Delivery, Sources, Template, files};
use crate::mcp::Lines;
use crate::process::leftovers::InUse;
use crate::process::walls::{Form, Identity, Paths, Walls};
use crate::process::{
    ChildCommand, Environment, Exit, ProcessHandle, Spawner, Stdin, environment, home, stderr,
    uids::Uids,
};
use crate::redact::{Learned, Redactor};

/// How children are started: everything but whose they are.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// Starts the processes.
    pub spawner: Spawner,
    /// The program, the same for everybody.
    pub program: OsString,
    /// Its arguments, the same for everybody: no secret and nothing of a caller belongs here.
    pub args: Vec<OsString>,
    /// The working directory; mcpwrap's own, or the child's home, where absent.
    pub cwd: Option<PathBuf>,
    /// How the logs call the children.
    pub name: String,
    /// The longest line a child may write, in bytes.
    pub max_line: usize,
    /// Where credentials come from.
    pub sources: Sources,
    /// Masks them wherever a child's output is shown.
    pub redactor: Redactor,
    /// What a child finds around it.
    pub place: Place,
}

/// What a child finds around it.
#[derive(Clone, Debug)]
pub enum Place {
    /// The developer's own environment.
    Developer {
        /// It.
        env: Environment,
    },
    /// A home and walls for each user.
    Stranger(Arc<Stranger>),
}

/// How strangers live.
#[derive(Debug)]
pub struct Stranger {
    /// Holds the homes.
    state_dir: PathBuf,
    /// What is added to each environment.
    env: Vec<(String, Template)>,
    /// The kind of walls.
    form: Form,
    /// One user id for each, where children get ids of their own.
    uids: Option<Uids>,
    /// What of the file system the program needs beside the system.
    trees: Vec<PathBuf>,
    leases: Leases,
    _in_use: InUse,
}

/// A process and its streams.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) stdin: Stdin,
    pub(super) lines: super::start::ChildLines,
    handle: ProcessHandle,
    tail: stderr::Tail,
    name: String,
    /// What the child holds: while it lives, these values are this user's.
    credentials: CredentialSet,
    redactor: Redactor,
    /// While anything of it may still be shown.
    _masks: Arc<Vec<Learned>>,
    leases: Vec<Lease>,
    /// Comes back when nothing of the process is left.
    permit: Arc<Permit>,
}

/// The environment, directory and walls of one child.
struct Fitted {
    env: Environment,
    cwd: Option<PathBuf>,
    walls: Walls,
    files: Option<Files>,
    leases: Vec<Lease>,
}

/// Where credentials are written that a child reads as files.
struct Files {
    dir: PathBuf,
    ids: Option<(u32, u32)>,
    leases: Leases,
}

// === impl Launcher ===

impl Launcher {
    /// What the child may do beyond being its user (DESIGN.md section 5).
    ///
    /// # Errors
    /// When a claim that a template names is missing or unfit.
    pub fn authority(&self, principal: &Principal) -> Result<Arc<str>, LaunchError> {
        let env: Vec<String> = match &self.place {
            Place::Developer { .. } => Vec::new(),
            Place::Stranger(stranger) => stranger.rendered(principal)?.into_values().collect(),
        };
        let extra: Vec<&str> = env.iter().map(String::as_str).collect();
        let digest = self.sources.authority_digest(principal, &extra);
        digest.map(Into::into).map_err(|cause| LaunchError::Credentials { cause })
    }

    /// Starts a process for `principal`.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub(super) async fn launch(
        &self,
        principal: &Arc<Principal>,
        permit: Arc<Permit>,
    ) -> Result<Launched, LaunchError> {
        let fetched = self.sources.fetch(principal).await;
        let credentials = fetched.map_err(|cause| LaunchError::Credentials { cause })?;
        let learn = |one: &credentials::Credential| self.redactor.learn(&one.value);
        let masks = Arc::new(credentials.iter().map(learn).collect::<Vec<_>>());
        // Directories, ids and files are made by system calls that may take their time.
        let (own, owner) = (self.clone(), Arc::clone(principal));
        let fitting = tokio::task::spawn_blocking(move || {
            let fitted = own.fit(&owner)?.furnish(&credentials)?;
            Ok::<_, LaunchError>((fitted, credentials))
        });
        let (fitted, credentials) = fitting.await.map_err(|_| LaunchError::Interrupted)??;
        let command = ChildCommand {
            program: self.program.clone(),
            args: self.args.clone(),
            env: fitted.env,
            cwd: self.cwd.clone().or(fitted.cwd),
            name: self.name.clone(),
            walls: fitted.walls,
        };
        let process =
            self.spawner.spawn(command).await.map_err(|cause| LaunchError::Process { cause })?;
        let tail = stderr::Tail::default();
        let (sink, kept) = (stderr::log(self.name.clone()), tail.clone());
        let redactor = self.redactor.clone();
        let masked = Arc::clone(&masks);
        tokio::spawn(async move {
            let limits = stderr::Limits::default();
            let mask = |line: &str| redactor.mask(line).into_owned();
            let drained = stderr::drain(process.stderr, limits, kept, mask, sink).await;
            if let Err(error) = drained {
                tracing::debug!(%error, "the server's stderr broke");
            }
            drop(masked);
        });
        Ok(Launched {
            stdin: process.stdin,
            lines: Lines::new(process.stdout, self.max_line),
            handle: process.handle,
            tail,
            name: self.name.clone(),
            credentials,
            redactor: self.redactor.clone(),
            _masks: masks,
            leases: fitted.leases,
            permit,
        })
    }

    fn fit(&self, principal: &Principal) -> Result<Fitted, LaunchError> {
        match &self.place {
            Place::Developer { env } => Ok(Fitted {
                env: env.clone(),
                cwd: None,
                walls: Walls::None,
                files: None,
                leases: Vec::new(),
            }),
            Place::Stranger(stranger) => stranger.fit(principal, &self.authority(principal)?),
        }
    }
}

// === impl Stranger ===

impl Stranger {
    /// A place for each user below `state_dir`.
    #[must_use]
    pub fn new(
        state_dir: PathBuf,
        env: Vec<(String, Template)>,
        form: Form,
        uids: Option<Uids>,
        trees: Vec<PathBuf>,
        in_use: InUse,
    ) -> Self {
        Self { state_dir, env, form, uids, trees, leases: Leases::default(), _in_use: in_use }
    }

    fn fit(&self, principal: &Principal, authority: &str) -> Result<Fitted, LaunchError> {
        let user = principal.user().digest();
        let tenant = principal.user().tenant_digest();
        let uid = self.uids.as_ref().map(|uids| uids.allocate(&user)).transpose();
        let uid = uid.map_err(|cause| LaunchError::Uid { cause })?;
        let ids = uid.map(|uid| (uid, uid));
        let home = home::prepare(&self.state_dir, &user, tenant.as_deref(), ids)
            .map_err(|cause| LaunchError::Home { cause })?;
        let mut env = environment::isolated(&home, &user, tenant.as_deref());
        for (name, value) in self.rendered(principal)? {
            env.set(name, value);
        }
        let files =
            home.credentials(authority, ids).map_err(|cause| LaunchError::Home { cause })?;
        let mut paths = Paths::for_home(&home, &self.trees);
        paths.readable.push(files.clone());
        let (uid, gid) = ids.unwrap_or_default();
        let walls = match self.form {
            Form::Uid => Walls::Strict { identity: Identity::Uid { uid, gid }, paths },
            Form::UidAlone => Walls::Strict { identity: Identity::UidAlone { uid, gid }, paths },
            Form::Namespaces => Walls::Strict { identity: Identity::Namespaces, paths },
            Form::Basic => Walls::Basic { paths },
        };
        let files = Files { dir: files, ids, leases: self.leases.clone() };
        Ok(Fitted { env, cwd: Some(home.home), walls, files: Some(files), leases: Vec::new() })
    }

    fn rendered(
        &self,
        principal: &Principal,
    ) -> Result<std::collections::BTreeMap<String, String>, LaunchError> {
        let render = |(name, template): &(String, Template)| match template.render_env(principal) {
            Ok(value) => Ok((name.clone(), value)),
            Err(cause) => Err(LaunchError::Template { name: name.clone(), cause }),
        };
        self.env.iter().map(render).collect()
    }
}

// === impl Fitted ===

impl Fitted {
    /// Adds the credentials, as values or as files.
    fn furnish(mut self, credentials: &CredentialSet) -> Result<Self, LaunchError> {
        for credential in credentials.iter() {
            let value = match (credential.delivery, &self.files) {
                (Delivery::File, Some(files)) => {
                    let (path, lease) = files.write(credential)?;
                    self.leases.push(lease);
                    path.into()
                }
                (Delivery::File, None) | (Delivery::Env, _) => credential.value.clone(),
            };
            self.env.set(&credential.name, value);
        }
        Ok(self)
    }
}

// === impl Files ===

impl Files {
    /// Writes a credential and returns its path; with an id of his own, the user owns the file.
    fn write(&self, credential: &credentials::Credential) -> Result<(String, Lease), LaunchError> {
        let path = self.dir.join(&credential.name);
        let lease = self.leases.take(&path, || {
            files::write(&self.dir, &credential.name, &credential.value, self.ids)
                .map_err(|cause| LaunchError::File { cause })
                .map(drop)
        })?;
        Ok((path.to_string_lossy().into_owned(), lease))
    }
}

// === impl Launched ===

impl Launched {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub(super) fn last_words(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// Names, sources and keyed fingerprints of what the child was given, for the audit log.
    pub(super) fn given(&self) -> Vec<String> {
        let show = |one: &credentials::Credential| {
            format!("{} from {} ({})", one.name, one.source, one.fingerprint)
        };
        self.credentials.iter().map(show).collect()
    }

    /// Notes that the process is on its way out.
    pub(super) fn is_ending(&self) {
        self.permit.ending();
    }

    /// How the process ended, if it does so in time.
    pub(super) async fn exit_within(&self, patience: Duration) -> Option<Exit> {
        tokio::time::timeout(patience, self.handle.exited()).await.ok()
    }

    /// Closes its stdin and sees to it that nothing of it is left.
    pub(super) async fn end(self) -> Option<Exit> {
        self.permit.ending();
        let Self { stdin, lines, handle, leases, permit, .. } = self;
        drop(stdin);
        // A child that still writes must not block on a full pipe while it ends.
        let reading = tokio::spawn(drain(lines));
        let exit = handle.stop().await;
        reading.abort();
        // Their files are removed, which may take a disk its time.
        let _ = tokio::task::spawn_blocking(move || drop(leases)).await;
        drop(permit);
        Some(exit)
    }
}

async fn drain(mut lines: super::start::ChildLines) {
    while let Ok(Some(_)) = lines.next().await {}
}
