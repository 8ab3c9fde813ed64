//! `store:NAME`: an entry of the embedded encrypted store, whose key is the user himself.

use super::super::fetched::{FetchError, Fetched};
use super::backends::Backends;
use super::per_user::NotPerUser;
use super::scheme::{Scheme, SourceError, Users};
use crate::auth::{Kind, Principal, UserId};
use crate::store::UserRef;

pub(super) const SCHEME: Scheme = Scheme { name: "store", rest: "NAME", users: &[Users::Many] };

/// An entry that each user has for himself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreEntry {
    name: String,
}

// === impl StoreEntry ===

impl StoreEntry {
    pub(super) fn parse(rest: &str) -> Result<Self, SourceError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=128).contains(&rest.len()) && rest.bytes().all(plain) {
            return Ok(Self { name: rest.to_owned() });
        }
        Err(SourceError::Form { scheme: SCHEME })
    }

    /// What the entry is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn per_user(&self) -> Result<(), NotPerUser> {
        Ok(())
    }

    pub(super) async fn fetch(
        &self,
        principal: &Principal,
        backends: &Backends,
    ) -> Result<Fetched, FetchError> {
        let store = backends.store.as_ref().ok_or(FetchError::NOTHING)?;
        // The store knows people by their names alone, and a service may be called like one of them.
        if principal.kind() == Kind::Machine {
            return Err(FetchError::NOTHING);
        }
        let found = store.get(&user_ref(principal.user()), &self.name).await;
        found.map_err(FetchError::failed)?.map(Fetched::lasting).ok_or(FetchError::NOTHING)
    }
}

fn user_ref(user: &UserId) -> UserRef {
    UserRef {
        issuer: user.issuer().to_owned(),
        tenant: user.tenant().map(str::to_owned),
        subject: user.subject().to_owned(),
    }
}
