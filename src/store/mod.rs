//! The embedded encrypted store: one SQLite file that the command line and a running server share.
//!
//! It owns the file, the rows and what each value is bound to. Whole-table integrity comes from a sealed
//! head: a row that was swapped, edited, removed or put back from an older copy makes every read fail.
//! Putting back the *whole* file is noticed only by a process that has seen the newer one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use crate::private_file;
use crate::seal::{self, Keyring};

mod file;
pub mod keys;
pub mod os_keyring;

/// A value of the store is never larger.
pub const MAX_VALUE: usize = 64 * 1024;
/// How long a caller waits for the store, the other process's lock included.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// How long SQLite waits for the other process; shorter, so that the reason is told.
const BUSY: Duration = Duration::from_secs(3);

/// The store; a clone shares the connection.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    keys: Keyring,
    connection: Mutex<rusqlite::Connection>,
    /// The newest head that this process has seen.
    seen: AtomicU64,
}

/// Whose secret it is, in the words of the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserRef {
    /// The issuer's identifier.
    pub issuer: String,
    /// The tenant, where a tenant claim is configured.
    pub tenant: Option<String>,
    /// The subject within issuer and tenant.
    pub subject: String,
}

/// Which entries to list; what is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this user's entries.
    pub user: Option<UserRef>,
    /// Only entries of this name.
    pub name: Option<String>,
}

/// What may be told about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose secret it is.
    pub user: UserRef,
    /// The credential's name.
    pub name: String,
    /// Grows with every change of the store.
    pub version: u64,
    /// Seconds since 1970.
    pub updated: u64,
}

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be made or looked at, or others can do so too.
    #[error("open the store")]
    File {
        /// Why not.
        #[source]
        cause: private_file::Error,
    },
    /// SQLite failed.
    #[error("query the store {}", path.display())]
    Sqlite {
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The content is not what this program wrote, or not for these keys.
    #[error("the store {} was changed from outside or belongs to another key", path.display())]
    Tampered {
        /// The store's file.
        path: PathBuf,
    },
    /// Sealing failed.
    #[error("seal a value for the store")]
    Seal {
        /// What the seal said.
        #[source]
        cause: seal::Error,
    },
    /// The value is empty or longer than [`MAX_VALUE`].
    #[error("the value has {length} bytes; the store takes 1 to {MAX_VALUE}")]
    Size {
        /// Its length.
        length: usize,
    },
    /// No answer within [`DEADLINE`].
    #[error("the store did not answer within {} s", DEADLINE.as_secs())]
    Slow,
}

// === impl Store ===

impl Store {
    /// Opens the store, or makes an empty one. Blocks for at most a few seconds.
    ///
    /// # Errors
    /// Everything but [`Error::Size`] and [`Error::Slow`].
    pub fn open(path: &Path, keys: Keyring) -> Result<Self, Error> {
        let connection = file::open(path)?;
        let inner = Inner {
            path: path.to_owned(),
            keys,
            connection: Mutex::new(connection),
            seen: AtomicU64::new(0),
        };
        inner.check()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Stores a value, in place of an older one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set(&self, user: &UserRef, name: &str, value: &SecretString) -> Result<(), Error> {
        let (user, name, value) = (user.clone(), name.to_owned(), value.clone());
        self.run(move |inner| inner.set(&user, &name, &value)).await
    }

    /// The value; `None` when there is none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get(&self, user: &UserRef, name: &str) -> Result<Option<SecretString>, Error> {
        let (user, name) = (user.clone(), name.to_owned());
        self.run(move |inner| inner.get(&user, &name)).await
    }

    /// What there is, without the values.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Listed>, Error> {
        let filter = filter.clone();
        self.run(move |inner| inner.list(&filter)).await
    }

    /// Removes a value; tells whether there was one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rm(&self, user: &UserRef, name: &str) -> Result<Removed, Error> {
        let (user, name) = (user.clone(), name.to_owned());
        self.run(move |inner| inner.rm(&user, &name)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || work(&inner));
        match tokio::time::timeout(DEADLINE, work).await {
            Ok(Ok(done)) => done,
            // A panic or a runtime that is going down: there will be no answer.
            Ok(Err(_)) | Err(_) => Err(Error::Slow),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was there.
    Gone,
    /// There was nothing.
    Absent,
}

// === impl Inner ===

impl Inner {
    fn sqlite(&self, cause: rusqlite::Error) -> Error {
        Error::Sqlite { path: self.path.clone(), cause }
    }

    fn tampered(&self) -> Error {
        Error::Tampered { path: self.path.clone() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, rusqlite::Connection> {
        // A transaction that panicked was rolled back when it was dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a head that is older than one this process has seen.
    fn remember(&self, generation: u64) -> Result<(), Error> {
        if self.seen.fetch_max(generation, Ordering::AcqRel) > generation {
            return Err(self.tampered());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
