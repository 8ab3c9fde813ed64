//! How the process ends, step by step, and every long task known by name.
//!
//! 1. [`drain`](Shutdown::drain): nothing new is begun, and what is under way goes on.
//! 2. [`finish`](Shutdown::finish): nothing is accepted any more; streams end.
//! 3. [`overrun`](Shutdown::overrun): the grace is over; calls that still run are answered with an error.
//! 4. [`abort`](Shutdown::abort): everything is dropped, and children are killed.
//!
//! Each step is one of those before it as well. A task that ends while no stop was asked for is a fault, and stops the
//! whole process with exit code 1.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The handle everybody holds; a clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    soft: CancellationToken,
    late: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Shutdown {
    /// A process that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that is meant to live as long as the process does.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.clone();
        self.tracker.spawn(async move {
            let guard = Ended { name, stop };
            task.await;
            drop(guard);
        });
    }

    /// Starts a task that ends when its work is done; the process waits for it when it stops.
    pub fn spawn_work<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Asks everybody to begin nothing new.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Asks everybody to finish.
    pub fn finish(&self) {
        self.drain();
        self.soft.cancel();
    }

    /// Asks everybody to end what still goes on, and to say so.
    pub fn overrun(&self) {
        self.finish();
        self.late.cancel();
    }

    /// Asks everybody to drop what they do.
    pub fn abort(&self) {
        self.overrun();
        self.hard.cancel();
    }

    /// Resolves when nothing new should be begun.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Resolves when the process should finish.
    pub async fn finishing(&self) {
        self.soft.cancelled().await;
    }

    /// Resolves when what still goes on should end.
    pub async fn overdue(&self) {
        self.late.cancelled().await;
    }

    /// Resolves when the process should drop everything.
    pub async fn aborting(&self) {
        self.hard.cancelled().await;
    }

    /// Whether nothing new is begun any more. From then on mcpwrap is not ready for a load balancer's calls.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether the process is finishing already.
    #[must_use]
    pub fn is_finishing(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Whether a long task ended although nobody asked it to.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Resolves when every task has ended; only meaningful after [`finish`](Self::finish).
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Notices the end of a long task, by return or by panic.
struct Ended {
    name: &'static str,
    stop: Shutdown,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.stop.is_finishing() {
            tracing::error!(task = self.name, "task ended unexpectedly");
            self.stop.failed.store(true, Ordering::Release);
            self.stop.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_task_that_ends_stops_the_process() {
        let stop = Shutdown::new();
        stop.spawn("short", async {});
        stop.finishing().await;
        stop.finished().await;
        assert!(stop.failed());
    }

    #[tokio::test]
    async fn a_long_task_that_ends_after_the_stop_is_no_fault() {
        let stop = Shutdown::new();
        let task = stop.clone();
        stop.spawn("long", async move { task.finishing().await });
        stop.finish();
        stop.finished().await;
        assert!(!stop.failed());
    }
}
