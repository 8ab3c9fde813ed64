//! Bytes into bounded lines, and how many of them per second. Knows no sink.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;
use super::printable::printable;

/// The span over which a rate is counted.
const SECOND: Duration = Duration::from_secs(1);

/// Cuts bytes into lines that are never longer than the limit.
pub(super) struct Lines {
    line: Vec<u8>,
    limits: Limits,
    cut: usize,
}

/// A line as it came, and how much of it is to be shown.
pub(super) struct Line {
    /// Made printable; longer than what is shown, so that it can be seen what is cut through.
    pub(super) text: String,
    /// How many bytes of it are shown at most.
    pub(super) shown: usize,
    /// How many bytes of what came are not.
    pub(super) cut: usize,
}

/// Counts the lines of the current second.
pub(super) struct Rate {
    since: Instant,
    passed: u32,
    dropped: u64,
    per_second: u32,
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(limits: Limits) -> Self {
        Self { line: Vec::new(), limits, cut: 0 }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], mut pass: impl FnMut(Line)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.append(&bytes[..end]);
            pass(self.take());
            bytes = &bytes[end + 1..];
        }
        self.append(bytes);
    }

    /// Passes on a last line that has no end.
    pub(super) fn end(&mut self, mut pass: impl FnMut(Line)) {
        if !self.line.is_empty() {
            pass(self.take());
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let most = self.limits.line + self.limits.beyond;
        let kept = bytes.len().min(most - self.line.len());
        self.line.extend_from_slice(&bytes[..kept]);
        self.cut += bytes.len() - kept;
    }

    fn take(&mut self) -> Line {
        let shown = self.line.len().min(self.limits.line);
        let cut = self.cut + self.line.len() - shown;
        let text = printable(&String::from_utf8_lossy(&self.line));
        let shown = match cut {
            0 => text.len(),
            // What the beginning alone becomes: terminal sequences make a text shorter.
            _ => printable(&String::from_utf8_lossy(&self.line[..shown])).len(),
        };
        self.line.clear();
        self.cut = 0;
        Line { text, shown, cut }
    }
}

// === impl Rate ===

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self { since: Instant::now(), passed: 0, dropped: 0, per_second }
    }

    /// Begins a new second if it is time; yields what the last one dropped.
    pub(super) fn turn(&mut self) -> Option<u64> {
        if self.since.elapsed() < SECOND {
            return None;
        }
        self.since = Instant::now();
        self.passed = 0;
        self.end()
    }

    /// When to tell what was dropped, if anything was.
    pub(super) fn owes(&self) -> Option<Instant> {
        (self.dropped > 0).then(|| self.since + SECOND)
    }

    /// What was dropped since it was last told.
    pub(super) fn end(&mut self) -> Option<u64> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0).then_some(dropped)
    }

    pub(super) fn admit(&mut self) -> bool {
        if self.passed < self.per_second {
            self.passed += 1;
            true
        } else {
            self.dropped += 1;
            false
        }
    }
}
