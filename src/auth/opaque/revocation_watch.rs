//! The introspected tokens whose principals are still in use, so that a withdrawn one ends what it started.
//!
//! Only tokens on whose end somebody waits are asked about again. It holds the tokens themselves, and
//! gives them to nobody but the verifier.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;

use crate::auth::principal::token_life::Standing;

/// Beyond this many tokens in use a new one is not watched, and lives only as long as its answer is believed.
const MAX_WATCHED: usize = 65_536;
/// A token that the issuer cannot confirm for so long ends as if withdrawn.
const UNCONFIRMED: Duration = Duration::from_secs(10 * 60);

pub(in crate::auth) type Digest = [u8; 32];

/// The tokens under watch.
#[derive(Debug, Default)]
pub(in crate::auth) struct RevocationWatch(Mutex<HashMap<Digest, WatchedToken>>);

#[derive(Debug)]
struct WatchedToken {
    standing: Weak<watch::Sender<Standing>>,
    token: SecretString,
    issuer: usize,
    asked: Duration,
    confirmed: Duration,
}

/// A token that should be asked about again.
#[derive(Debug)]
pub(in crate::auth) struct Due {
    pub(in crate::auth) digest: Digest,
    pub(in crate::auth) token: SecretString,
    pub(in crate::auth) issuer: usize,
}

// === impl RevocationWatch ===

impl RevocationWatch {
    /// The standing of an active token; every principal of the same token shares it. `None` if too many are watched.
    pub(in crate::auth) fn confirm(
        &self,
        digest: Digest,
        token: &str,
        issuer: usize,
        now: Duration,
    ) -> Option<Arc<watch::Sender<Standing>>> {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(&digest)
            && let Some(standing) = entry.standing.upgrade()
            && *standing.borrow() == Standing::Active
        {
            entry.asked = now;
            entry.confirmed = now;
            return Some(standing);
        }
        if entries.len() >= MAX_WATCHED {
            entries.retain(|_, entry| entry.standing.strong_count() > 0);
        }
        if entries.len() >= MAX_WATCHED {
            return None;
        }
        let standing = Arc::new(watch::Sender::new(Standing::Active));
        entries.insert(
            digest,
            WatchedToken {
                standing: Arc::downgrade(&standing),
                token: token.into(),
                issuer,
                asked: now,
                confirmed: now,
            },
        );
        Some(standing)
    }

    /// Ends everything that waits for this token's end.
    pub(in crate::auth) fn revoke(&self, digest: &Digest) {
        let Some(entry) = self.entries().remove(digest) else {
            return;
        };
        if let Some(standing) = entry.standing.upgrade() {
            standing.send_replace(Standing::Revoked);
        }
    }

    /// The tokens on whose end somebody waits and that were not asked about for `interval`.
    pub(in crate::auth) fn due(&self, now: Duration, interval: Duration) -> Vec<Due> {
        let mut due = Vec::new();
        self.entries().retain(|digest, entry| {
            let Some(standing) = entry.standing.upgrade() else {
                return false;
            };
            if standing.receiver_count() == 0 || now.saturating_sub(entry.asked) < interval {
                return true;
            }
            if now.saturating_sub(entry.confirmed) > UNCONFIRMED.max(interval * 2) {
                standing.send_replace(Standing::Revoked);
                return false;
            }
            entry.asked = now;
            due.push(Due { digest: *digest, token: entry.token.clone(), issuer: entry.issuer });
            true
        });
        due
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Digest, WatchedToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn only_a_token_that_somebody_waits_for_is_due() {
        let watch = RevocationWatch::default();
        let standing = watch.confirm([1; 32], "t", 0, Duration::ZERO).unwrap();
        assert!(watch.due(MINUTE, MINUTE).is_empty());
        let _waiter = standing.subscribe();
        assert!(watch.due(MINUTE / 2, MINUTE).is_empty());
        assert_eq!(watch.due(MINUTE, MINUTE).len(), 1);
        assert!(watch.due(MINUTE, MINUTE).is_empty(), "asked a moment ago");
    }

    #[test]
    fn a_revoked_token_ends_for_all_of_its_principals() {
        let watch = RevocationWatch::default();
        let first = watch.confirm([1; 32], "t", 0, Duration::ZERO).unwrap();
        let second = watch.confirm([1; 32], "t", 0, MINUTE).unwrap();
        watch.revoke(&[1; 32]);
        assert_eq!(*first.borrow(), Standing::Revoked);
        assert_eq!(*second.borrow(), Standing::Revoked);
        let third = watch.confirm([1; 32], "t", 0, MINUTE).unwrap();
        assert_eq!(*third.borrow(), Standing::Active);
    }

    #[test]
    fn a_token_that_nobody_can_confirm_ends() {
        let watch = RevocationWatch::default();
        let standing = watch.confirm([1; 32], "t", 0, Duration::ZERO).unwrap();
        let _waiter = standing.subscribe();
        assert_eq!(watch.due(MINUTE * 10, MINUTE).len(), 1);
        assert!(watch.due(MINUTE * 12, MINUTE).is_empty());
        assert_eq!(*standing.borrow(), Standing::Revoked);
    }

    #[test]
    fn a_token_that_nobody_uses_is_forgotten() {
        let watch = RevocationWatch::default();
        drop(watch.confirm([1; 32], "t", 0, Duration::ZERO));
        assert!(watch.due(MINUTE, MINUTE).is_empty());
        assert!(watch.entries().is_empty());
    }
}
