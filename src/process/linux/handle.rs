//! The hold on a running process: its end, and the way to bring that about.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::live::{KillDeadline, Live};
use super::nameless::Tree;
use super::report::{KILL, TERMINATE};
use super::wakeup::Wakeup;
use crate::process::exit::State;
use crate::process::{Deadlines, Exit};

/// The hold on a process; when the last clone is dropped, the whole tree is killed at once.
#[derive(Clone, Debug)]
pub struct ProcessHandle {
    inner: Arc<Inner>,
    tree: Tree,
    state: watch::Receiver<State>,
}

/// What a process is started under.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) name: String,
    pub(super) deadlines: Deadlines,
    pub(super) spawner_thread: Wakeup,
}

#[derive(Debug)]
struct Inner {
    terms: Terms,
    lifeline: UnixStream,
    kill_deadline: Arc<KillDeadline>,
}

// === impl ProcessHandle ===

impl ProcessHandle {
    pub(super) fn new(
        terms: Terms,
        lifeline: UnixStream,
        live: &Live,
        state: watch::Receiver<State>,
    ) -> Self {
        let kill_deadline = Arc::clone(&live.kill_deadline);
        let inner = Arc::new(Inner { terms, lifeline, kill_deadline });
        Self { inner, tree: Tree(live.pid()), state }
    }

    /// What was started, to look at.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.tree
    }

    /// Resolves when the process has ended and nothing of its tree is left.
    pub async fn exited(&self) -> Exit {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| state.exit.is_some()).await;
        // Without a last word the spawner thread is gone, and every supervisor with it.
        ended.ok().and_then(|state| state.exit.clone()).unwrap_or(Exit::SupervisorLost)
    }

    /// Ends the process: waits for it to notice that its stdin is closed (the caller has dropped it), then asks the
    /// tree to terminate, then kills it. Takes no longer than the deadlines together.
    pub async fn stop(&self) -> Exit {
        let deadlines = &self.inner.terms.deadlines;
        if let Some(exit) = self.exited_within(deadlines.close).await {
            return exit;
        }
        tracing::debug!(
            child = self.inner.terms.name,
            "still there after its stdin was closed, terminating"
        );
        self.inner.order(TERMINATE);
        if let Some(exit) = self.exited_within(deadlines.term).await {
            return exit;
        }
        tracing::debug!(child = self.inner.terms.name, "still there after SIGTERM, killing");
        self.kill().await
    }

    /// Kills the whole tree and waits until it is gone.
    pub async fn kill(&self) -> Exit {
        self.inner.order(KILL);
        self.inner.set_kill_deadline();
        // Twice: once for the supervisor, once for the sweep after it.
        let within = self.inner.terms.deadlines.kill * 2;
        self.exited_within(within).await.unwrap_or(Exit::SupervisorLost)
    }

    /// Resolves when the process runs or never will.
    pub(super) async fn settled(&self) -> State {
        let mut state = self.state.clone();
        let settled = |state: &State| state.pid.is_some() || state.exit.is_some();
        state.wait_for(settled).await.map(|state| state.clone()).unwrap_or_default()
    }

    async fn exited_within(&self, within: Duration) -> Option<Exit> {
        tokio::time::timeout(within, self.exited()).await.ok()
    }
}

// === impl Inner ===

impl Inner {
    fn order(&self, order: u8) {
        // A supervisor that cannot hear is ending, or is killed by the spawner thread when its time is up.
        let _ = (&self.lifeline).write(&[order]);
    }

    /// From now on the supervisor has to be gone in time.
    fn set_kill_deadline(&self) {
        let _ = self.kill_deadline.0.set(Instant::now() + self.terms.deadlines.kill);
        self.terms.spawner_thread.wake();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Only our half: the spawner thread still wants to hear the last report.
        let _ = self.lifeline.shutdown(Shutdown::Write);
        self.set_kill_deadline();
    }
}
