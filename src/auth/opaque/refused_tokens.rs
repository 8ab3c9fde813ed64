//! The tokens that an issuer was asked about in vain, for a short while, so that the same ones cost it nothing.
//!
//! Short, because a refused token may become good: its issuer was behind, or its owner was let into a group. It keeps a
//! keyed hash of each, and no token.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use moka::future::Cache;
use sha2::Sha256;

use super::revocation_watch::Digest;
use crate::auth::denied::Denied;

/// How long a refusal is believed.
const BELIEVED: Duration = Duration::from_secs(10);
const MAX_REFUSALS: u64 = 10_000;

/// Refusals of the last seconds.
#[derive(Debug)]
pub(in crate::auth) struct RefusedTokens {
    key: [u8; 64],
    refused: Cache<Digest, (Denied, Duration)>,
}

// === impl RefusedTokens ===

impl RefusedTokens {
    pub(in crate::auth) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        let refused = Cache::builder().max_capacity(MAX_REFUSALS).time_to_live(BELIEVED).build();
        Ok(Self { key, refused })
    }

    /// Why the token was refused a moment ago, if it was.
    pub(in crate::auth) async fn get(&self, digest: &Digest, now: Duration) -> Option<Denied> {
        let (denied, until) = self.refused.get(&self.keyed(digest)).await?;
        (now < until).then_some(denied)
    }

    pub(in crate::auth) async fn insert(&self, digest: &Digest, denied: Denied, now: Duration) {
        self.refused.insert(self.keyed(digest), (denied, now + BELIEVED)).await;
    }

    fn keyed(&self, digest: &Digest) -> Digest {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(digest);
        mac.finalize().into_bytes().into()
    }
}
