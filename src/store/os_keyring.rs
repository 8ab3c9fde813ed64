//! The keyring of the operating system, asked without blocking the runtime.
//!
//! The connection is made anew for each request: one that failed at start-up must not fail for ever.

use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Error as Cause};
use secrecy::{ExposeSecret as _, SecretString};

/// A keyring that asks a person for a password takes longer, and is then refused.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Why the keyring does not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is absent, locked, or refused the request.
    #[error("ask the os keyring for {service}/{account}")]
    Keyring {
        /// The entry's service.
        service: String,
        /// The entry's account.
        account: String,
        /// What the keyring said.
        #[source]
        cause: Cause,
    },
    /// No answer within [`DEADLINE`].
    #[error("the os keyring did not answer within {} s", DEADLINE.as_secs())]
    Slow,
}

/// The value of an entry; `None` when there is none.
///
/// # Errors
/// [`Error`].
pub async fn get(service: &str, account: &str) -> Result<Option<SecretString>, Error> {
    run(service, account, |entry| match entry.get_password() {
        Ok(value) => Ok(Some(SecretString::from(value))),
        Err(Cause::NoEntry) => Ok(None),
        Err(cause) => Err(cause),
    })
    .await
}

/// Stores the value of an entry.
///
/// # Errors
/// [`Error`].
pub async fn set(service: &str, account: &str, value: &SecretString) -> Result<(), Error> {
    let value = value.clone();
    run(service, account, move |entry| entry.set_password(value.expose_secret())).await
}

/// Removes an entry; tells whether there was one.
///
/// # Errors
/// [`Error`].
pub async fn rm(service: &str, account: &str) -> Result<super::Removed, Error> {
    run(service, account, |entry| match entry.delete_credential() {
        Ok(()) => Ok(super::Removed::Gone),
        Err(Cause::NoEntry) => Ok(super::Removed::Absent),
        Err(cause) => Err(cause),
    })
    .await
}

async fn run<T: Send + 'static>(
    service: &str,
    account: &str,
    work: impl FnOnce(&keyring_core::Entry) -> Result<T, Cause> + Send + 'static,
) -> Result<T, Error> {
    let (service, account) = (service.to_owned(), account.to_owned());
    let work = tokio::task::spawn_blocking(move || {
        connect()
            .and_then(|store| store.build(&service, &account, None))
            .and_then(|entry| work(&entry))
            .map_err(|cause| Error::Keyring { service, account, cause: without_bytes(cause) })
    });
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) | Err(_) => Err(Error::Slow),
    }
}

/// Two of the causes carry the secret that could not be read; an error is printed, so they must not.
fn without_bytes(cause: Cause) -> Cause {
    match cause {
        Cause::BadEncoding(_) => Cause::BadEncoding(Vec::new()),
        Cause::BadDataFormat(_, cause) => Cause::BadDataFormat(Vec::new(), cause),
        other => other,
    }
}

#[cfg(all(target_os = "linux", not(mcpwrap_portable)))]
fn connect() -> Result<Arc<CredentialStore>, Cause> {
    let store = zbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

#[cfg(not(all(target_os = "linux", not(mcpwrap_portable))))]
fn connect() -> Result<Arc<CredentialStore>, Cause> {
    Err(Cause::NotSupportedByStore("no keyring is supported on this system yet".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_secret_does_not_reach_the_error() {
        for cause in [
            Cause::BadEncoding(b"s3cret".to_vec()),
            Cause::BadDataFormat(b"s3cret".to_vec(), "why".into()),
        ] {
            let shown = format!("{:?}", without_bytes(cause));
            assert!(!shown.contains("115, 51, 99"), "{shown}");
        }
    }
}
