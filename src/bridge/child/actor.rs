//! The one loop that owns a child's streams and its state.
//!
//! It never waits for a client: events go to mailboxes. It never waits for the child to read: while bytes are
//! unwritten it goes on reading, and takes no more commands once too many of them have piled up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::super::trace::{Trace, Tracer};
use super::handle::{Child, Inbox};
use super::in_flight::InFlight;
use super::oversized::{Lost, id_at_an_end};
use super::room::{self, LOOK_EVERY, Room};
use super::state::ChildState;
use super::stray_output::StrayOutput;
use super::subscribers::Subscribers;
use crate::limits::Account;
use crate::mcp::{ErrorObject, Filled, Line, Lines, Raw, Skip};
use crate::redact::Redactor;
use crate::server::{Hello, Incoming};

/// More than this unwritten, and nothing is read either: a child that asks without listening owes its own silence.
const MOST_OWED: usize = 64 * 1024 * 1024;
/// More than this unwritten, and no further commands are taken.
const MOST_UNWRITTEN: usize = 8 * 1024 * 1024;
const COMMANDS_AT_ONCE: usize = 64;
/// With so many calls in flight, commands are gathered before they are written.
const BUSY: usize = 2;
const TICK: Duration = Duration::from_millis(100);

/// A child's loop and all that it owns; whoever holds the [`Child`] sends it commands.
#[derive(Debug)]
pub(in super::super) struct Actor {
    state: ChildState,
    inbox: Inbox,
    stray_output: StrayOutput,
    room: Room,
}

/// What a loop needs to know beside what its server said.
#[derive(Debug)]
pub(in super::super) struct Setup {
    /// Which of this process's children it is.
    pub(in super::super) number: u64,
    /// Names, sources and keyed fingerprints of its credentials.
    pub(in super::super) given: Vec<String>,
    /// Calls that it may work on at a time.
    pub(in super::super) most_in_flight: usize,
    /// Who is charged for what it says and has not read.
    pub(in super::super) account: Arc<Account>,
    /// How long a question is held, and a call kept apart.
    pub(in super::super) hold_limit: Duration,
    /// The configured answer to `roots/list`, if any.
    pub(in super::super) roots: Option<Raw>,
    pub(in super::super) subscribers: Arc<Subscribers>,
    /// What is shown of its traffic.
    pub(in super::super) trace: Trace,
    /// How the logs call it.
    pub(in super::super) name: String,
    /// Masks what it must not show.
    pub(in super::super) redactor: Redactor,
}

/// Why the loop ended.
#[derive(Debug)]
pub(in super::super) enum End {
    /// The child closed its output.
    Exited,
    /// A pipe broke.
    Broken(std::io::Error),
    /// We were told to close, and all is done or the grace is over.
    Closed,
    /// Nobody may use it any more.
    Withdrawn,
    /// It uses more than its share of the machine, and of what is said here.
    Exceeded(String),
}

// === impl Actor ===

impl Actor {
    /// A loop that does not run yet, and its handle.
    pub(in super::super) fn new(hello: Hello, setup: Setup) -> (Child, Self) {
        let room = Room::new(&setup.account);
        let in_flight = InFlight::new(setup.most_in_flight, setup.account);
        let (child, inbox) = Child::new(setup.number, hello.clone(), setup.given, in_flight);
        let tracer = Tracer::new(setup.trace, setup.redactor.clone());
        let stray_output = StrayOutput::new(setup.name, setup.redactor);
        let (number, subscribers, limit) = (setup.number, setup.subscribers, setup.hold_limit);
        let state = ChildState::new(number, hello, subscribers, setup.roots, limit, &inbox, tracer);
        (child, Self { state, inbox, stray_output, room })
    }

