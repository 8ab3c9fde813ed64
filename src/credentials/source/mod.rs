//! Where a credential comes from: a file for each kind of source, and the one list of them.
//!
//! A file says how its source is written, whether it tells the users apart, and how it is fetched. It knows nothing of
//! variables, children or other sources.

mod backends;
mod env;
mod file;
mod keyring;
mod per_user;
mod scheme;
mod store;
mod vault;

pub use backends::Backends;
pub use per_user::{Facts, NotPerUser};
pub use scheme::{Scheme, SourceError, Users};

use std::path::PathBuf;

use env::Variable;
use file::UserFile;
use keyring::KeyringEntry;
use store::StoreEntry;
use vault::VaultField;

use super::fetched::{FetchError, Fetched};
use super::template::RenderError;
use crate::auth::Principal;

/// A source as an operator wrote it, `scheme:rest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `vault:`
    Vault(VaultField),
    /// `store:`
    Store(StoreEntry),
    /// `keyring:`
    Keyring(KeyringEntry),
    /// `file:`
    File(UserFile),
    /// `env:`
    Env(Variable),
}

type Parse = fn(&str) -> Result<Source, SourceError>;

/// All that there are, in the order in which they are told.
const ALL: [(Scheme, Parse); 5] = [
    (vault::SCHEME, |rest| VaultField::parse(rest).map(Source::Vault)),
    (store::SCHEME, |rest| StoreEntry::parse(rest).map(Source::Store)),
    (keyring::SCHEME, |rest| KeyringEntry::parse(rest).map(Source::Keyring)),
    (file::SCHEME, |rest| UserFile::parse(rest).map(Source::File)),
    (env::SCHEME, |rest| Variable::parse(rest).map(Source::Env)),
];

// === impl Source ===

impl Source {
    /// Reads `scheme:rest`, where it is a source for these users.
    ///
    /// # Errors
    /// [`SourceError`], which never repeats a text that may be the secret itself.
    pub fn parse(text: &str, users: Users) -> Result<Self, SourceError> {
        let (name, rest) = text.split_once(':').unwrap_or(("", text));
        let known = || Self::schemes(users).map(|scheme| scheme.to_string()).collect();
        match ALL.iter().find(|(scheme, _)| scheme.name == name) {
            None => Err(SourceError::Unknown { known: known() }),
            Some((scheme, _)) if !scheme.users.contains(&users) => {
                Err(SourceError::NotHere { scheme: scheme.name, known: known() })
            }
            Some((_, parse)) => parse(rest),
        }
    }

    /// How the sources for these users are written.
    pub fn schemes(users: Users) -> impl Iterator<Item = Scheme> {
        ALL.into_iter()
            .map(|(scheme, _)| scheme)
            .filter(move |scheme| scheme.users.contains(&users))
    }

    /// Whether each user gets a value of his own, as far as the text tells.
    ///
    /// # Errors
    /// [`NotPerUser`] where several users could get the same.
    pub fn per_user(&self, facts: &Facts) -> Result<(), NotPerUser> {
        match self {
            Self::Vault(source) => source.per_user(facts),
            Self::Store(source) => source.per_user(),
            Self::Keyring(source) => source.per_user(facts),
            Self::File(source) => source.per_user(facts),
            Self::Env(source) => source.per_user(),
        }
    }

    /// All that the source makes of the user's claims: who has the same gets the same.
    ///
    /// # Errors
    /// [`RenderError`] where a claim is missing or unfit.
    pub fn rendered(&self, principal: &Principal) -> Result<Vec<String>, RenderError> {
        match self {
            Self::Vault(source) => source.rendered(principal).map(Vec::from),
            Self::Keyring(source) => source.rendered(principal).map(Vec::from),
            Self::File(source) => source.rendered(principal).map(|path| vec![path]),
            Self::Store(_) | Self::Env(_) => Ok(Vec::new()),
        }
    }

    /// What it lacks of what was set up, if anything.
    #[must_use]
    pub fn lacks(&self, backends: &Backends) -> Option<&'static str> {
        match self {
            Self::Vault(_) if backends.vault.is_none() => Some("a vault (VAULT_ADDR)"),
            Self::Store(_) if backends.store.is_none() => Some("the store (--state-dir)"),
            _ => None,
        }
    }

    /// The files of this machine that hold the values, with `*` for what differs between users.
    #[must_use]
    pub fn files(&self) -> Option<PathBuf> {
        if let Self::File(source) = self { Some(source.pattern()) } else { None }
    }

    /// Fetches the value of one user.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(
        &self,
        principal: &Principal,
        backends: &Backends,
    ) -> Result<Fetched, FetchError> {
        match self {
            Self::Vault(source) => source.fetch(principal, backends).await,
            Self::Store(source) => source.fetch(principal, backends).await,
            Self::Keyring(source) => source.fetch(principal).await,
            Self::File(source) => source.fetch(principal).await,
            Self::Env(source) => source.fetch(),
        }
    }
}

#[cfg(test)]
mod tests;
