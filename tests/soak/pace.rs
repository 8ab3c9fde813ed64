//! When things happen: the only place of the soak with a clock. What has to last lasts; what has to come is waited for.

use std::time::Duration;

use tokio::time::{Instant, interval, sleep_until};

/// How long anything may take before it counts as never: far longer than the slowest machine needs.
pub(crate) const NEVER: Duration = Duration::from_secs(180);

/// Lets time go by in which others act.
pub(crate) async fn lasting(time: Duration) {
    sleep_until(Instant::now() + time).await;
}

/// Whether something that only the system knows has become true before it counts as never.
pub(crate) async fn comes(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + NEVER;
    let mut tick = interval(Duration::from_millis(20));
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        tick.tick().await;
    }
    true
}
