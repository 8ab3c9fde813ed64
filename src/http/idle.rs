//! Whether a connection is idle: it counts requests, answers under way, and bytes that were sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// What has happened on one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests that came in.
    requests: AtomicUsize,
    /// Requests whose response has not begun.
    open: AtomicUsize,
    /// Whether anything was sent since somebody looked last.
    sent: AtomicBool,
}

// === impl Activity ===

impl Activity {
    /// Whether nothing has happened since the last look; `requests` is how many there were then.
    pub(super) fn is_idle_since(&self, requests: &mut usize) -> bool {
        let now = self.requests.load(Ordering::Relaxed);
        let before = std::mem::replace(requests, now);
        let sent = self.sent.swap(false, Ordering::Relaxed);
        now == before && !sent && self.open.load(Ordering::Relaxed) == 0
    }
}

/// A request whose response has not begun.
pub(super) struct UnderWay(Arc<Activity>);

impl UnderWay {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that notes when something was sent.
pub(super) struct Watched<IO> {
    pub(super) io: TokioIo<IO>,
    pub(super) activity: Arc<Activity>,
}

impl<IO> Watched<IO> {
    fn note(&self, sent: &Poll<io::Result<usize>>) {
        if matches!(sent, Poll::Ready(Ok(1..))) {
            self.activity.sent.store(true, Ordering::Relaxed);
        }
    }
}

impl<IO: AsyncRead + Unpin> Read for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> Write for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.io).poll_write(context, bytes);
        self.note(&sent);
        sent
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.io).poll_write_vectored(context, pieces);
        self.note(&sent);
        sent
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
