//! `--watch`: a change of files becomes a restart of the children.

use std::path::PathBuf;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::run::Error;

/// Editors write a file in several steps; what follows within this time is the same change.
const SETTLED_AFTER: Duration = Duration::from_millis(200);

/// Watches paths for as long as it lives.
pub(super) struct Watch {
    changes: mpsc::Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches files, and directories with everything below them.
    pub(super) fn over(paths: &[PathBuf]) -> Result<Self, Error> {
        let (sender, changes) = mpsc::channel(1);
        if paths.is_empty() {
            return Ok(Self { changes, _watcher: None });
        }
        let heard = move |event: notify::Result<notify::Event>| {
            let changed = event.is_ok_and(|event| !event.kind.is_access());
            if changed {
                // One waiting change is as good as many.
                let _ = sender.try_send(());
            }
        };
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |cause| Error::Watch { path, cause }
        };
        let first = &paths[0];
        let mut watcher = notify::recommended_watcher(heard).map_err(failed(first))?;
        for path in paths {
            watcher.watch(path, RecursiveMode::Recursive).map_err(failed(path))?;
        }
        Ok(Self { changes, _watcher: Some(watcher) })
    }

    /// Resolves after a change has settled; never where nothing is watched.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while tokio::time::timeout(SETTLED_AFTER, self.changes.recv()).await.is_ok() {}
    }
}
