//! `mcpwrap secret`: keeps, names and forgets secrets, in the embedded store or in the OS keyring.
//!
//! A running server shares the store's file, so that what is done here counts for the next child it starts.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::run;
use super::runtime::runtime;
use super::sources::open_store;
use crate::config::{self, Owner, Secret, SecretAction, SecretInput, SecretLocation};
use crate::process;
use crate::store::{self, Filter, Listed, MAX_VALUE, Removed, Store, UserRef, os_keyring};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value is kept.
    Kept,
    /// What there is, without values.
    Listed(Vec<Listed>),
    /// The value is gone, or was never there.
    Removed(Removed),
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store is not to be had.
    #[error(transparent)]
    Open(#[from] run::Error),
    /// The store refused.
    #[error("use the encrypted store")]
    Store {
        /// Why.
        #[source]
        cause: store::Error,
    },
    /// The keyring refused.
    #[error("use the os keyring")]
    Keyring {
        /// Why.
        #[source]
        cause: os_keyring::Error,
    },
    /// The value cannot be read.
    #[error("read the value from {}", origin.display())]
    Read {
        /// The file, or `stdin`.
        origin: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// There is nothing to keep.
    #[error("the value is empty")]
    Empty,
    /// Secrets are text.
    #[error("the value is not UTF-8 text without zero bytes")]
    NoText,
    /// It is more than a secret.
    #[error("the value is longer than {MAX_VALUE} bytes")]
    TooLong,
}

/// Does what was asked.
///
/// # Errors
/// See [`Error`].
pub fn secret(asked: Secret) -> Result<Outcome, Error> {
    process::protect_memory().map_err(|cause| run::Error::Runtime { cause })?;
    // Reading may wait for a person, which is why it happens before anything is opened.
    let value = match &asked.action {
        SecretAction::Set { value, .. } => Some(read(value)?),
        SecretAction::List { .. } | SecretAction::Remove { .. } => None,
    };
    runtime(config::default_threads())?.block_on(act(asked, value.unwrap_or_default()))
}

async fn act(asked: Secret, value: SecretString) -> Result<Outcome, Error> {
    let keyring = |cause| Error::Keyring { cause };
    let stored = |cause| Error::Store { cause };
    match asked.action {
        SecretAction::Set { location: SecretLocation::Keyring { service, account }, .. } => {
            os_keyring::set(&service, &account, &value).await.map_err(keyring)?;
            Ok(Outcome::Kept)
        }
        SecretAction::Set { location: SecretLocation::Store { name, owner }, .. } => {
            let store = open(asked.store).await?;
            store.set(&user(owner), &name, &value).await.map_err(stored)?;
            Ok(Outcome::Kept)
        }
        SecretAction::List { owner } => {
            let filter = Filter { user: owner.map(user), name: None };
            let listed = open(asked.store).await?.list(&filter).await.map_err(stored)?;
            Ok(Outcome::Listed(listed))
        }
        SecretAction::Remove { location: SecretLocation::Keyring { service, account } } => {
            os_keyring::rm(&service, &account).await.map(Outcome::Removed).map_err(keyring)
        }
        SecretAction::Remove { location: SecretLocation::Store { name, owner } } => {
            let store = open(asked.store).await?;
            store.rm(&user(owner), &name).await.map(Outcome::Removed).map_err(stored)
        }
    }
}

async fn open(at: config::Store) -> Result<Store, Error> {
    Ok(open_store(at.state_dir, at.master_key.as_ref()).await?)
}

fn user(owner: Owner) -> UserRef {
    UserRef { issuer: owner.issuer, tenant: owner.tenant, subject: owner.subject }
}

fn read(from: &SecretInput) -> Result<SecretString, Error> {
    match from {
        SecretInput::Stdin => text(std::io::stdin().lock(), "stdin".into()),
        SecretInput::File(path) => match File::open(path) {
            Ok(file) => text(file, path.clone()),
            Err(cause) => Err(Error::Read { origin: path.clone(), cause }),
        },
    }
}

/// The whole text without the newline that editors and `echo` put at its end.
fn text(from: impl Read, origin: PathBuf) -> Result<SecretString, Error> {
    // A value of the largest size, its newline, and one byte more that shows that it is too long. All at
    // once: a buffer that grows leaves copies of the secret behind.
    let limit = MAX_VALUE + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    from.take(limit as u64)
        .read_to_end(&mut bytes)
        .map_err(|cause| Error::Read { origin, cause })?;
    let mut text = str::from_utf8(&bytes).map_err(|_| Error::NoText)?;
    text = text.strip_suffix('\n').unwrap_or(text);
    text = text.strip_suffix('\r').unwrap_or(text);
    if text.contains('\0') {
        return Err(Error::NoText);
    }
    match text.len() {
        0 => Err(Error::Empty),
        length if length > MAX_VALUE => Err(Error::TooLong),
        _ => Ok(SecretString::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read_text(bytes: &[u8]) -> Result<String, Error> {
        text(bytes, "stdin".into()).map(|text| text.expose_secret().to_owned())
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_the_value() {
        for (bytes, value) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n")] {
            assert_eq!(read_text(bytes.as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        let long = vec![b'a'; MAX_VALUE + 1];
        assert!(matches!(read_text(b"\n"), Err(Error::Empty)));
        assert!(matches!(read_text(b"a\0b"), Err(Error::NoText)));
        assert!(matches!(read_text(b"\xff"), Err(Error::NoText)));
        assert!(matches!(read_text(&long), Err(Error::TooLong)));
        assert_eq!(read_text(&long[1..]).unwrap().len(), MAX_VALUE);
        assert!(matches!(read_text(&[b'a'; 3 * MAX_VALUE]), Err(Error::TooLong)));
    }
}
