//! The threads that everything runs on.

use super::run::Error;

/// A runtime with so many threads that work on calls. Blocking work has threads of its own beside them.
pub(crate) fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|cause| Error::Runtime { cause })
}
