//! What each network may cost an issuer: so many checks at once, and fewer when the tokens that it sends are refused.
//!
//! Anybody can make up tokens that only their issuer can tell from good ones. It knows networks, and nothing of tokens.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::clock::Clock;
use crate::auth::error::Error;

/// So many checks of one network's tokens run at once, a quarter of all.
const AT_ONCE: usize = 8;
/// So many tokens of one network may be refused in a row before it is slowed down: an office in the morning.
const REFUSALS: u32 = 128;
/// A slowed network may send one more token each time: then its checks take less than one of the issuer's places.
const REGAINED_EVERY: Duration = Duration::from_millis(125);
const MAX_NETWORKS: u64 = 10_000;
/// By then every refusal is forgiven.
const IDLE: Duration = Duration::from_secs(60);

/// On whose account an issuer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Asker {
    /// A token that nobody has vouched for, from the network with this first address.
    Network(IpAddr),
    /// A token that its issuer has called active before.
    Known,
}

/// The networks that sent something lately.
#[derive(Debug)]
pub(super) struct NetworkShares(Cache<IpAddr, Arc<Share>>);

#[derive(Debug)]
struct Share {
    places: Arc<Semaphore>,
    /// When all refusals will have been forgiven.
    forgiven: Mutex<Duration>,
}

// === impl NetworkShares ===

impl NetworkShares {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(MAX_NETWORKS).time_to_idle(IDLE).build())
    }

    /// A place among those of the network, waited for; none for one that is slowed down.
    pub(super) async fn enter(
        &self,
        network: IpAddr,
        clock: &Clock,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let share = self.of(network).await;
        let places = Arc::clone(&share.places);
        let place = places.acquire_owned().await.map_err(|_| Error::Busy)?;
        // Those who waited are told as well: otherwise a queue would have been let in before the first refusal.
        let forgiven = *share.forgiven();
        if forgiven > clock.steady() + REGAINED_EVERY * (REFUSALS - 1) {
            return Err(Error::Slowed);
        }
        Ok(place)
    }

    /// A token of the network was refused.
    pub(super) async fn refused(&self, network: IpAddr, now: Duration) {
        let share = self.of(network).await;
        let mut forgiven = share.forgiven();
        *forgiven = (*forgiven).max(now) + REGAINED_EVERY;
    }

    async fn of(&self, network: IpAddr) -> Arc<Share> {
        let fresh = || Share {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            forgiven: Mutex::new(Duration::ZERO),
        };
        self.0.get_with(network, async { Arc::new(fresh()) }).await
    }
}

// === impl Share ===

impl Share {
    fn forgiven(&self) -> MutexGuard<'_, Duration> {
        self.forgiven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
