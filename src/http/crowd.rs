//! How many connections each network has, so that no one network takes all places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::peer::Network;

/// How many connections each network has.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<HashMap<Network, usize>>);

/// One connection's share of its network's.
pub(super) struct Share {
    crowd: Arc<Crowd>,
    network: Network,
}

impl Crowd {
    /// A share of at most `most`; `None` where all of them are taken.
    pub(super) fn join(crowd: &Arc<Self>, network: Network, most: usize) -> Option<Share> {
        let mut counts = crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        // Whoever is refused was not counted, and is only refused where somebody was.
        (*count < most).then(|| {
            *count += 1;
            Share { crowd: Arc::clone(crowd), network }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let crowd = Arc::new(Crowd::default());
        let network = |address: &str| Network::around(address.parse().unwrap());
        let first = Crowd::join(&crowd, network("203.0.113.1"), 1).unwrap();
        assert!(Crowd::join(&crowd, network("203.0.113.2"), 1).is_none());
        assert!(Crowd::join(&crowd, network("198.51.100.1"), 1).is_some());
        drop(first);
        assert!(Crowd::join(&crowd, network("203.0.113.2"), 1).is_some());
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
