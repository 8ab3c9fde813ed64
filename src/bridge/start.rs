//! The life of one child: launch, handshake, the loop, its end and what follows from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::capacity::Permit;
use super::child::{Child, Inbox};
use super::desk::Desk;
use super::launch::Launched;
use super::launch_error::LaunchError;
use super::noise::Noise;
use super::pool::{Knowledge, Shared, unavailable};
use super::run::{End, run};
use super::slot::{Current, Retry, Slot, Unavailable};
use super::trace::Tracer;
use crate::audit::Incident;
use crate::mcp::{Era, ErrorObject, Lines};
use crate::process::Exit;
use crate::server::{EraChoice, Failed, ListKind, Profile, handshake};

/// How long the end of the output may come before the end of the process.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);
/// A start that fails is not tried again sooner than this.
const START_BACKOFF: Duration = Duration::from_secs(1);

/// A child that has introduced itself.
struct Running {
    child: Child,
    desk: Desk,
    inbox: Inbox,
    launched: Launched,
}

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("{failed}; {exit}")]
    Handshake { failed: Failed, exit: Ended },
}

/// How the process ended, as far as it is known.
#[derive(Debug)]
struct Ended(Option<Exit>);

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(exit) => write!(f, "the process {exit}"),
            None => f.write_str("the process was stopped"),
        }
    }
}

impl Shared {
    /// Starts a child in the slot, runs it to its end and leaves the slot ready for the next.
    pub(super) async fn start(self: Arc<Self>, slot: Arc<Slot>) {
        let permit = tokio::select! {
            () = self.shutdown.finishing() => Err(unavailable("the server is shutting down")),
            permit = self.permit(&slot) => permit,
        };
        // Whoever wanted the child may have lost the right to it meanwhile.
        let permit = match permit {
            Ok(_) if slot.warrants.are_over() => {
                Err(unavailable("the access to the server has ended"))
            }
            permit => permit,
        };
        let permit = match permit {
            Ok(permit) => permit,
            Err(why) => {
                self.no_verdict();
                slot.current.send_replace(Current::Failed { why, until: Instant::now() });
                return;
            }
        };
        let brought_up = tokio::select! {
            brought_up = self.bring_up(&slot, permit) => brought_up,
            () = self.shutdown.aborting() => Err(LaunchError::Interrupted.into()),
        };
        match brought_up {
            Ok(running) => {
                slot.current.send_replace(Current::Ready(running.child.clone()));
                if slot.is_retired() || self.shutdown.is_finishing() {
                    running.child.close();
                }
                self.live(&slot, running).await;
            }
            Err(error) => {
                self.no_verdict();
                if let StartError::Launch(LaunchError::Credentials { cause }) = &error
                    && let Some(name) = cause.shared()
                {
                    let incident = Incident::SharedCredential { credential: name.to_owned() };
                    self.settings.audit.incident(&slot.principal().into(), &incident);
                }
                let user = slot.principal.user();
                tracing::error!(
                    user = user.digest(),
                    issuer = user.issuer(),
                    subject = user.subject(),
                    error = &error as &dyn std::error::Error,
                    "could not start the server"
                );
                let (why, wait, retry) = match &error {
                    // Nothing ran, so nothing crashed: who is helped need not wait for a breaker.
                    StartError::Launch(error) if error.needs_people() => {
                        (error.for_user(), START_BACKOFF, Retry::People)
                    }
                    StartError::Launch(error) => {
                        (error.for_user(), START_BACKOFF, Retry::Time(Some(START_BACKOFF)))
                    }
                    StartError::Handshake { .. } => {
                        let (_, wait) = slot.crashed(Duration::ZERO);
                        let wait = wait.max(START_BACKOFF);
                        (error.to_string(), wait, Retry::Time(Some(wait)))
                    }
                };
                let message = format!("the server could not be started: {why}");
                let why = Unavailable { message, retry };
                slot.current.send_replace(Current::Failed { why, until: Instant::now() + wait });
            }
        }
    }

    /// A start that was to find out the era has not: the next one will.
    fn no_verdict(&self) {
        self.era.send_if_modified(|known| {
            let mine = *known == Knowledge::Probing;
            if mine {
                *known = Knowledge::Unknown;
            }
            mine
        });
    }

