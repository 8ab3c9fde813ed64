//! Where a user's child finds itself: a home, an environment and walls of its own, and its credentials in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::credential_files::{FileInUse, FilesInUse};
use super::home_limit::{HomeLimit, Watched};
use super::launch_error::LaunchError;
use crate::auth::Principal;
use crate::credentials::{self, CredentialSet, Delivery, Template, files};
use crate::process::home::Whose;
use crate::process::leftovers::InUse;
use crate::process::walls::{Denied, Form, Identity, Looks, Paths, Walls};
use crate::process::{Environment, environment, home, removal, uids::Uids};

/// Who shares a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeScope {
    /// The children of one user with one authority.
    Authority,
    /// All children of one user.
    User,
}

/// Where the homes are, and who shares one.
#[derive(Debug)]
pub struct Homes {
    /// Holds them.
    pub state_dir: PathBuf,
    /// Who shares one.
    pub scope: HomeScope,
    /// How much of the disk one may use.
    pub limit: HomeLimit,
}

/// How the users' children live apart from each other.
#[derive(Debug)]
pub struct Isolated {
    homes: Homes,
    /// What is added to each environment.
    env: Vec<(String, Template)>,
    /// The kind of walls.
    form: Form,
    /// One user id for each, where children get ids of their own.
    uids: Option<Uids>,
    /// What every child sees of the file system, and what none does.
    shown: Paths,
    /// What children have complained of.
    denied: Denied,
    files_in_use: FilesInUse,
    _in_use: InUse,
}

/// The environment, directory and walls of one child.
pub(super) struct Fitted {
    pub(super) env: Environment,
    pub(super) cwd: Option<PathBuf>,
    pub(super) walls: Walls,
    /// The home, where there is a limit to it.
    pub(super) watched: Option<Watched>,
    files: Option<Files>,
    pub(super) delivered: Vec<FileInUse>,
}

/// A home that is removed with whoever holds it.
#[derive(Debug)]
pub(super) struct PassingHome(PathBuf);

/// Where credentials are written that a child reads as files.
struct Files {
    dir: PathBuf,
    ids: Option<(u32, u32)>,
    in_use: FilesInUse,
}

// === impl Isolated ===

impl Isolated {
    /// A place for each user in one of the homes.
    #[must_use]
    pub fn new(
        homes: Homes,
        env: Vec<(String, Template)>,
        form: Form,
        uids: Option<Uids>,
        shown: Paths,
        in_use: InUse,
    ) -> Self {
        Self {
            homes,
            env,
            form,
            uids,
            shown,
            denied: Denied::default(),
            files_in_use: FilesInUse::default(),
            _in_use: in_use,
        }
    }

    /// Explains a line of a child's stderr that complains of what the walls keep from it.
    pub(super) fn explain(&self, line: &str, looks: &mut Looks) {
        if let Some(path) = self.denied.in_line(line, &self.shown, looks) {
            let path = path.display();
            tracing::warn!(
                "the server complains of {path}, which exists but is not shown to children; if it should be, give \
                 --allow-read {path} or --allow-write {path}"
            );
        }
    }

    pub(super) fn fit(
        &self,
        principal: &Principal,
        authority: &str,
    ) -> Result<Fitted, LaunchError> {
        let user = principal.user().digest();
        let tenant = principal.user().tenant_digest();
        let uid = self.uids.as_ref().map(|uids| uids.allocate(&user)).transpose();
        let uid = uid.map_err(|cause| LaunchError::Uid { cause })?;
        let ids = uid.map(|uid| (uid, uid));
        let whose = Whose {
            user: &user,
            tenant: tenant.as_deref(),
            authority: (self.homes.scope == HomeScope::Authority).then_some(authority),
        };
        let homes = home::of_user(&self.homes.state_dir, whose)
            .map_err(|cause| LaunchError::Home { cause })?;
        self.homes.limit.room(&homes)?;
        let home = home::prepare(&self.homes.state_dir, whose, ids)
            .map_err(|cause| LaunchError::Home { cause })?;
        let watched = Some(self.homes.limit.admit(&home)?);
        let mut env = environment::isolated(&home, &user, tenant.as_deref());
        for (name, value) in self.rendered(principal)? {
            env.set(name, value);
        }
        let files =
            home.credentials(authority, ids).map_err(|cause| LaunchError::Home { cause })?;
        let mut paths = self.shown.clone().in_home(&home);
        paths.readable.push(files.clone());
        // No single call may take the disk before anybody has looked.
        paths.largest_file = Some(self.homes.limit.most());
        let walls = self.walls(ids, paths);
        let files = Files { dir: files, ids, in_use: self.files_in_use.clone() };
        let cwd = Some(home.home);
        Ok(Fitted { env, cwd, walls, watched, files: Some(files), delivered: Vec::new() })
    }

