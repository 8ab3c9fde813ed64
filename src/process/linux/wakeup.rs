//! Wakes the spawner thread out of its wait.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Wakes the spawner thread; a clone is cheap.
#[derive(Clone, Debug)]
pub(super) struct Wakeup(Arc<UnixStream>);

// === impl Wakeup ===

impl Wakeup {
    /// A wakeup, and the end on which the thread waits.
    pub(super) fn new() -> io::Result<(Self, UnixStream)> {
        let (ours, threads) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        threads.set_nonblocking(true)?;
        Ok((Self(Arc::new(ours)), threads))
    }

    /// Wakes the thread; where so many wakeups wait that one more does not fit, it is awake anyway.
    pub(super) fn wake(&self) {
        let _ = (&*self.0).write(&[1]);
    }
}
