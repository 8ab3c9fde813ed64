//! Waiting for an answer that changes, where nothing but asking can tell.

use std::time::Duration;

use super::wait::soon;

/// Asks again and again until there is an answer, where nothing but asking can tell.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    soon(what, async {
        loop {
            tick.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    })
    .await
}
