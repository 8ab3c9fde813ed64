//! The introspected tokens whose principals are still in use, so that a withdrawn one ends what it started.
//!
//! Only tokens on whose end somebody waits are asked about again. It holds the tokens themselves, and
//! gives them to nobody but the verifier.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;

use super::principal::Standing;

/// Beyond this many tokens in use a new one is not watched, and lives only as long as its answer is believed.
const MAX_WATCHED: usize = 65_536;
/// A token that the issuer cannot confirm for so long ends as if withdrawn.
const UNCONFIRMED: Duration = Duration::from_secs(10 * 60);

pub(super) type Digest = [u8; 32];

/// The tokens under watch.
#[derive(Debug, Default)]
pub(super) struct Roll(Mutex<HashMap<Digest, Entry>>);

#[derive(Debug)]
struct Entry {
    standing: Weak<watch::Sender<Standing>>,
    token: SecretString,
    issuer: usize,
    asked: Duration,
    confirmed: Duration,
}

/// A token that should be asked about again.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) digest: Digest,
    pub(super) token: SecretString,
    pub(super) issuer: usize,
}

// === impl Roll ===

impl Roll {
    /// The standing of an active token; every principal of the same token shares it. `None` if the roll is full.
    pub(super) fn confirm(
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
            Entry {
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
    pub(super) fn revoke(&self, digest: &Digest) {
        let Some(entry) = self.entries().remove(digest) else {
            return;
        };
        if let Some(standing) = entry.standing.upgrade() {
            standing.send_replace(Standing::Revoked);
        }
    }

    /// The tokens on whose end somebody waits and that were not asked about for `interval`.
    pub(super) fn due(&self, now: Duration, interval: Duration) -> Vec<Due> {
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

    fn entries(&self) -> MutexGuard<'_, HashMap<Digest, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn only_a_token_that_somebody_waits_for_is_due() {
        let roll = Roll::default();
        let standing = roll.confirm([1; 32], "t", 0, Duration::ZERO).unwrap();
        assert!(roll.due(MINUTE, MINUTE).is_empty());
        let _waiter = standing.subscribe();
        assert!(roll.due(MINUTE / 2, MINUTE).is_empty());
        assert_eq!(roll.due(MINUTE, MINUTE).len(), 1);
        assert!(roll.due(MINUTE, MINUTE).is_empty(), "asked a moment ago");
    }

    #[test]
    fn a_revoked_token_ends_for_all_of_its_principals() {
        let roll = Roll::default();
        let first = roll.confirm([1; 32], "t", 0, Duration::ZERO).unwrap();
        let second = roll.confirm([1; 32], "t", 0, MINUTE).unwrap();
        roll.revoke(&[1; 32]);
        assert_eq!(*first.borrow(), Standing::Revoked);
        assert_eq!(*second.borrow(), Standing::Revoked);
        let third = roll.confirm([1; 32], "t", 0, MINUTE).unwrap();
        assert_eq!(*third.borrow(), Standing::Active);
    }

    #[test]
    fn a_token_that_nobody_can_confirm_ends() {
        let roll = Roll::default();
        let standing = roll.confirm([1; 32], "t", 0, Duration::ZERO).unwrap();
        let _waiter = standing.subscribe();
        assert_eq!(roll.due(MINUTE * 10, MINUTE).len(), 1);
        assert!(roll.due(MINUTE * 12, MINUTE).is_empty());
        assert_eq!(*standing.borrow(), Standing::Revoked);
    }

    #[test]
    fn a_token_that_nobody_uses_is_forgotten() {
        let roll = Roll::default();
        drop(roll.confirm([1; 32], "t", 0, Duration::ZERO));
        assert!(roll.due(MINUTE, MINUTE).is_empty());
        assert!(roll.entries().is_empty());
    }
}
