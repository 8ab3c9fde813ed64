//! How many connections each network has, so that no one network takes all places, and no stranger those of its users.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::peer::Network;

/// The connections of each network.
#[derive(Debug, Default)]
pub(super) struct PerNetworkLimit(Mutex<HashMap<Network, Taken>>);

/// The connections of one network.
#[derive(Debug, Default)]
struct Taken {
    count: usize,
    next: u64,
    /// Those over which nobody has shown who he is, oldest first, and how each is told to end.
    strangers: BTreeMap<u64, Arc<Notify>>,
}

/// One connection's share of its network's.
#[derive(Debug)]
pub(super) struct Share {
    limit: Arc<PerNetworkLimit>,
    network: Network,
    number: u64,
    claimed: Arc<Notify>,
    is_vouched: AtomicBool,
}

// === impl PerNetworkLimit ===

impl PerNetworkLimit {
    /// A share of at most `most`. Where all of them are taken, the oldest connection of a stranger has to give up its own;
    /// `None` where there is no stranger.
    pub(super) fn take(limit: &Arc<Self>, network: Network, most: usize) -> Option<Arc<Share>> {
        let mut networks = limit.networks();
        let taken = networks.entry(network).or_default();
        if taken.count >= most {
            // Whoever is refused was not counted, and is only refused where somebody was.
            let (_, oldest) = taken.strangers.pop_first()?;
            oldest.notify_one();
        }
        let (number, claimed) = (taken.next, Arc::new(Notify::new()));
        taken.count += 1;
        taken.next += 1;
        taken.strangers.insert(number, Arc::clone(&claimed));
        let (limit, is_vouched) = (Arc::clone(limit), AtomicBool::new(false));
        Some(Arc::new(Share { limit, network, number, claimed, is_vouched }))
    }

    fn networks(&self) -> MutexGuard<'_, HashMap<Network, Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Share ===

impl Share {
    /// Somebody has shown who he is over this connection, which is his from now on.
    pub(super) fn vouch(&self) {
        if !self.is_vouched.swap(true, Ordering::Relaxed)
            && let Some(taken) = self.limit.networks().get_mut(&self.network)
        {
            taken.strangers.remove(&self.number);
        }
    }

    pub(super) fn is_vouched(&self) -> bool {
        self.is_vouched.load(Ordering::Relaxed)
    }

    /// Waits until somebody else gets it.
    pub(super) async fn claimed(&self) {
        self.claimed.notified().await;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut networks = self.limit.networks();
        if let Some(taken) = networks.get_mut(&self.network) {
            taken.strangers.remove(&self.number);
            taken.count -= 1;
            if taken.count == 0 {
                networks.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::around(address.parse().unwrap())
    }

    #[test]
    fn one_network_has_its_share() {
        let limit = Arc::new(PerNetworkLimit::default());
        let first = PerNetworkLimit::take(&limit, network("203.0.113.1"), 1).unwrap();
        first.vouch();
        assert!(PerNetworkLimit::take(&limit, network("203.0.113.2"), 1).is_none());
        assert!(PerNetworkLimit::take(&limit, network("198.51.100.1"), 1).is_some());
        drop(first);
        assert!(PerNetworkLimit::take(&limit, network("203.0.113.2"), 1).is_some());
        assert!(limit.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_oldest_stranger_gives_way() {
        let limit = Arc::new(PerNetworkLimit::default());
        let take = || PerNetworkLimit::take(&limit, network("127.0.0.1"), 3);
        let [user, oldest, younger] = [take(), take(), take()].map(Option::unwrap);
        user.vouch();
        let newest = take().unwrap();
        oldest.claimed().await;
        drop(oldest);
        younger.vouch();
        newest.vouch();
        assert!(take().is_none());
        drop((user, younger, newest));
        assert!(limit.0.lock().unwrap().is_empty());
    }
}