    /// Runs until the child or we have had enough. `grace` is how long calls may go on after a `close`.
    pub(in super::super) async fn run<R, W>(
        &mut self,
        lines: &mut Lines<R>,
        writer: &mut W,
        grace: Duration,
    ) -> End
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Self { state, inbox, stray_output, room } = self;
        let mut batch = Vec::with_capacity(COMMANDS_AT_ONCE);
        let mut close_by: Option<Instant> = None;
        let closing = inbox.closing.clone();
        let closing = closing.cancelled();
        tokio::pin!(closing);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The handshake may have read further than its own lines.
        while let Some(line) = lines.take() {
            take_in(state, line, stray_output);
        }
        loop {
            inbox.asking.store(!state.outside.is_empty(), Ordering::Relaxed);
            let is_done = || state.is_idle() && state.out.is_empty() && inbox.commands.is_empty();
            if close_by.is_some() && is_done() {
                return End::Closed;
            }
            let accepts = state.out.len() < MOST_UNWRITTEN;
            let line = room.measure(lines.buffered(), state.out.len());
            if line == room::Line::IsLost {
                lines.skip();
            }
            let last = close_by.unwrap_or_else(Instant::now);
            tokio::select! {
                result = writer.write(&state.out[state.written..]), if !state.out.is_empty() => match result {
                    Ok(0) => return End::Exited,
                    Ok(count) => state.wrote(count),
                    // The answers that the child gave before it stopped reading still count.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                        return drain(state, lines, stray_output).await;
                    }
                    Err(error) => return End::Broken(error),
                },
                read = lines.fill(), if state.out.len() < MOST_OWED && line != room::Line::Waits => match read {
                    Ok(Filled::More) => {
                        while let Some(line) = lines.take() {
                            // What it becomes is charged to whoever keeps it, not twice.
                            room.line_is_whole(state.out.len());
                            take_in(state, line, stray_output);
                        }
                    }
                    Ok(Filled::End) => return End::Exited,
                    Err(error) => return End::Broken(error),
                },
                _ = looks.tick(), if line == room::Line::Waits => {}
                count = inbox.commands.recv_many(&mut batch, COMMANDS_AT_ONCE), if accepts => {
                    // Others are likely to be on their way: one write for all wakes the child once.
                    if state.calls.len() >= BUSY {
                        tokio::task::yield_now().await;
                        while batch.len() < COMMANDS_AT_ONCE
                            && let Ok(command) = inbox.commands.try_recv()
                        {
                            batch.push(command);
                        }
                    }
                    for command in batch.drain(..) {
                        state.command(command);
                    }
                    if count == 0 {
                        return End::Closed;
                    }
                }
                () = &mut closing, if close_by.is_none() => {
                    close_by = Some(Instant::now() + grace);
                    state.end_listens();
                }
                _ = ticks.tick(), if state.needs_ticks() => state.tick(),
                () = sleep_until(last), if close_by.is_some() => return End::Closed,
            }
        }
    }

    /// Whether the child has answered a call of a client's.
    pub(in super::super) fn has_served(&self) -> bool {
        self.state.has_served
    }

    /// Takes no more commands, and lets everybody who holds the handle know.
    pub(in super::super) fn stop(&mut self) {
        self.inbox.commands.close();
        self.inbox.closed.send_replace(true);
    }

    /// Tells everybody who waits, or has just begun to, that the child is gone.
    pub(in super::super) async fn fail(mut self, why: &ErrorObject) {
        while let Some(command) = self.inbox.commands.recv().await {
            self.state.command(command);
        }
        self.state.fail(why);
    }
}

/// Reads what is left after the child has stopped reading.
async fn drain<R: AsyncRead + Unpin>(
    state: &mut ChildState,
    lines: &mut Lines<R>,
    stray_output: &mut StrayOutput,
) -> End {
    const PATIENCE: Duration = Duration::from_secs(1);
    let rest = async {
        while let Ok(Some(line)) = lines.next().await {
            take_in(state, line, stray_output);
        }
    };
    // Whether the output ended or patience did, the child is of no more use.
    let _ = tokio::time::timeout(PATIENCE, rest).await;
    End::Exited
}

fn take_in(state: &mut ChildState, line: Line, stray_output: &mut StrayOutput) {
    match line {
        Line::Text(line) => {
            for incoming in Incoming::read(line.clone()) {
                if let Incoming::Noise { reason } = incoming {
                    stray_output.heard(reason, &line);
                } else {
                    state.incoming(incoming);
                }
            }
        }
        Line::TooLong { why, bytes, head, tail } => {
            stray_output.too_long(bytes);
            if let Some(lost) = id_at_an_end(&head, &tail) {
                let reason = match why {
                    Skip::Longest => "is larger than allowed (--max-line)",
                    Skip::NoRoom => {
                        "found no room: other things that nobody reads hold the memory there is for them \
                         (--memory-per-user, --memory)"
                    }
                };
                let error = |what: &str| {
                    ErrorObject::internal(format!("the server's {what} of {bytes} bytes {reason}"))
                };
                match lost {
                    Lost::Answer(id) => {
                        state.incoming(Incoming::Response { id, outcome: Err(error("answer")) });
                    }
                    Lost::Request(id) => state.unread(&id, &error("request")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
