//! Line framing with a bound: a line that is too long is skipped to its end, so that the writer never stalls.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

const FIRST_READ: usize = 16 * 1024;
const LARGEST_READ: usize = 1024 * 1024;
/// How much of either end of a line that is too long is kept.
const EDGE: usize = 64;

/// What was between two line ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end; never empty.
    Text(Bytes),
    /// A line that was thrown away.
    TooLong {
        /// Why it was thrown away.
        why: Skip,
        /// How long it was, in bytes.
        bytes: usize,
        /// Its first bytes.
        head: Bytes,
        /// Its last bytes.
        tail: Bytes,
    },
}

/// Why a line was thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skip {
    /// It was longer than the bound.
    #[default]
    Longest,
    /// Its reader had no room for it ([`Lines::skip`]).
    NoRoom,
}

/// Splits a byte stream into lines; [`next`](Self::next) may be dropped and called again.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    scanned: usize,
    /// The overlong line that is being thrown away.
    skipped: Option<Skipped>,
    /// How long the last line was; the next one may well be like it.
    last: usize,
    max: usize,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Bytes.
    More,
    /// The end of the stream.
    End,
}

#[derive(Debug, Default)]
struct Skipped {
    why: Skip,
    bytes: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Skipped {
    fn add(&mut self, part: &[u8]) {
        self.bytes += part.len();
        let room = EDGE.saturating_sub(self.head.len()).min(part.len());
        self.head.extend_from_slice(&part[..room]);
        self.tail.extend_from_slice(&part[part.len().saturating_sub(EDGE)..]);
        self.tail.drain(..self.tail.len().saturating_sub(EDGE));
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads lines of at most `max` bytes.
    pub fn new(reader: R, max: usize) -> Self {
        Self { reader, buffer: BytesMut::new(), scanned: 0, skipped: None, last: 0, max }
    }

    /// The next line, or `None` at the end of the stream. A last line without an end is half a message and
    /// is dropped.
    ///
    /// # Errors
    /// Whatever the reader says.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.fill().await? == Filled::End {
                return Ok(None);
            }
        }
    }

    /// Reads once; what has arrived whole can be [taken](Self::take) then. May be dropped and called again.
    ///
    /// # Errors
    /// Whatever the reader says.
    pub async fn fill(&mut self) -> io::Result<Filled> {
        // Grow the reads with the line, so that a large result costs few of them.
        let room = self.buffer.len().max(self.last).clamp(FIRST_READ, LARGEST_READ);
        self.buffer.reserve(room);
        match self.reader.read_buf(&mut self.buffer).await? {
            0 => Ok(Filled::End),
            _ => Ok(Filled::More),
        }
    }

    /// How much of a line has arrived that is not whole yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Throws the line away that is not whole yet, and the rest of it as it comes.
    pub fn skip(&mut self) {
        let begun = std::mem::take(&mut self.buffer);
        self.scanned = 0;
        let why = Skip::NoRoom;
        self.skipped.get_or_insert_with(|| Skipped { why, ..Skipped::default() }).add(&begun);
    }

    /// The same line, which pins nothing but itself: others may be kept for long that came with it.
    fn alone(&mut self, line: BytesMut) -> Bytes {
        if line.len() < LARGEST_READ {
            return Bytes::copy_from_slice(&line);
        }
        // What came after it is no more than one read.
        self.buffer = BytesMut::from(&self.buffer[..]);
        line.freeze()
    }

    /// A line that has arrived already, without waiting.
    pub fn take(&mut self) -> Option<Line> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                if self.scanned > self.max || self.skipped.is_some() {
                    self.skipped.get_or_insert_default().add(&self.buffer);
                    self.buffer.clear();
                    self.scanned = 0;
                }
                return None;
            };
            let mut line = self.buffer.split_to(self.scanned + end);
            self.buffer.advance(1);
            self.scanned = 0;
            self.last = line.len();
            if self.skipped.is_some() || line.len() > self.max {
                let mut skipped = self.skipped.take().unwrap_or_default();
                skipped.add(&line);
                let Skipped { why, bytes, head, tail } = skipped;
                return Some(Line::TooLong { why, bytes, head: head.into(), tail: tail.into() });
            }
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if !line.is_empty() {
                return Some(Line::Text(self.alone(line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn split(bytes: Vec<u8>, pipe: usize, max: usize) -> Vec<Line> {
        let (mut writer, reader) = tokio::io::duplex(pipe);
        let write = async move { writer.write_all(&bytes).await };
        let read = async move {
            let mut lines = Lines::new(reader, max);
            let mut found = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                found.push(line);
            }
            found
        };
        let (written, found) = tokio::join!(write, read);
        written.unwrap();
        found
    }

    #[tokio::test]
    async fn a_character_split_across_reads_is_whole_again() {
        for pipe in 1..8 {
            let lines = split("é\u{1F600}\r\n\n\nb\n".into(), pipe, 64).await;
            let texts = ["é\u{1F600}", "b"].map(|text| Line::Text(Bytes::from(text)));
            assert_eq!(lines, texts);
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
        let mut bytes = vec![b'x'; 100_000];
        bytes.extend_from_slice(b"\nok\n");
        let lines = split(bytes, 777, 1000).await;
        let edge = Bytes::from(vec![b'x'; EDGE]);
        let long =
            Line::TooLong { why: Skip::Longest, bytes: 100_000, head: edge.clone(), tail: edge };
        assert_eq!(lines, [long, Line::Text(Bytes::from("ok"))]);
    }

    #[tokio::test]
    async fn a_line_pins_no_other() {
        let large = "x".repeat(2 * LARGEST_READ);
        let text = format!("a\nb\n{large}\nc\n");
        for line in split(text.into(), 4 * LARGEST_READ, usize::MAX).await {
            let Line::Text(text) = line else { panic!("{line:?}") };
            let length = text.len();
            let own = text.try_into_mut().expect("nobody shares it");
            assert!(own.capacity() <= 3 * length, "{length} bytes pin {}", own.capacity());
        }
    }

    #[tokio::test]
    async fn half_a_line_at_the_end_is_dropped() {
        assert_eq!(split(b"a\n{\"half".to_vec(), 3, 64).await, [Line::Text(Bytes::from("a"))]);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_portions_give_the_same_lines(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            pipe in 1_usize..40,
            max in 1_usize..60,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let one = runtime.block_on(split(bytes.clone(), pipe, max));
            let other = runtime.block_on(split(bytes, 4096, max));
            prop_assert_eq!(&one, &other);
            for line in one {
                match line {
                    Line::Text(text) => prop_assert!(!text.is_empty() && text.len() <= max),
                    Line::TooLong { bytes, .. } => prop_assert!(bytes > max),
                }
            }
        }
    }
}
