//! `keyring:SERVICE/ACCOUNT`: an entry of the operating system's keyring.

use super::super::fetched::{FetchError, Fetched};
use super::super::template::{RenderError, Template};
use super::per_user::{self, Facts, NotPerUser};
use super::scheme::{Scheme, SourceError, Users};
use crate::auth::Principal;
use crate::store::os_keyring;

pub(super) const SCHEME: Scheme =
    Scheme { name: "keyring", rest: "SERVICE/ACCOUNT", users: &[Users::One, Users::Many] };

/// An entry of the keyring of the user under whom mcpwrap runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringEntry {
    service: Template,
    account: Template,
}

// === impl KeyringEntry ===

impl KeyringEntry {
    pub(super) fn parse(rest: &str) -> Result<Self, SourceError> {
        match rest.split_once('/') {
            Some((service, account)) if !service.is_empty() && !account.is_empty() => {
                Ok(Self { service: Template::parse(service)?, account: Template::parse(account)? })
            }
            _ => Err(SourceError::Form { scheme: SCHEME }),
        }
    }

    /// Service and account, where both are the same for everybody.
    #[must_use]
    pub fn literal(&self) -> Option<(String, String)> {
        Some((self.service.literal()?, self.account.literal()?))
    }

    pub(super) fn per_user(&self, facts: &Facts) -> Result<(), NotPerUser> {
        per_user::by_templates(&[&self.service, &self.account], facts)
    }

    pub(super) fn rendered(&self, principal: &Principal) -> Result<[String; 2], RenderError> {
        Ok([self.service.render_path(principal)?, self.account.render_path(principal)?])
    }

    pub(super) async fn fetch(&self, principal: &Principal) -> Result<Fetched, FetchError> {
        let [service, account] = self.rendered(principal)?;
        let found = os_keyring::get(&service, &account).await;
        found.map_err(FetchError::failed)?.map(Fetched::lasting).ok_or(FetchError::NOTHING)
    }
}
