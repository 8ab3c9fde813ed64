//! `env:VAR`: a variable of mcpwrap's own environment, for the developer who started it.

use secrecy::SecretString;

use super::super::fetched::{FetchError, Fetched};
use super::super::variable::is_variable;
use super::per_user::NotPerUser;
use super::scheme::{Scheme, SourceError, Users};

pub(super) const SCHEME: Scheme = Scheme { name: "env", rest: "VAR", users: &[Users::One] };

/// A variable of our own environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: String,
}

// === impl Variable ===

impl Variable {
    pub(super) fn parse(rest: &str) -> Result<Self, SourceError> {
        match is_variable(rest) {
            true => Ok(Self { name: rest.to_owned() }),
            false => Err(SourceError::Form { scheme: SCHEME }),
        }
    }

    pub(super) fn per_user(&self) -> Result<(), NotPerUser> {
        Err(NotPerUser {
            what: "gives every user the same value",
            hint: "env: is for dev; use another source, with {user} in it".to_owned(),
        })
    }

    pub(super) fn fetch(&self) -> Result<Fetched, FetchError> {
        let value = std::env::var(&self.name).map_err(|_| FetchError::NOTHING)?;
        Ok(Fetched::lasting(SecretString::from(value)))
    }
}
