//! Bytes into bounded lines, and how many of them per second. Knows no sink.

use std::time::Duration;

use tokio::time::Instant;

use super::printable::printable;

/// The span over which a rate is counted.
const SECOND: Duration = Duration::from_secs(1);

/// Cuts bytes into lines that are never longer than the limit.
pub(super) struct Lines {
    line: Vec<u8>,
    max: usize,
    cut: usize,
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
    pub(super) fn new(max: usize) -> Self {
        Self { line: Vec::new(), max, cut: 0 }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], mut pass: impl FnMut(String)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.append(&bytes[..end]);
            pass(self.take());
            bytes = &bytes[end + 1..];
        }
        self.append(bytes);
    }

    /// Passes on a last line that has no end.
    pub(super) fn end(&mut self, mut pass: impl FnMut(String)) {
        if !self.line.is_empty() {
            pass(self.take());
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.max - self.line.len());
        self.line.extend_from_slice(&bytes[..kept]);
        self.cut += bytes.len() - kept;
    }

    fn take(&mut self) -> String {
        let mut line = printable(&String::from_utf8_lossy(&self.line));
        if self.cut > 0 {
            line.push_str(&format!("… ({} bytes cut)", self.cut));
        }
        self.line.clear();
        self.cut = 0;
        line
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
