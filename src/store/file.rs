//! The SQLite side of the store: the schema, the rows and the sealed head over all of them.
//!
//! Every function here blocks; the deadlines are the parent's.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{BUSY, Error, Filter, Inner, Listed, MAX_VALUE, Removed, UserRef};
use crate::private_file;
use crate::seal::{KeyId, bound};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS secret (
        issuer TEXT NOT NULL, tenant TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL, updated INTEGER NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (issuer, tenant, subject, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL) STRICT;
";
const ROW_BINDING: &[u8] = b"mcpwrap store row 1";
const HEAD_BINDING: &[u8] = b"mcpwrap store head 1";

/// What the sealed head says: how many changes there were, and a hash over all rows.
struct Head {
    generation: u64,
    rows: [u8; 32],
}

pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    // SQLite would make the file with the umask's mode; its side files take over the mode it finds.
    private_file::open_or_create(path).map_err(|cause| Error::File { cause })?;
    let setup = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.execute_batch(SCHEMA)?;
        Ok(connection)
    };
    setup().map_err(|cause| Error::Sqlite { path: path.to_owned(), cause })
}

// === impl Inner ===

impl Inner {
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut connection = self.lock();
        let transaction = self.begin(&mut connection, TransactionBehavior::Deferred)?;
        self.verify(&transaction).map(drop)
    }

    pub(super) fn set(
        &self,
        user: &UserRef,
        name: &str,
        value: &SecretString,
    ) -> Result<(), Error> {
        let value = value.expose_secret();
        if value.is_empty() || value.len() > MAX_VALUE {
            return Err(Error::Size { length: value.len() });
        }
        let mut connection = self.lock();
        let transaction = self.begin(&mut connection, TransactionBehavior::Immediate)?;
        let version = self.verify(&transaction)? + 1;
        let updated =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let row = row_binding(user, name, version, updated);
        let sealed = self
            .keys
            .seal_with(&row, key_binding, value.as_bytes())
            .map_err(|cause| Error::Seal { cause })?;
        transaction
            .execute(
                "INSERT OR REPLACE INTO secret VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    user.issuer,
                    tenant_text(user),
                    user.subject,
                    name,
                    version.cast_signed(),
                    updated.cast_signed(),
                    sealed
                ],
            )
            .map_err(|cause| self.sqlite(cause))?;
        self.commit(transaction, version)
    }

    pub(super) fn get(&self, user: &UserRef, name: &str) -> Result<Option<SecretString>, Error> {
        let mut connection = self.lock();
        let transaction = self.begin(&mut connection, TransactionBehavior::Deferred)?;
        self.verify(&transaction)?;
        let found: Option<(i64, i64, Vec<u8>)> = transaction
            .query_row(
                "SELECT version, updated, sealed FROM secret
                 WHERE issuer = ? AND tenant = ? AND subject = ? AND name = ?",
                params![user.issuer, tenant_text(user), user.subject, name],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(|cause| self.sqlite(cause))?;
        let Some((version, updated, sealed)) = found else {
            return Ok(None);
        };
        let row = row_binding(user, name, version.cast_unsigned(), updated.cast_unsigned());
        let value = self.keys.open_with(&row, key_binding, &sealed).map_err(|_| self.tampered())?;
        let value = str::from_utf8(&value).map_err(|_| self.tampered())?;
        Ok(Some(SecretString::from(value)))
    }

    pub(super) fn list(&self, filter: &Filter) -> Result<Vec<Listed>, Error> {
        let mut connection = self.lock();
        let transaction = self.begin(&mut connection, TransactionBehavior::Deferred)?;
        self.verify(&transaction)?;
        let mut listed = self.rows(&transaction)?;
        listed.retain(|entry| {
            filter.user.as_ref().is_none_or(|user| *user == entry.user)
                && filter.name.as_ref().is_none_or(|name| *name == entry.name)
        });
        Ok(listed)
    }

    pub(super) fn rm(&self, user: &UserRef, name: &str) -> Result<Removed, Error> {
        let mut connection = self.lock();
        let transaction = self.begin(&mut connection, TransactionBehavior::Immediate)?;
        let generation = self.verify(&transaction)?;
        let count = transaction
            .execute(
                "DELETE FROM secret WHERE issuer = ? AND tenant = ? AND subject = ? AND name = ?",
                params![user.issuer, tenant_text(user), user.subject, name],
            )
            .map_err(|cause| self.sqlite(cause))?;
        if count == 0 {
            return Ok(Removed::Absent);
        }
        self.commit(transaction, generation + 1)?;
        Ok(Removed::Gone)
    }

    fn begin<'c>(
        &self,
        connection: &'c mut Connection,
        behavior: TransactionBehavior,
    ) -> Result<Transaction<'c>, Error> {
        connection.transaction_with_behavior(behavior).map_err(|cause| self.sqlite(cause))
    }

    /// Compares the rows with the head and returns its generation.
    fn verify(&self, transaction: &Transaction<'_>) -> Result<u64, Error> {
        let sealed: Option<Vec<u8>> = transaction
            .query_row("SELECT sealed FROM head", [], |row| row.get(0))
            .optional()
            .map_err(|cause| self.sqlite(cause))?;
        let rows = self.rows(transaction)?;
        let Some(sealed) = sealed else {
            // A store without a head is one that nobody has written to yet.
            self.remember(0)?;
            return if rows.is_empty() { Ok(0) } else { Err(self.tampered()) };
        };
        let plain =
            self.keys.open_with(HEAD_BINDING, key_binding, &sealed).map_err(|_| self.tampered())?;
        let head = Head::parse(&plain).ok_or_else(|| self.tampered())?;
        if head.rows != digest(&rows) {
            return Err(self.tampered());
        }
        self.remember(head.generation)?;
        Ok(head.generation)
    }

    fn commit(&self, transaction: Transaction<'_>, generation: u64) -> Result<(), Error> {
        let head = Head { generation, rows: digest(&self.rows(&transaction)?) };
        let sealed = self
            .keys
            .seal_with(HEAD_BINDING, key_binding, &head.to_bytes())
            .map_err(|cause| Error::Seal { cause })?;
        transaction
            .execute("INSERT OR REPLACE INTO head VALUES (1, ?)", [sealed])
            .and_then(|_| transaction.commit())
            .map_err(|cause| self.sqlite(cause))?;
        self.remember(generation)
    }

    fn rows(&self, transaction: &Transaction<'_>) -> Result<Vec<Listed>, Error> {
        let read = || -> rusqlite::Result<Vec<Listed>> {
            transaction
                .prepare_cached(
                    "SELECT issuer, tenant, subject, name, version, updated FROM secret
                     ORDER BY issuer, tenant, subject, name",
                )?
                .query_map([], |row| {
                    let tenant: String = row.get(1)?;
                    Ok(Listed {
                        user: UserRef {
                            issuer: row.get(0)?,
                            tenant: tenant.strip_prefix('=').map(str::to_owned),
                            subject: row.get(2)?,
                        },
                        name: row.get(3)?,
                        version: row.get::<_, i64>(4)?.cast_unsigned(),
                        updated: row.get::<_, i64>(5)?.cast_unsigned(),
                    })
                })?
                .collect()
        };
        read().map_err(|cause| self.sqlite(cause))
    }
}