    /// Starts a successor beside the slot's child; sessions go on with it if it introduces itself alike.
    pub(super) async fn succeed(self: Arc<Self>, slot: Arc<Slot>) {
        let Some(old) = slot.child() else { return };
        let permit = self.capacity.succeed(slot.principal.user());
        let mut running = match self.bring_up(&slot, permit).await {
            Ok(running) => running,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the restarted server did not start; the old one stays");
                return;
            }
        };
        let alike = {
            let (old, new) = (old.hello(), running.child.hello());
            old.version == new.version && old.capabilities.as_str() == new.capabilities.as_str()
        };
        running.desk.replay(&running.child);
        let in_place = slot.current.send_if_modified(|current| {
            let free = match current {
                Current::Ready(own) => own.number() == old.number(),
                Current::Empty | Current::Failed { .. } => true,
                // The old one ended meanwhile, and a call has begun to start another.
                Current::Starting | Current::Ending => false,
            };
            if free {
                *current = Current::Ready(running.child.clone());
            }
            free
        });
        old.close();
        if !in_place {
            running.child.close();
        }
        if alike || running.child.hello().era() == Era::Modern {
            for kind in ListKind::ALL {
                if running.child.hello().offers(kind.capability()) {
                    slot.audience.list_changed(kind);
                }
            }
        } else {
            slot.lose_sessions();
        }
        let shutdown = self.shutdown.clone();
        shutdown.spawn_work(async move { self.live(&slot, running).await });
    }

    async fn bring_up(&self, slot: &Slot, permit: Permit) -> Result<Running, StartError> {
        let known = *self.era.borrow();
        let choice = match known {
            Knowledge::Known(era) => EraChoice::Known(era),
            Knowledge::Unknown | Knowledge::Probing => EraChoice::Probe,
        };
        let permit = Arc::new(permit);
        let mut met = self.meet(slot, choice, &permit).await;
        // A strict legacy server exits on a message before `initialize` (checklist 4.15).
        if let (EraChoice::Probe, Err(StartError::Handshake { failed: Failed::Exited, .. })) =
            (choice, &met)
        {
            tracing::debug!("the server exited on the probe; starting it again as a legacy one");
            met = self.meet(slot, EraChoice::Known(Era::Legacy), &permit).await;
        }
        let running = met?;
        self.era.send_replace(Knowledge::Known(running.child.hello().era()));
        Ok(running)
    }

    async fn meet(
        &self,
        slot: &Slot,
        choice: EraChoice,
        permit: &Arc<Permit>,
    ) -> Result<Running, StartError> {
        let mut launched = self.launcher.launch(&slot.principal, Arc::clone(permit)).await?;
        let profile: &Profile = &slot.profile;
        let limit = self.settings.start_timeout;
        let met = {
            let Launched { stdin, lines, .. } = &mut launched;
            handshake(lines, stdin, choice, profile, limit).await
        };
        match met {
            Ok(verdict) => {
                let number = self.next_number.fetch_add(1, Ordering::Relaxed);
                let hello = verdict.hello;
                let (child, inbox) = Child::new(
                    number,
                    hello.clone(),
                    launched.given(),
                    self.settings.most_in_flight,
                );
                let desk = Desk::new(
                    hello,
                    Arc::clone(&slot.audience),
                    self.settings.roots.clone(),
                    &inbox,
                    Tracer::new(self.settings.trace, launched.redactor().clone()),
                );
                Ok(Running { child, desk, inbox, launched })
            }
            Err(mut failed) => {
                // These words are the child's own.
                if let Failed::Refused { message, .. } = &mut failed {
                    *message = launched.redactor().mask(message).into_owned();
                }
                let exit = launched.end().await;
                Err(StartError::Handshake { failed, exit: Ended(exit) })
            }
        }
    }

    /// Runs the loop to its end, then tells everybody.
    async fn live(&self, slot: &Slot, running: Running) {
        let Running { child, mut desk, mut inbox, mut launched } = running;
        let born = Instant::now();
        let mut noise = Noise::new(launched.name(), launched.redactor().clone());
        let grace = self.settings.grace;
        let end = {
            let Launched { stdin, lines, .. } = &mut launched;
            tokio::select! {
                end = run(&mut desk, &mut inbox, lines, stdin, &mut noise, grace) => end,
                () = self.shutdown.aborting() => End::Closed,
                () = slot.warrants.withdrawn() => End::Withdrawn,
            }
        };
        launched.is_ending();
        // Nobody uses it or starts another before it is settled what its end means.
        let mine = slot.current.send_if_modified(|current| {
            let mine = matches!(current, Current::Ready(own) if own.number() == child.number());
            if mine {
                *current = Current::Ending;
            }
            mine
        });
        inbox.commands.close();
        inbox.closed.send_replace(true);
        let exit = match &end {
            End::Closed | End::Withdrawn => None,
            End::Exited | End::Broken(_) => launched.exit_within(EXIT_PATIENCE).await,
        };
        if let End::Broken(error) = &end {
            tracing::debug!(%error, "a pipe of the server broke");
        }
        let why = ErrorObject::internal(match (&end, &exit) {
            (End::Closed, _) => "the server was stopped while it worked on this call".to_owned(),
            (End::Withdrawn, _) => "the access to the server was withdrawn".to_owned(),
            (_, Some(exit)) => format!("the server {exit} while it worked on this call"),
            (_, None) => "the server closed its output while it worked on this call".to_owned(),
        });
        while let Some(command) = inbox.commands.recv().await {
            desk.command(command);
        }
        desk.fail(&why);
        if matches!(end, End::Withdrawn) {
            tracing::info!(
                user = slot.principal.user().digest(),
                "a child ends with the last token of its user"
            );
            slot.lose_sessions();
        }
        if !matches!(end, End::Closed | End::Withdrawn) {
            let (failures, wait) = slot.crashed(born.elapsed());
            let how = Ended(exit);
            tracing::warn!(failures, "the server ended unexpectedly: {how}");
            for line in launched.last_words() {
                tracing::debug!(target: "mcpwrap::child", child = launched.name(), "last words: {line}");
            }
            if desk.hello.era() == Era::Legacy {
                slot.lose_sessions();
            }
            if mine && !wait.is_zero() {
                let message = format!(
                    "the server keeps crashing ({failures} times in a row; last time {how}); \
                     it is started again in {} s",
                    wait.as_secs()
                );
                let why = Unavailable { message, retry: Retry::Time(Some(wait)) };
                let until = Instant::now() + wait;
                slot.current.send_replace(Current::Failed { why, until });
            }
        }
        if mine {
            slot.current.send_if_modified(|current| {
                let over = matches!(current, Current::Ending);
                if over {
                    *current = Current::Empty;
                }
                over
            });
        }
        launched.end().await;
    }
}

/// Kept apart from [`Lines`] so that the launcher can name the type of its streams.
pub(super) type ChildLines = Lines<crate::process::Stdout>;
