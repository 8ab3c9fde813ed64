//! Waiting for what must come, never for a time.

use std::future::Future;
use std::time::Duration;

/// How long anything may take before the test says that it never came. A machine that builds other things at the same
/// time is slow, but not this slow, and mcpwrap itself waits up to 15 s for others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("never came: {what}"),
    }
}

/// Waits until something that only the system knows has become true.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    soon(what, async {
        while !holds() {
            tick.tick().await;
        }
    })
    .await;
}
