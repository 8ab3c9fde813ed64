//! Which token a principal came with, and how long its life lasts.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::auth::clock::Clock;
use crate::hex;

/// How long [`Life::ended`] sleeps at most before it looks at the wall clock again: a suspended machine
/// wakes up later than any timer thinks.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Which token it was, without being it: the first half of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

/// How a token's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time is over.
    Expired,
    /// The issuer says that it is no longer active.
    Revoked,
}

/// Whether the issuer still stands by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Standing {
    Active,
    Revoked,
}

/// How long a token may authorise anything.
#[derive(Clone)]
pub(in crate::auth) struct Life {
    pub(in crate::auth) clock: Clock,
    /// The expiry with the leeway that was granted.
    pub(in crate::auth) until: Option<SystemTime>,
    pub(in crate::auth) standing: Option<Arc<watch::Sender<Standing>>>,
}

// === impl Fingerprint ===

impl Fingerprint {
    pub(in crate::auth) fn of(sha256: &[u8; 32]) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&sha256[..16]);
        Self(half)
    }

    /// The same as bytes, for a key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", hex::encode(&self.0[..4]))
    }
}

// === impl Life ===

impl Life {
    /// Whether it lasts.
    pub(super) fn lasts(&self) -> bool {
        let revoked =
            |standing: &Arc<watch::Sender<Standing>>| *standing.borrow() == Standing::Revoked;
        self.left() != Some(Duration::ZERO) && !self.standing.as_ref().is_some_and(revoked)
    }

    /// Resolves when it is over.
    pub(super) async fn ended(&self) -> End {
        tokio::select! {
            () = self.revoked() => End::Revoked,
            () = self.over() => End::Expired,
        }
    }

    fn left(&self) -> Option<Duration> {
        let until = self.until?;
        Some(until.duration_since(self.clock.now()).unwrap_or(Duration::ZERO))
    }

    async fn over(&self) {
        loop {
            match self.left() {
                None => std::future::pending().await,
                Some(Duration::ZERO) => return,
                Some(left) => tokio::time::sleep(left.min(LOOK_AGAIN)).await,
            }
        }
    }

    async fn revoked(&self) {
        let Some(standing) = &self.standing else {
            return std::future::pending().await;
        };
        // The sender is ours, so that waiting cannot fail.
        let _ = standing.subscribe().wait_for(|standing| *standing == Standing::Revoked).await;
    }
}
