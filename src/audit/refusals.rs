//! Requests that were refused before their caller was let in: counted by reason and network, never queued one by one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::log::Log;
use super::record::{Event, Who};
use crate::shutdown::Shutdown;

/// How often the counts are written.
const WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// Networks and reasons that are told apart between two writings; what comes from more is counted together.
const MOST_APART: usize = 2048;
const ELSEWHERE: &str = "elsewhere";

/// Refusals since they were last written.
#[derive(Debug)]
pub struct Refusals {
    log: Log,
    counts: Mutex<HashMap<(String, &'static str), u64>>,
    known: Mutex<HashMap<(String, &'static str), Known>>,
}

/// Somebody who is known and not let in, and how often.
#[derive(Debug)]
struct Known {
    who: Who,
    count: u64,
}

// === impl Refusals ===

impl Refusals {
    /// Counts, and writes every minute and at the end.
    #[must_use]
    pub fn new(log: Log, shutdown: &Shutdown) -> Arc<Self> {
        let refusals = Arc::new(Self { log, counts: Mutex::default(), known: Mutex::default() });
        let (writing, stop) = (Arc::clone(&refusals), shutdown.clone());
        shutdown.spawn("write refusals", async move {
            let mut ticks = tokio::time::interval(WRITTEN_EVERY);
            loop {
                tokio::select! {
                    () = stop.finishing() => return,
                    _ = ticks.tick() => writing.write(),
                }
            }
        });
        refusals
    }

    /// Counts one request from this network that was refused for this reason.
    pub fn count(&self, from: String, reason: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let room = counts.len() < MOST_APART || counts.contains_key(&(from.clone(), reason));
        let from = if room { from } else { ELSEWHERE.to_owned() };
        *counts.entry((from, reason)).or_default() += 1;
    }

    /// Counts one request of somebody whose token is good and who is not let in. He is named; where there are too many
    /// to name, the count of their networks has to do.
    pub fn count_known(&self, who: Who, reason: &'static str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (who.user.clone(), reason);
        if known.len() < MOST_APART || known.contains_key(&key) {
            known.entry(key).or_insert(Known { who, count: 0 }).count += 1;
        }
    }

    fn write(&self) {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        for ((_, reason), Known { who, count }) in known {
            self.log.event(|| who, || Event::Forbidden { reason, count });
        }
        let counts =
            std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        let mut sorted: Vec<_> = counts.into_iter().collect();
        sorted.sort_unstable();
        for ((from, reason), count) in sorted {
            if self.log.refused(&from, reason, count).is_err() {
                tracing::error!(from, reason, count, "the audit log has no room for refusals");
            }
        }
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        self.write();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_are_bounded_and_nothing_is_lost() {
        let shutdown = Shutdown::new();
        let refusals = Refusals::new(Log::off(), &shutdown);
        for network in 0..MOST_APART + 10 {
            refusals.count(format!("10.0.{network}"), "expired");
        }
        refusals.count("10.0.1".to_owned(), "expired");
        {
            let counts = refusals.counts.lock().unwrap();
            assert_eq!(counts.len(), MOST_APART + 1);
            assert_eq!(counts[&("10.0.1".to_owned(), "expired")], 2);
            assert_eq!(counts[&(ELSEWHERE.to_owned(), "expired")], 10);
        }
        refusals.write();
        assert!(refusals.counts.lock().unwrap().is_empty());
        shutdown.finish();
        shutdown.finished().await;
    }
}
