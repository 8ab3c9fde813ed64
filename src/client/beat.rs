//! Keeps short timers cheap while requests come in.
//!
//! A timer that is due before everything else that the runtime waits for wakes its I/O driver through a descriptor: a
//! system call and a needless turn of the driver for each call. While requests come in, one timer of this task is
//! therefore always due before those of the calls; while none does, it has none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::shutdown::Shutdown;

/// Shorter than the shortest timer of a call.
const EVERY: Duration = Duration::from_millis(20);

/// The task's handle.
#[derive(Debug, Default)]
pub(super) struct Beat {
    wanted: AtomicBool,
    begin: Notify,
}

// === impl Beat ===

impl Beat {
    /// Starts the task.
    pub(super) fn start(shutdown: &Shutdown) -> Arc<Self> {
        let beat = Arc::new(Self::default());
        let (task, stop) = (Arc::clone(&beat), shutdown.clone());
        shutdown.spawn("keep short timers cheap", async move {
            tokio::select! {
                () = stop.finishing() => {}
                () = task.run() => {}
            }
        });
        beat
    }

    /// A request has come in.
    pub(super) fn keep(&self) {
        if !self.wanted.swap(true, Ordering::Relaxed) {
            self.begin.notify_one();
        }
    }

    async fn run(&self) {
        loop {
            self.begin.notified().await;
            self.wanted.store(false, Ordering::Relaxed);
            tokio::time::sleep(EVERY).await;
        }
    }
}
