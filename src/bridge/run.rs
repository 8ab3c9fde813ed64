//! The one loop that owns a child's streams and its desk.
//!
//! It never waits for a client: events go to mailboxes. It never waits for the child to read: while bytes are
//! unwritten it goes on reading, and takes no more commands once too many of them have piled up.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::child::Inbox;
use super::conversation::{Event, Outcome};
use super::desk::Desk;
use super::mailbox::Keep;
use super::noise::Noise;
use crate::mcp::{ErrorObject, Line, Lines};
use crate::server::Incoming;

/// More than this unwritten, and nothing is read either: a child that asks without listening owes its own silence.
const MOST_OWED: usize = 64 * 1024 * 1024;
/// More than this unwritten, and no further commands are taken.
const MOST_UNWRITTEN: usize = 8 * 1024 * 1024;
/// A write buffer larger than this is given back once it is empty.
const KEPT_BUFFER: usize = 256 * 1024;
const COMMANDS_AT_ONCE: usize = 64;
/// With so many calls in flight, commands are gathered before they are written.
const BUSY: usize = 2;
const TICK: Duration = Duration::from_secs(1);

/// Why the loop ended.
#[derive(Debug)]
pub(super) enum End {
    /// The child closed its output.
    Exited,
    /// A pipe broke.
    Broken(std::io::Error),
    /// We were told to close, and all is done or the grace is over.
    Closed,
    /// Nobody may use it any more.
    Withdrawn,
}

/// Runs until the child or we have had enough. `grace` is how long calls may go on after a `Close`.
pub(super) async fn run<R, W>(
    desk: &mut Desk,
    inbox: &mut Inbox,
    lines: &mut Lines<R>,
    writer: &mut W,
    noise: &mut Noise,
    grace: Duration,
) -> End
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut batch = Vec::with_capacity(COMMANDS_AT_ONCE);
    let mut written = 0;
    let mut close_by: Option<Instant> = None;
    let closing = inbox.closing.clone();
    let closing = closing.cancelled();
    tokio::pin!(closing);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_done = || desk.is_idle() && desk.out.is_empty() && inbox.commands.is_empty();
        if close_by.is_some() && is_done() {
            return End::Closed;
        }
        let accepts = desk.out.len() < MOST_UNWRITTEN;
        let last = close_by.unwrap_or_else(Instant::now);
        tokio::select! {
            result = writer.write(&desk.out[written..]), if !desk.out.is_empty() => match result {
                Ok(0) => return End::Exited,
                Ok(count) => {
                    written += count;
                    if written == desk.out.len() {
                        written = 0;
                        desk.out.clear();
                        desk.out.shrink_to(KEPT_BUFFER);
                    }
                }
                // The answers that the child gave before it stopped reading still count.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    return drain(desk, lines, noise).await;
                }
                Err(error) => return End::Broken(error),
            },
            line = lines.next(), if desk.out.len() < MOST_OWED => match line {
                Ok(Some(line)) => {
                    take_in(desk, line, noise);
                    while let Some(line) = lines.take() {
                        take_in(desk, line, noise);
                    }
                }
                Ok(None) => return End::Exited,
                Err(error) => return End::Broken(error),
            },
            count = inbox.commands.recv_many(&mut batch, COMMANDS_AT_ONCE), if accepts => {
                // Others are likely to be on their way: one write for all wakes the child once.
                if desk.calls.len() >= BUSY {
                    tokio::task::yield_now().await;
                    while batch.len() < COMMANDS_AT_ONCE
                        && let Ok(command) = inbox.commands.try_recv()
                    {
                        batch.push(command);
                    }
                }
                for command in batch.drain(..) {
                    desk.command(command);
                }
                if count == 0 {
                    return End::Closed;
                }
            }
            () = &mut closing, if close_by.is_none() => {
                close_by = Some(Instant::now() + grace);
                desk.end_listens();
            }
            _ = ticks.tick(), if desk.needs_ticks() => desk.tick(),
            () = sleep_until(last), if close_by.is_some() => return End::Closed,
        }
    }
}

/// Reads what is left after the child has stopped reading.
async fn drain<R: AsyncRead + Unpin>(
    desk: &mut Desk,
    lines: &mut Lines<R>,
    noise: &mut Noise,
) -> End {
    const PATIENCE: Duration = Duration::from_secs(1);
    let rest = async {
        while let Ok(Some(line)) = lines.next().await {
            take_in(desk, line, noise);
        }
    };
    // Whether the output ended or patience did, the child is of no more use.
    let _ = tokio::time::timeout(PATIENCE, rest).await;
    End::Exited
}

fn take_in(desk: &mut Desk, line: Line, noise: &mut Noise) {
    match line {
        Line::Text(line) => {
            for incoming in Incoming::read(line.clone()) {
                if let Incoming::Noise { reason } = incoming {
                    noise.heard(reason, &line);
                } else {
                    desk.incoming(incoming);
                }
            }
        }
        Line::TooLong { bytes, head, tail } => {
            noise.too_long(bytes);
            if let Some(id) = id_at_an_end(&head, &tail) {
                let error = ErrorObject::internal(format!(
                    "the server's answer of {bytes} bytes is larger than allowed (--max-line)"
                ));
                desk.incoming(Incoming::Response { id, outcome: Err(error) });
            }
        }
    }
}

/// The id of a response that is too long to be read. Servers write it first or last, and there it is certain:
/// what precedes the payload is no payload, and the last member before the closing brace is the envelope's.
fn id_at_an_end(head: &[u8], tail: &[u8]) -> Option<u64> {
    let number = |text: &str| text.trim().parse().ok();
    let head = std::str::from_utf8(head).unwrap_or_default();
    if let Some(rest) = head.strip_prefix(r#"{"jsonrpc":"2.0","id":"#) {
        return number(rest.split_once(',')?.0);
    }
    let start = tail.iter().position(u8::is_ascii).unwrap_or_default();
    let tail = String::from_utf8_lossy(&tail[start..]);
    let (before, id) = tail.trim_end().strip_suffix('}')?.rsplit_once(r#""id":"#)?;
    (!before.ends_with('\\')).then(|| number(id)).flatten()
}

impl Desk {
    /// Subscriptions never end by themselves; before the child is closed they are ended.
    fn end_listens(&mut self) {
        let is_listen =
            |call: &super::desk::Call| call.permitted.operation().method == "subscriptions/listen";
        let listens = self.calls.iter().filter(|(_, call)| is_listen(call));
        let ids: Vec<u64> = listens.map(|(id, _)| *id).collect();
        for id in ids {
            // Whoever listens goes on with the successor, or ends its stream where there is none.
            let why = ErrorObject::internal("the server is being closed");
            let done = Event::Done(Outcome::Lost(why));
            self.calls[&id].mailbox.push(done, Keep::End);
            self.forget(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_huge_answer_is_read_at_its_ends_only() {
        let some = |head: &str, tail: &str| id_at_an_end(head.as_bytes(), tail.as_bytes());
        assert_eq!(some(r#"{"jsonrpc":"2.0","id":12,"result":{"#, "xxx"), Some(12));
        assert_eq!(some(r#"{"result":{"text":"#, r#"x"},"jsonrpc":"2.0","id":34}"#), Some(34));
        assert_eq!(some(r#"{"result":{"text":"#, r#"\"id":34}"#), None);
        assert_eq!(some("binary", "\u{fffd}\u{fffd} noise"), None);
    }
}
