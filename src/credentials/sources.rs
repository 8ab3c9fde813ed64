//! Fetches what the options name for one user, once however many of his calls wait for it.
//!
//! It owns the way from source to value; the life of the value is its holder's.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::spec::Source;
use super::template::RenderError;
use super::vault::{Error as VaultError, Vault};
use super::{Credential, CredentialSet, CredentialSpec, Error, SharedWatch, WatchError};
use crate::auth::{Kind, Principal, UserId};
use crate::hex;
use crate::private_file::{self, Readers};
use crate::seal::bound;
use crate::store::{Store, UserRef, os_keyring};

/// All credentials of one user together.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(30);
/// A file system that hangs is given up after this.
const FILE_DEADLINE: Duration = Duration::from_secs(5);
/// More flights than this at once are fetched one by one.
const MAX_FLIGHTS: u64 = 10_000;
/// The calls of one flight get its value; the next call fetches anew.
const FLIGHT_LIFE: Duration = Duration::from_secs(1);

/// What sources may need.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    /// For `vault:`.
    pub vault: Option<Vault>,
    /// For `store:`.
    pub store: Option<Store>,
}

/// All sources of the configuration; a clone shares the flights.
#[derive(Clone)]
pub struct Sources {
    inner: Arc<Inner>,
}

struct Inner {
    specs: Vec<CredentialSpec>,
    backends: Backends,
    watch: SharedWatch,
    flights: Cache<Flight, SecretString>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Flight {
    user: UserId,
    spec: usize,
    rendered: Vec<String>,
}

// === impl Sources ===

impl Sources {
    /// The sources, with what they need.
    ///
    /// # Errors
    /// [`Error::Backend`] when a source needs what is not there.
    pub fn new(
        specs: Vec<CredentialSpec>,
        backends: Backends,
        watch: SharedWatch,
    ) -> Result<Self, Error> {
        for spec in &specs {
            let lacks = match &spec.source {
                Source::Vault { .. } if backends.vault.is_none() => "a vault (VAULT_ADDR)",
                Source::Store { .. } if backends.store.is_none() => "the store (--state-dir)",
                _ => continue,
            };
            return Err(Error::Backend { name: spec.name.clone(), backend: lacks });
        }
        Ok(Self {
            inner: Arc::new(Inner {
                specs,
                backends,
                watch,
                flights: Cache::builder()
                    .max_capacity(MAX_FLIGHTS)
                    .time_to_live(FLIGHT_LIFE)
                    .build(),
            }),
        })
    }

    /// Fetches everything for one user.
    ///
    /// # Errors
    /// [`Error`]; one source that fails fails them all.
    pub async fn fetch(&self, principal: &Principal) -> Result<CredentialSet, Error> {
        tokio::time::timeout(FETCH_DEADLINE, self.inner.fetch(principal))
            .await
            .unwrap_or(Err(Error::Slow))
    }

    /// A hash over all that decides what a child of this user may do: rendered templates, tenant, actors.
    ///
    /// # Errors
    /// [`Error::Render`] when a claim is missing or unfit.
    pub fn authority_digest(&self, principal: &Principal, extra: &[&str]) -> Result<String, Error> {
        let mut parts: Vec<String> = Vec::new();
        for spec in &self.inner.specs {
            parts.push(spec.name.clone());
            parts.extend(render(spec, principal)?);
        }
        let tenant = principal.user().tenant();
        parts.push(tenant.map_or_else(String::new, |tenant| format!("={tenant}")));
        let mut hash = Sha256::new();
        hash.update(list(parts.iter().map(String::as_str)));
        hash.update(list(principal.actors().iter().map(AsRef::as_ref)));
        hash.update(list(extra.iter().copied()));
        Ok(hex::encode(&hash.finalize()[..16]))
    }

    /// The names of all credentials, in the order of the options.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.specs.iter().map(CredentialSpec::name)
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("specs", &self.inner.specs).finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    async fn fetch(&self, principal: &Principal) -> Result<CredentialSet, Error> {
        let mut credentials = Vec::with_capacity(self.specs.len());
        for (at, spec) in self.specs.iter().enumerate() {
            let value = self.value(at, spec, principal).await?;
            let user = principal.user();
            let held = self.watch.admit(&spec.name, user, &value).map_err(|cause| match cause {
                WatchError::Shared { name } => Error::Shared { name },
                cause @ WatchError::Full { .. } => Error::Watch { name: spec.name.clone(), cause },
            })?;
            credentials.push(Credential {
                name: spec.name.clone(),
                delivery: spec.delivery,
                fingerprint: self.watch.fingerprint(&value),
                value,
                expires_at: None,
                source: spec.source_label().to_owned(),
                _held: Arc::new(held),
            });
        }
        Ok(CredentialSet { credentials })
    }

