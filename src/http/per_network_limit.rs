//! How many connections each network has, so that no one network takes all places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::peer::Network;

/// How many connections each network has.
#[derive(Debug, Default)]
pub(super) struct PerNetworkLimit(Mutex<HashMap<Network, usize>>);

/// One connection's share of its network's.
pub(super) struct Share {
    limit: Arc<PerNetworkLimit>,
    network: Network,
}

impl PerNetworkLimit {
    /// A share of at most `most`; `None` where all of them are taken.
    pub(super) fn take(limit: &Arc<Self>, network: Network, most: usize) -> Option<Share> {
        let mut counts = limit.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        // Whoever is refused was not counted, and is only refused where somebody was.
        (*count < most).then(|| {
            *count += 1;
            Share { limit: Arc::clone(limit), network }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.limit.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_its_share() {
        let limit = Arc::new(PerNetworkLimit::default());
        let network = |address: &str| Network::around(address.parse().unwrap());
        let first = PerNetworkLimit::take(&limit, network("203.0.113.1"), 1).unwrap();
        assert!(PerNetworkLimit::take(&limit, network("203.0.113.2"), 1).is_none());
        assert!(PerNetworkLimit::take(&limit, network("198.51.100.1"), 1).is_some());
        drop(first);
        assert!(PerNetworkLimit::take(&limit, network("203.0.113.2"), 1).is_some());
        assert!(limit.0.lock().unwrap().is_empty());
    }
}
