//! Starts the operating-system process of one principal's child: its environment, its credentials, its walls.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Principal;
use crate::credentials::{self, CredentialSet, Delivery, Sources, Template, files};
use crate::mcp::Lines;
use crate::process::walls::{Form, Identity, Paths, Walls};
use crate::process::{
    self, ChildCommand, Environment, Exit, ProcessHandle, Spawner, Stdin, environment, home,
    stderr,
    uids::{self, Uids},
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
    pub state_dir: PathBuf,
    /// What is added to each environment.
    pub env: Vec<(String, Template)>,
    /// The kind of walls.
    pub form: Form,
    /// One user id for each, where children get ids of their own.
    pub uids: Option<Uids>,
    /// What of the file system the program needs beside the system.
    pub trees: Vec<PathBuf>,
}

/// A process and its streams.
#[derive(Debug)]
pub struct Launched {
    pub(super) stdin: Stdin,
    pub(super) lines: super::start::ChildLines,
    handle: ProcessHandle,
    tail: stderr::Tail,
    name: String,
    /// What the child holds: while it lives, these values are this user's.
    credentials: CredentialSet,
    redactor: Redactor,
    _masks: Vec<Learned>,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The operating system, or the command.
    #[error("start the process")]
    Process {
        /// What exactly.
        #[source]
        cause: process::Error,
    },
    /// The user's credentials.
    #[error("fetch the user's credentials")]
    Credentials {
        /// Which, and why.
        #[source]
        cause: credentials::Error,
    },
    /// The user's token does not fill a template.
    #[error("render --env {name}")]
    Template {
        /// The variable.
        name: String,
        /// Which claim, and why.
        #[source]
        cause: credentials::RenderError,
    },
    /// The user's directories.
    #[error("prepare the user's home")]
    Home {
        /// What exactly.
        #[source]
        cause: home::Error,
    },
    /// The user's id.
    #[error("give the user an id of his own")]
    Uid {
        /// What exactly.
        #[source]
        cause: uids::Error,
    },
    /// A credential's file could not be given to its user.
    #[error("give the user the file of his credential")]
    Owner {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A credential could not be delivered as a file.
    #[error("write the user's credential to a file")]
    File {
        /// What exactly.
        #[source]
        cause: files::Error,
    },
}

/// The environment, directory and walls of one child.
struct Fitted {
    env: Environment,
    cwd: Option<PathBuf>,
    walls: Walls,
    files: Option<Files>,
}

/// Where credentials are written that a child reads as files.
struct Files {
    dir: PathBuf,
    ids: Option<(u32, u32)>,
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
    pub async fn launch(&self, principal: &Principal) -> Result<Launched, LaunchError> {
        let fetched = self.sources.fetch(principal).await;
        let credentials = fetched.map_err(|cause| LaunchError::Credentials { cause })?;
        let mut fitted = self.fit(principal)?;
        let mut masks = Vec::new();
        for credential in credentials.iter() {
            masks.push(self.redactor.learn(&credential.value));
            let value = match (credential.delivery, &fitted.files) {
                (Delivery::File, Some(files)) => files.write(credential)?.into(),
                (Delivery::File, None) | (Delivery::Env, _) => credential.value.clone(),
            };
            fitted.env.set(&credential.name, value);
        }
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
        tokio::spawn(async move {
            let limits = stderr::Limits::default();
            let mask = |line: &str| redactor.mask(line).into_owned();
            let drained = stderr::drain(process.stderr, limits, kept, mask, sink).await;
            if let Err(error) = drained {
                tracing::debug!(%error, "the server's stderr broke");
            }
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
        })
    }

    fn fit(&self, principal: &Principal) -> Result<Fitted, LaunchError> {
        match &self.place {
            Place::Developer { env } => {
                Ok(Fitted { env: env.clone(), cwd: None, walls: Walls::None, files: None })
            }
            Place::Stranger(stranger) => stranger.fit(principal, &self.authority(principal)?),
        }
    }
}

// === impl Stranger ===

impl Stranger {
    fn fit(&self, principal: &Principal, authority: &str) -> Result<Fitted, LaunchError> {
        let user = principal.user().digest();
        let tenant = principal.user().tenant_digest();
        let uid = self.uids.as_ref().map(|uids| uids.allocate(&user)).transpose();
        let uid = uid.map_err(|cause| LaunchError::Uid { cause })?;
        let ids = uid.map(|uid| (uid, uid));
        let home = home::prepare(&self.state_dir, &user, tenant.as_deref(), ids)
            .map_err(|cause| LaunchError::Home { cause })?;
        let mut env = environment::for_stranger(&home, &user, tenant.as_deref());
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
        Ok(Fitted { env, cwd: Some(home.home), walls, files: Some(Files { dir: files, ids }) })
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

// === impl Files ===

impl Files {
    /// Writes a credential and returns its path; with an id of his own, the user owns the file.
    fn write(&self, credential: &credentials::Credential) -> Result<String, LaunchError> {
        let path = files::write(&self.dir, &credential.name, &credential.value)
            .map_err(|cause| LaunchError::File { cause })?;
        if let Some((uid, gid)) = self.ids {
            std::os::unix::fs::lchown(&path, Some(uid), Some(gid))
                .map_err(|cause| LaunchError::Owner { cause })?;
        }
        Ok(path.to_string_lossy().into_owned())
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

    /// How the process ended, if it does so in time.
    pub(super) async fn exit_within(&self, patience: Duration) -> Option<Exit> {
        tokio::time::timeout(patience, self.handle.exited()).await.ok()
    }

    /// Closes its stdin and sees to it that nothing of it is left.
    pub(super) async fn end(self) -> Option<Exit> {
        let Self { stdin, lines, handle, .. } = self;
        drop(stdin);
        // A child that still writes must not block on a full pipe while it ends.
        let reading = tokio::spawn(drain(lines));
        let exit = handle.stop().await;
        reading.abort();
        Some(exit)
    }
}

async fn drain(mut lines: super::start::ChildLines) {
    while let Ok(Some(_)) = lines.next().await {}
}

impl LaunchError {
    /// Whether another try is in vain until somebody has done something.
    #[must_use]
    pub fn needs_people(&self) -> bool {
        match self {
            Self::Credentials { cause } => cause.needs_people(),
            Self::Template { .. } => true,
            Self::Process { .. }
            | Self::Home { .. }
            | Self::Uid { .. }
            | Self::File { .. }
            | Self::Owner { .. } => false,
        }
    }

    /// What the client may know.
    #[must_use]
    pub fn for_user(&self) -> String {
        match self {
            Self::Process { cause: process::Error::Exec { source, .. } } => source.to_string(),
            Self::Process { .. }
            | Self::Home { .. }
            | Self::Uid { .. }
            | Self::File { .. }
            | Self::Owner { .. } => {
                "the process could not be prepared; tell your operator".to_owned()
            }
            Self::Credentials { cause } => cause.for_user(),
            Self::Template { name, cause } => {
                format!("{name} cannot be set for you: {cause}; ask your operator")
            }
        }
    }
}
