//! What a child says beside the protocol: bounded lines for the log, and the last of them for a crash report.
//!
//! Reads for ever, whatever the lines are: a child whose stderr is full stalls.

mod lines;
mod printable;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout_at;

use lines::{Line, Lines, Rate};

/// How much is read at once.
const CHUNK: usize = 8 * 1024;
/// How many lines a tail keeps.
const TAIL: usize = 20;

/// How much of a child's stderr is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line in bytes; what is beyond is cut off.
    pub line: usize,
    /// So many bytes more are given to the mask, so that it knows what is cut through.
    pub beyond: usize,
    /// Lines that are passed on per second; further ones are counted.
    pub per_second: u32,
}

/// The last lines of a child; a clone sees the same lines.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<Mutex<VecDeque<String>>>);

/// Reads everything that comes until the end; each line is made printable, masked, remembered and handed to the sink.
///
/// `mask` is given a text and how many bytes of it are to be shown.
///
/// # Errors
///
/// If reading fails; the end of the stream is no error.
pub async fn drain<R, M, S>(
    mut reader: R,
    limits: Limits,
    tail: Tail,
    mask: M,
    mut sink: S,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    M: Fn(&str, usize) -> String,
    S: FnMut(&str),
{
    let mut chunk = vec![0; CHUNK];
    let mut lines = Lines::new(limits);
    let mut rate = Rate::new(limits.per_second);
    let mut pass = |line: Option<Line>, rate: &mut Rate| {
        if let Some(dropped) = rate.turn() {
            sink(&format!("({dropped} lines dropped)"));
        }
        let Some(line) = line else { return };
        let mut shown = mask(&line.text, line.shown);
        if line.cut > 0 {
            let _ = write!(shown, "… ({} bytes cut)", line.cut);
        }
        let line = shown;
        if rate.admit() {
            sink(&line);
        }
        tail.push(line);
    };
    loop {
        let read = reader.read(&mut chunk);
        let count = match rate.owes() {
            None => read.await?,
            Some(at) => match timeout_at(at, read).await {
                Ok(read) => read?,
                // Nothing more was said meanwhile.
                Err(_) => {
                    pass(None, &mut rate);
                    continue;
                }
            },
        };
        if count == 0 {
            break;
        }
        lines.feed(&chunk[..count], |line| pass(Some(line), &mut rate));
    }
    lines.end(|line| pass(Some(line), &mut rate));
    if let Some(dropped) = rate.end() {
        sink(&format!("({dropped} lines dropped)"));
    }
    Ok(())
}

/// The sink of production: the log, under a target of its own.
pub fn log(name: String) -> impl FnMut(&str) {
    move |line| tracing::info!(target: "mcpwrap::child", child = name, "{line}")
}

// === impl Limits ===

impl Limits {
    /// Longer than any sensible log line, stack traces in JSON included.
    pub const LINE: usize = 8 * 1024;
    /// Enough for every form of a secret that is looked for.
    pub const BEYOND: usize = 8 * 1024;
    /// Enough for a verbose start, too little to fill a disk.
    pub const PER_SECOND: u32 = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: Self::LINE, beyond: Self::BEYOND, per_second: Self::PER_SECOND }
    }
}

// === impl Tail ===

impl Tail {
    /// The last lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

#[cfg(test)]
mod tests;