    /// A place that is nobody's, with what of the environment is everybody's, and its home.
    pub(super) fn fit_nobody(&self) -> Result<(Fitted, PassingHome), LaunchError> {
        let uid = self.uids.as_ref().map(|uids| uids.allocate(home::NOBODY)).transpose();
        let ids = uid.map_err(|cause| LaunchError::Uid { cause })?.map(|uid| (uid, uid));
        let name = format!("{}{}", home::NOBODY, std::process::id());
        let whose = Whose { user: &name, tenant: None, authority: None };
        let home = home::prepare(&self.homes.state_dir, whose, ids)
            .map_err(|cause| LaunchError::Home { cause })?;
        let passing = PassingHome(home.root.clone());
        let mut env = environment::isolated(&home, &name, None);
        for (name, template) in &self.env {
            if let Some(value) = template.literal() {
                env.set(name, value);
            }
        }
        let mut paths = self.shown.clone().in_home(&home);
        // It lives for seconds, so that nobody looks after what all of its files are together.
        paths.largest_file = Some(self.homes.limit.most());
        let fitted = Fitted { cwd: Some(home.home), ..Fitted::within(env, self.walls(ids, paths)) };
        Ok((fitted, passing))
    }

    fn walls(&self, ids: Option<(u32, u32)>, paths: Paths) -> Walls {
        let (uid, gid) = ids.unwrap_or_default();
        match self.form {
            Form::Uid => Walls::Strict { identity: Identity::Uid { uid, gid }, paths },
            Form::UidAlone => Walls::Strict { identity: Identity::UidAlone { uid, gid }, paths },
            Form::Namespaces => Walls::Strict { identity: Identity::Namespaces, paths },
            Form::Basic => Walls::Basic { paths },
        }
    }

    pub(super) fn rendered(
        &self,
        principal: &Principal,
    ) -> Result<BTreeMap<String, String>, LaunchError> {
        let render = |(name, template): &(String, Template)| match template.render_env(principal) {
            Ok(value) => Ok((name.clone(), value)),
            Err(cause) => Err(LaunchError::Template { name: name.clone(), cause }),
        };
        self.env.iter().map(render).collect()
    }
}

// === impl Fitted ===

impl Fitted {
    /// Just an environment.
    pub(super) fn open(env: Environment) -> Self {
        Self::within(env, Walls::None)
    }

    /// An environment within walls.
    fn within(env: Environment, walls: Walls) -> Self {
        Self { env, cwd: None, walls, watched: None, files: None, delivered: Vec::new() }
    }

    /// Adds the credentials, as values or as files.
    pub(super) fn furnish(mut self, credentials: &CredentialSet) -> Result<Self, LaunchError> {
        for credential in credentials.iter() {
            let value = match (credential.delivery, &self.files) {
                (Delivery::File, Some(files)) => {
                    let (path, file) = files.write(credential)?;
                    self.delivered.push(file);
                    path.into()
                }
                (Delivery::File, None) | (Delivery::Env, _) => credential.value.clone(),
            };
            self.env.set(&credential.name, value);
        }
        Ok(self)
    }
}

// === impl PassingHome ===

impl Drop for PassingHome {
    fn drop(&mut self) {
        if let Err(error) = removal::remove(&self.0) {
            tracing::warn!(%error, "cannot remove the home of the child that was started first");
        }
    }
}

// === impl Files ===

impl Files {
    /// Writes a credential and returns its path; with an id of his own, the user owns the file.
    fn write(
        &self,
        credential: &credentials::Credential,
    ) -> Result<(String, FileInUse), LaunchError> {
        let path = self.dir.join(&credential.name);
        let file = self.in_use.take(&path, || {
            files::write(&self.dir, &credential.name, &credential.value, self.ids)
                .map_err(|cause| LaunchError::File { cause })
                .map(drop)
        })?;
        Ok((path.to_string_lossy().into_owned(), file))
    }
}
