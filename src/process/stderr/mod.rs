//! What a child says beside the protocol: bounded lines for the log, and the last of them for a crash report.
//!
//! Reads for ever, whatever the lines are: a child whose stderr is full stalls.

mod lines;
mod printable;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout_at;

use lines::{Lines, Rate};

/// How much is read at once.
const CHUNK: usize = 8 * 1024;
/// How many lines a tail keeps.
const TAIL: usize = 20;

/// How much of a child's stderr is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line in bytes; what is beyond is cut off.
    pub line: usize,
    /// Lines that are passed on per second; further ones are counted.
    pub per_second: u32,
}

/// The last lines of a child; a clone sees the same lines.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<Mutex<VecDeque<String>>>);

/// Reads everything that comes until the end; each line is made printable, masked, remembered and handed to the sink.
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
    M: Fn(&str) -> String,
    S: FnMut(&str),
{
    let mut chunk = vec![0; CHUNK];
    let mut lines = Lines::new(limits.line);
    let mut rate = Rate::new(limits.per_second);
    let mut pass = |line: Option<String>, rate: &mut Rate| {
        if let Some(dropped) = rate.turn() {
            sink(&format!("({dropped} lines dropped)"));
        }
        let Some(line) = line else { return };
        let line = mask(&line);
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
    /// Enough for a verbose start, too little to fill a disk.
    pub const PER_SECOND: u32 = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: Self::LINE, per_second: Self::PER_SECOND }
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
mod tests {
    use std::time::Duration;

    use super::*;

    async fn drained(input: &[u8], limits: Limits) -> (Vec<String>, Vec<String>) {
        let tail = Tail::default();
        let mut seen = Vec::new();
        let mask = |line: &str| line.replace("hunter2", "***");
        drain(input, limits, tail.clone(), mask, |line| {
            seen.push(line.to_owned());
        })
        .await
        .unwrap();
        (seen, tail.lines())
    }

    #[tokio::test]
    async fn lines_are_made_printable() {
        for (input, expected) in [
            (&b"plain\n"[..], "plain"),
            (b"no end", "no end"),
            (b"\x1b[31;1mred\x1b[0m\r\n", "red"),
            (b"\x1b]0;title\x07after\n", "after"),
            (b"\x1b]8;;http://x\x1b\\link\n", "link"),
            (b"\x1b(Bset\n", "set"),
            (b"a\tb\x00c\x08\n", "a bc"),
            (b"\xff\xfe\n", "\u{fffd}\u{fffd}"),
            ("a\u{202e}b\u{2028}c\n".as_bytes(), "abc"),
            (b"\x1b[", ""),
            (b"key hunter2\n", "key ***"),
        ] {
            let (seen, tail) = drained(input, Limits::default()).await;
            assert_eq!(seen, [expected], "{input:?}");
            assert_eq!(tail, seen);
        }
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_says_so() {
        let input = [&[b'x'; 30_000][..], b"\nnext\n"].concat();
        let (seen, _) = drained(&input, Limits { line: 10, per_second: 5 }).await;
        assert_eq!(seen, ["xxxxxxxxxx… (29990 bytes cut)", "next"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_read_but_only_counted() {
        let (mut child, ours) = tokio::io::duplex(16);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let tail = Tail::default();
        let limits = Limits { line: 100, per_second: 2 };
        let task =
            tokio::spawn(drain(ours, limits, tail.clone(), str::to_owned, move |line: &str| {
                sink.lock().unwrap().push(line.to_owned());
            }));
        for number in 0..50 {
            tokio::io::AsyncWriteExt::write_all(&mut child, format!("line {number}\n").as_bytes())
                .await
                .unwrap();
        }
        // The reader takes what is in the pipe before the clock moves on.
        tokio::time::advance(Duration::from_secs(1)).await;
        // What was dropped is told in its time, though nothing more is said.
        while !seen.lock().unwrap().iter().any(|line| line.ends_with("lines dropped)")) {
            tokio::task::yield_now().await;
        }
        tokio::io::AsyncWriteExt::write_all(&mut child, b"last\n").await.unwrap();
        drop(child);
        task.await.unwrap().unwrap();
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen[..2], ["line 0", "line 1"]);
        assert!(seen.iter().any(|line| line.ends_with("lines dropped)")), "{seen:?}");
        assert_eq!(seen.last().unwrap(), "last");
        assert_eq!(tail.lines().len(), TAIL);
        assert_eq!(tail.lines().last().unwrap(), "last");
    }
}
