//! `vault:MOUNT/PATH#FIELD`: a field of a secret in HashiCorp Vault or OpenBao.

use super::super::fetched::{FetchError, Fetched};
use super::super::template::{RenderError, Template};
use super::super::vault::Error;
use super::backends::Backends;
use super::per_user::{self, Facts, NotPerUser};
use super::scheme::{Scheme, SourceError, Users};
use crate::auth::Principal;

pub(super) const SCHEME: Scheme =
    Scheme { name: "vault", rest: "MOUNT/PATH#FIELD", users: &[Users::Many] };

/// A field of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultField {
    path: Template,
    field: Template,
}

// === impl VaultField ===

impl VaultField {
    pub(super) fn parse(rest: &str) -> Result<Self, SourceError> {
        let wrong = SourceError::Form { scheme: SCHEME };
        let Some((path, field)) = rest.rsplit_once('#') else { return Err(wrong) };
        let (path, field) = (Template::parse(path)?, Template::parse(field)?);
        if field.sketch().is_empty() || !is_secret_path(&path.sketch()) {
            return Err(wrong);
        }
        Ok(Self { path, field })
    }

    pub(super) fn per_user(&self, facts: &Facts) -> Result<(), NotPerUser> {
        per_user::by_templates(&[&self.path, &self.field], facts)
    }

    /// The path, percent-encoded, and the field.
    pub(super) fn rendered(&self, principal: &Principal) -> Result<[String; 2], RenderError> {
        Ok([self.path.render_url_path(principal)?, self.field.render_path(principal)?])
    }

    pub(super) async fn fetch(
        &self,
        principal: &Principal,
        backends: &Backends,
    ) -> Result<Fetched, FetchError> {
        let vault = backends.vault.as_ref().ok_or(FetchError::NOTHING)?;
        let [path, field] = self.rendered(principal)?;
        vault.read(&path, &field).await.map_err(|cause| match cause {
            Error::Absent { .. } | Error::Field { .. } => FetchError::absent(cause),
            cause => FetchError::failed(cause),
        })
    }
}

/// At least a mount and a name; nothing that a server or a URL parser could fold or cut.
fn is_secret_path(sketch: &str) -> bool {
    sketch.contains('/')
        && sketch.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && !segment
                    .contains(|c: char| c.is_control() || matches!(c, '%' | '?' | '#' | '\\'))
        })
}
