//! The life of one child: its loop, its end and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::child::End;
use super::super::recording;
use super::home_limit::is_full;
use super::launch::Launched;
use super::slot::Slot;
use super::slot_state::{Fate, Worth};
use super::slots::Slots;
use super::start_error::Ended;
use super::starts::Running;
use crate::audit;
use crate::mcp::ErrorObject;
use crate::process::Exit;
use crate::shutdown::Shutdown;

/// How long the end of the output may come before the end of the process.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

/// What is around a child.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) slots: &'a Slots,
    pub(super) audit: &'a audit::Log,
    pub(super) shutdown: &'a Shutdown,
    /// How long calls may go on when it is told to close.
    pub(super) grace: Duration,
}

// === impl Running ===

impl Running {
    /// Runs the loop to its end, then tells everybody.
    pub(super) async fn live(self, slot: &Arc<Slot>, around: Around<'_>) {
        let Self { child, mut actor, mut launched } = self;
        let born = Instant::now();
        let (watched, tree) = (launched.watched.take(), launched.tree());
        let end = {
            let Launched { stdin, lines, .. } = &mut launched;
            tokio::select! {
                end = actor.run(lines, stdin, around.grace) => end,
                () = around.shutdown.overdue() => End::Closed,
                () = slot.tokens.withdrawn() => End::Withdrawn,
                why = is_full(watched.as_ref(), tree) => End::Exceeded(why),
            }
        };
        launched.is_ending();
        slot.ending(&child);
        actor.stop();
        let exit = match &end {
            End::Closed | End::Withdrawn => None,
            End::Exceeded(_) => {
                // It would go on filling the disk for as long as it is asked.
                launched.kill().await;
                None
            }
            End::Exited | End::Broken(_) => launched.exit_within(EXIT_PATIENCE).await,
        };
        if let End::Broken(error) = &end {
            tracing::debug!(%error, "a pipe of the server broke");
        }
        let served = actor.has_served();
        actor.fail(&ErrorObject::internal(last_answer(&end, exit.as_ref()))).await;
        let fate = match end {
            End::Closed => Fate::Closed,
            End::Withdrawn => {
                tracing::info!(
                    user = slot.principal.user().digest(),
                    "a child ends with the last token of its user"
                );
                // With everything that relied on it. It ends already, so that there is nothing to close.
                let _ = around.slots.retire(slot);
                Fate::Withdrawn
            }
            End::Exceeded(why) => {
                tracing::warn!(user = slot.principal.user().digest(), "a child is stopped: {why}");
                Fate::Closed
            }
            End::Exited | End::Broken(_) => Fate::Crashed {
                how: Ended(exit).to_string(),
                lived: born.elapsed(),
                worth: if served { Worth::Served } else { Worth::Nothing },
            },
        };
        let crashes = slot.ended(&child, &fate);
        if let Fate::Crashed { how, .. } = &fate {
            tracing::warn!(failures = crashes, "the server ended unexpectedly: {how}");
            for line in launched.last_words() {
                tracing::debug!(target: "mcpwrap::child", child = launched.name(), "last words: {line}");
            }
        }
        launched.end(around.shutdown.aborting()).await;
        let why = match &fate {
            Fate::Crashed { how, .. } => how,
            Fate::Withdrawn => "the last token of its user ended",
            Fate::Closed => "it was closed",
        };
        recording::ended(around.audit, &slot.principal, &child, why);
        if let Some(watched) = watched {
            watched.leave().await;
        }
    }
}

/// What those are told who waited for an answer when the child ended.
fn last_answer(end: &End, exit: Option<&Exit>) -> String {
    match (end, exit) {
        (End::Closed, _) => "the server was stopped while it worked on this call".to_owned(),
        (End::Exceeded(why), _) => format!("the server was stopped: {why}"),
        (End::Withdrawn, _) => "the access to the server was withdrawn".to_owned(),
        (_, Some(exit)) => format!("the server {exit} while it worked on this call"),
        (_, None) => "the server closed its output while it worked on this call".to_owned(),
    }
}
