//! Fetches what the options name for one user, once however many of his calls wait for it.
//!
//! It owns the way from source to value; the life of the value is its holder's.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::fetched::{FetchError, Fetched};
use super::source::Backends;
use super::{Credential, CredentialSet, CredentialSpec, Error, SharedWatch, WatchError};
use crate::auth::{Principal, UserId};
use crate::hex;
use crate::private_file::MAX_SECRET;
use crate::seal::bound;

/// All credentials of one user together.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(30);
/// More flights than this at once are fetched one by one.
const MAX_FLIGHTS: u64 = 10_000;
/// The calls of one flight get its value; the next call fetches anew.
const FLIGHT_LIFE: Duration = Duration::from_secs(1);

/// All sources of the configuration; a clone shares the flights.
#[derive(Clone)]
pub struct Sources {
    inner: Arc<Inner>,
}

struct Inner {
    specs: Vec<CredentialSpec>,
    backends: Backends,
    watch: SharedWatch,
    flights: Cache<Flight, Fetched>,
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
            if let Some(backend) = spec.source.lacks(&backends) {
                return Err(Error::Backend { name: spec.name.clone(), backend });
            }
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
            let Fetched { value, expires_at } = self.one(at, spec, principal).await?;
            let user = principal.user();
            let live = self.watch.admit(&spec.name, user, &value).map_err(|cause| match cause {
                WatchError::Shared { name } => Error::Shared { name },
                cause @ WatchError::Full { .. } => Error::Watch { name: spec.name.clone(), cause },
            })?;
            credentials.push(Credential {
                name: spec.name.clone(),
                delivery: spec.delivery,
                fingerprint: self.watch.fingerprint(&value),
                value,
                expires_at,
                source: spec.source_label().to_owned(),
                _live: Arc::new(live),
            });
        }
        Ok(CredentialSet { credentials })
    }

    /// One flight for all who ask for the same at the same time.
    async fn one(
        &self,
        at: usize,
        spec: &CredentialSpec,
        principal: &Principal,
    ) -> Result<Fetched, Error> {
        let flight =
            Flight { user: principal.user().clone(), spec: at, rendered: render(spec, principal)? };
        let work = self.ask(spec, principal);
        let fetched = self.flights.try_get_with_by_ref(&flight, work).await;
        self.flights.invalidate(&flight).await;
        fetched.map_err(Error::Again)
    }

    async fn ask(&self, spec: &CredentialSpec, principal: &Principal) -> Result<Fetched, Error> {
        let (name, label) = (spec.name.clone(), spec.source_label().to_owned());
        let fetched = match spec.source.fetch(principal, &self.backends).await {
            Ok(fetched) => fetched,
            Err(FetchError::Render { cause }) => return Err(Error::Render { name, cause }),
            Err(FetchError::Absent { cause }) => return Err(Error::Absent { name, label, cause }),
            Err(FetchError::Failed { cause }) => return Err(Error::Source { name, label, cause }),
        };
        // A value that no variable can hold would fail later, where nobody knows whose fault it is.
        let text = fetched.value.expose_secret();
        if text.is_empty() || text.contains('\0') || text.len() > MAX_SECRET {
            return Err(Error::Absent { name, label, cause: None });
        }
        Ok(fetched)
    }
}

fn render(spec: &CredentialSpec, principal: &Principal) -> Result<Vec<String>, Error> {
    let rendered = spec.source.rendered(principal);
    rendered.map_err(|cause| Error::Render { name: spec.name.clone(), cause })
}

/// A list as bytes that no other list has.
fn list<'t>(parts: impl Iterator<Item = &'t str>) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.map(str::as_bytes).collect();
    bound(&(parts.len() as u64).to_be_bytes(), &parts)
}

#[cfg(test)]
mod tests;
