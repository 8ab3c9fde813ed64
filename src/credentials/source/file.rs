//! `file:PATH`: a file of this machine that holds the value.

use std::path::PathBuf;
use std::time::Duration;

use super::super::fetched::{FetchError, Fetched};
use super::super::template::{RenderError, Template};
use super::per_user::{self, Facts, NotPerUser};
use super::scheme::{Scheme, SourceError, Users};
use crate::auth::Principal;
use crate::private_file::{self, Readers};

pub(super) const SCHEME: Scheme =
    Scheme { name: "file", rest: "PATH", users: &[Users::One, Users::Many] };

/// A file system that hangs is given up after this.
const DEADLINE: Duration = Duration::from_secs(5);

/// A file for each user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFile {
    path: Template,
}

// === impl UserFile ===

impl UserFile {
    pub(super) fn parse(rest: &str) -> Result<Self, SourceError> {
        let path = Template::parse(rest)?;
        let sketch = path.sketch();
        let climbs = sketch.split('/').any(|segment| segment == "..");
        if sketch.is_empty() || sketch.ends_with('/') || sketch.contains('\0') || climbs {
            return Err(SourceError::Form { scheme: SCHEME });
        }
        Ok(Self { path })
    }

    /// Where the files of all users are, with `*` for what differs.
    pub(super) fn pattern(&self) -> PathBuf {
        self.path.pattern().into()
    }

    pub(super) fn per_user(&self, facts: &Facts) -> Result<(), NotPerUser> {
        per_user::by_templates(&[&self.path], facts)
    }

    pub(super) fn rendered(&self, principal: &Principal) -> Result<String, RenderError> {
        self.path.render_path(principal)
    }

    pub(super) async fn fetch(&self, principal: &Principal) -> Result<Fetched, FetchError> {
        let path = PathBuf::from(self.rendered(principal)?);
        let read = move || private_file::read_secret(&path, Readers::Others);
        let work = tokio::task::spawn_blocking(read);
        let read = tokio::time::timeout(DEADLINE, work).await.map_err(FetchError::failed)?;
        match read.map_err(FetchError::failed)? {
            Ok(value) => Ok(Fetched::lasting(value)),
            Err(cause @ private_file::Error::Absent { .. }) => Err(FetchError::absent(cause)),
            Err(cause) => Err(FetchError::failed(cause)),
        }
    }
}