// === impl Head ===

impl Head {
    fn parse(plain: &[u8]) -> Option<Self> {
        let (generation, rows) = plain.split_first_chunk::<8>()?;
        Some(Self { generation: u64::from_be_bytes(*generation), rows: rows.try_into().ok()? })
    }

    fn to_bytes(&self) -> Vec<u8> {
        [self.generation.to_be_bytes().as_slice(), &self.rows].concat()
    }
}

fn digest(rows: &[Listed]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for row in rows {
        hash.update(row_binding(&row.user, &row.name, row.version, row.updated));
    }
    hash.finalize().into()
}

/// "No tenant" and "a tenant without a name" are different users.
fn tenant_text(user: &UserRef) -> String {
    user.tenant.as_ref().map_or_else(String::new, |tenant| format!("={tenant}"))
}

pub(super) fn row_binding(user: &UserRef, name: &str, version: u64, updated: u64) -> Vec<u8> {
    bound(
        ROW_BINDING,
        &[
            user.issuer.as_bytes(),
            tenant_text(user).as_bytes(),
            user.subject.as_bytes(),
            name.as_bytes(),
            &version.to_be_bytes(),
            &updated.to_be_bytes(),
        ],
    )
}

fn key_binding(id: KeyId) -> Vec<u8> {
    id.as_bytes().to_vec()
}