    /// One flight for all who ask for the same at the same time.
    async fn value(
        &self,
        at: usize,
        spec: &CredentialSpec,
        principal: &Principal,
    ) -> Result<SecretString, Error> {
        // The store knows people by their names alone, and a service may be called like one of them.
        if matches!(spec.source, Source::Store { .. }) && principal.kind() == Kind::Machine {
            return Err(absent(spec, None));
        }
        let flight =
            Flight { user: principal.user().clone(), spec: at, rendered: render(spec, principal)? };
        let work = self.ask(spec, &flight);
        let value = self.flights.try_get_with_by_ref(&flight, work).await;
        self.flights.invalidate(&flight).await;
        value.map_err(Error::Again)
    }

    async fn ask(&self, spec: &CredentialSpec, flight: &Flight) -> Result<SecretString, Error> {
        let rendered: Vec<&str> = flight.rendered.iter().map(String::as_str).collect();
        let missing = || absent(spec, None);
        let value = match (&spec.source, rendered.as_slice()) {
            (Source::Vault { .. }, [path, field]) => {
                let vault = self.backends.vault.as_ref().ok_or_else(missing)?;
                vault.read(path, field).await.map_err(|cause| match cause {
                    VaultError::Absent { .. } | VaultError::Field { .. } => {
                        absent(spec, Some(cause.into()))
                    }
                    cause => failed(spec, cause),
                })?
            }
            (Source::Store { name }, _) => {
                let store = self.backends.store.as_ref().ok_or_else(missing)?;
                let found = store.get(&user_ref(&flight.user), name).await;
                found.map_err(|cause| failed(spec, cause))?.ok_or_else(missing)?
            }
            (Source::Keyring { .. }, [service, account]) => {
                let found = os_keyring::get(service, account).await;
                found.map_err(|cause| failed(spec, cause))?.ok_or_else(missing)?
            }
            (Source::File { .. }, [path]) => {
                let path = std::path::PathBuf::from(path);
                let work = tokio::task::spawn_blocking(move || {
                    private_file::read_secret(&path, Readers::Others)
                });
                let read = match tokio::time::timeout(FILE_DEADLINE, work).await {
                    Ok(Ok(read)) => read,
                    Ok(Err(cause)) => return Err(failed(spec, cause)),
                    Err(cause) => return Err(failed(spec, cause)),
                };
                read.map_err(|cause| match cause {
                    private_file::Error::Absent { .. } => absent(spec, Some(cause.into())),
                    cause => failed(spec, cause),
                })?
            }
            (Source::Env { variable }, _) => {
                std::env::var(variable).map(SecretString::from).map_err(|_| missing())?
            }
            _ => return Err(missing()),
        };
        // A value that no variable can hold would fail later, where nobody knows whose fault it is.
        let text = value.expose_secret();
        if text.is_empty() || text.contains('\0') || text.len() > private_file::MAX_SECRET {
            return Err(missing());
        }
        Ok(value)
    }
}

fn render(spec: &CredentialSpec, principal: &Principal) -> Result<Vec<String>, Error> {
    let rendered: Result<Vec<String>, RenderError> = match &spec.source {
        Source::Vault { path, field } => path
            .render_url_path(principal)
            .and_then(|path| Ok(vec![path, field.render_path(principal)?])),
        source => {
            source.templates().into_iter().map(|template| template.render_path(principal)).collect()
        }
    };
    rendered.map_err(|cause| Error::Render { name: spec.name.clone(), cause })
}

fn user_ref(user: &UserId) -> UserRef {
    UserRef {
        issuer: user.issuer().to_owned(),
        tenant: user.tenant().map(str::to_owned),
        subject: user.subject().to_owned(),
    }
}

fn absent(spec: &CredentialSpec, cause: Option<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Absent { name: spec.name.clone(), label: spec.source_label().to_owned(), cause }
}

fn failed(spec: &CredentialSpec, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Source {
        name: spec.name.clone(),
        label: spec.source_label().to_owned(),
        cause: Box::new(cause),
    }
}

/// A list as bytes that no other list has.
fn list<'t>(parts: impl Iterator<Item = &'t str>) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.map(str::as_bytes).collect();
    bound(&(parts.len() as u64).to_be_bytes(), &parts)
}

#[cfg(test)]
mod tests;
