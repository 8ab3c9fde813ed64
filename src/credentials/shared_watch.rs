//! Remembers whose each injected value is, and refuses it to anybody else.
//!
//! It keeps keyed hashes, not values, and knows nothing of sources.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::auth::UserId;
use crate::hex;

/// Values that no child holds any more are forgotten beyond this many.
pub const MAX_VALUES: usize = 100_000;

/// Remembers which user each value belongs to; a clone shares the memory.
#[derive(Clone)]
pub struct SharedWatch {
    inner: Arc<Inner>,
}

struct Inner {
    /// As long as a block of the hash.
    key: [u8; 64],
    exempt: BTreeSet<String>,
    limit: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    clock: u64,
    values: HashMap<[u8; 32], ValueUse>,
}

struct ValueUse {
    user: UserId,
    live: usize,
    last: u64,
}

/// A value that a child holds: as long as this lives, its value is not forgotten.
#[must_use = "the value may be forgotten once this is dropped"]
pub struct LiveValue {
    watch: SharedWatch,
    value: Option<[u8; 32]>,
}

/// Why a value is not handed out.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Another user has the same value.
    #[error("the value of {name} already belongs to another user")]
    Shared {
        /// The credential's name.
        name: String,
    },
    /// All remembered values are live.
    #[error("remember the value of {name}: {limit} values are live already")]
    Full {
        /// The credential's name.
        name: String,
        /// The bound.
        limit: usize,
    },
}

// === impl SharedWatch ===

impl SharedWatch {
    /// A watch that lets the exempt names pass.
    ///
    /// # Errors
    /// When the system gives no random key.
    pub fn new(allow_shared: &[String]) -> Result<Self, getrandom::Error> {
        Self::with_limit(allow_shared, MAX_VALUES)
    }

    fn with_limit(allow_shared: &[String], limit: usize) -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        let inner = Inner {
            key,
            exempt: allow_shared.iter().cloned().collect(),
            limit,
            seen: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Notes that this user gets this value.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn admit(
        &self,
        name: &str,
        user: &UserId,
        value: &SecretString,
    ) -> Result<LiveValue, WatchError> {
        let pass = |value| LiveValue { watch: self.clone(), value };
        if self.inner.exempt.contains(name) {
            return Ok(pass(None));
        }
        let value = self.digest(value);
        let mut seen = self.lock();
        seen.clock += 1;
        let now = seen.clock;
        if let Some(owner) = seen.values.get_mut(&value) {
            if owner.user != *user {
                return Err(WatchError::Shared { name: name.to_owned() });
            }
            owner.live += 1;
            owner.last = now;
        } else {
            if seen.values.len() >= self.inner.limit {
                seen.forget_some();
            }
            if seen.values.len() >= self.inner.limit {
                return Err(WatchError::Full { name: name.to_owned(), limit: self.inner.limit });
            }
            let owner = ValueUse { user: user.clone(), live: 1, last: now };
            seen.values.insert(value, owner);
        }
        drop(seen);
        Ok(pass(Some(value)))
    }

    /// Names a value in logs without telling it: good for this process alone.
    #[must_use]
    pub fn fingerprint(&self, value: &SecretString) -> String {
        hex::encode(&self.digest(value)[..8])
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.lock().values.len()
    }

    fn digest(&self, value: &SecretString) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new(&self.inner.key.into());
        // White space around a value does not make it another one.
        mac.update(value.expose_secret().trim().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedWatch").finish_non_exhaustive()
    }
}

// === impl Seen ===

impl Seen {
    /// Forgets the older half of what no child holds; the live ones stay, whatever their age.
    fn forget_some(&mut self) {
        let mut ages: Vec<u64> =
            self.values.values().filter(|owner| owner.live == 0).map(|owner| owner.last).collect();
        ages.sort_unstable();
        if let Some(limit) = ages.get(ages.len() / 2).copied() {
            self.values.retain(|_, owner| owner.live > 0 || owner.last > limit);
        }
    }
}

// === impl LiveValue ===

impl std::fmt::Debug for LiveValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveValue").finish_non_exhaustive()
    }
}

impl Drop for LiveValue {
    fn drop(&mut self) {
        if let Some(value) = self.value {
            let mut seen = self.watch.lock();
            if let Some(owner) = seen.values.get_mut(&value) {
                owner.live = owner.live.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
