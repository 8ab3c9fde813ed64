//! The life of one child: launch, handshake, the loop, its end and what follows from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::super::child::{Actor, Child, End, Setup};
use super::super::recording;
use super::capacity::{Capacity, Reservation};
use super::home_limit::is_full;
use super::last_word::LastWord;
use super::launch::{Launched, Launcher};
use super::launch_error::LaunchError;
use super::reserve::reserve;
use super::server_era::ServerEra;
use super::settings::Settings;
use super::slot::Slot;
use super::slot_state::{Fate, NotStarted, Placement};
use super::slots::Slots;
use super::unavailable::Unavailable;
use crate::audit::{self, Incident};
use crate::mcp::{Era, ErrorObject};
use crate::process::Exit;
use crate::server::{EraChoice, Failed, Internal, handshake};
use crate::shutdown::Shutdown;

/// Subscriptions that are told to a fresh child before anything else. The rest is told one by one, so that it leaves
/// room for calls.
const REPLAYED_AT_ONCE: usize = 64;
/// How long the end of the output may come before the end of the process.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);
/// How long a process that failed to start may take to end, before those who wait for it give up.
pub(super) const STOP_SLACK: Duration = Duration::from_secs(15);

/// What starts children and sees to their end.
#[derive(Debug)]
pub(super) struct Lifecycle {
    pub(super) launcher: Launcher,
    pub(super) settings: Settings,
    /// Where it is recorded what a successor is told, and that a credential was refused because it is shared.
    audit: audit::Log,
    pub(super) shutdown: Shutdown,
    pub(super) era: ServerEra,
    pub(super) slots: Slots,
    next_number: AtomicU64,
    capacity: Arc<Capacity>,
}

/// A child that has introduced itself.
struct Running {
    child: Child,
    actor: Actor,
    launched: Launched,
}

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("{failed}; {exit}")]
    Handshake { failed: Failed, exit: Ended, last: LastWord },
}

/// How the process ended, as far as it is known.
#[derive(Debug)]
struct Ended(Option<Exit>);

// === impl StartError ===

impl StartError {
    /// What the server said last, for the operator.
    fn last_words(&self) -> Option<&str> {
        match self {
            Self::Launch(_) => None,
            Self::Handshake { last, .. } => last.for_operator(),
        }
    }
}

// === impl Ended ===

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(exit) => write!(f, "the process {exit}"),
            None => f.write_str("the process was stopped"),
        }
    }
}

// === impl Lifecycle ===

impl Lifecycle {
    pub(super) fn new(
        launcher: Launcher,
        settings: Settings,
        audit: audit::Log,
        shutdown: Shutdown,
    ) -> Self {
        let capacity = Capacity::new(settings.most_children, settings.most_children_per_user);
        Self {
            era: ServerEra::new(settings.era),
            launcher,
            settings,
            audit,
            shutdown,
            slots: Slots::default(),
            next_number: AtomicU64::new(1),
            capacity,
        }
    }

    /// Starts a child in the slot that granted it.
    pub(super) fn spawn(self: Arc<Self>, slot: Arc<Slot>) {
        self.era.probe();
        let shutdown = self.shutdown.clone();
        shutdown.spawn_work(self.start(slot));
    }

    /// Starts a child in the slot, runs it to its end and leaves the slot ready for the next.
    async fn start(self: Arc<Self>, slot: Arc<Slot>) {
        let patience = self.settings.grace + STOP_SLACK;
        let reserved = tokio::select! {
            () = self.shutdown.finishing() => {
                Err(Unavailable::for_now("the server is shutting down"))
            }
            reserved = reserve(&self.capacity, &self.slots, slot.principal.user(), patience) => reserved,
        };
        // Whoever wanted the child may have lost the right to it meanwhile.
        let reserved = match reserved {
            Ok(_) if slot.tokens.are_over() => {
                Err(Unavailable::for_now("the access to the server has ended"))
            }
            reserved => reserved,
        };
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(why) => {
                self.era.no_verdict();
                slot.failed(NotStarted::Denied(why));
                return;
            }
        };
        let brought_up = tokio::select! {
            brought_up = self.bring_up(&slot, reservation) => brought_up,
            () = self.shutdown.aborting() => Err(LaunchError::Interrupted.into()),
        };
        match brought_up {
            Ok(running) => {
                self.replay(&slot, &running.child);
                let placement = slot.ready(&running.child);
                if placement == Placement::Drains || self.shutdown.is_finishing() {
                    running.child.close();
                }
                self.live(&slot, running).await;
            }
            Err(error) => {
                self.era.no_verdict();
                self.report(&slot, &error);
                slot.failed(error.into());
            }
        }
    }

    /// Tells the operator why there is no child.
    fn report(&self, slot: &Slot, error: &StartError) {
        if let StartError::Launch(LaunchError::Credentials { cause }) = error
            && let Some(name) = cause.shared()
        {
            let incident = Incident::SharedCredential { credential: name.to_owned() };
            self.audit.incident(&slot.principal().into(), &incident);
        }
        recording::not_started(&self.audit, &slot.principal, &error.to_string());
        let user = slot.principal.user();
        tracing::error!(
            user = user.digest(),
            issuer = user.issuer(),
            subject = user.subject(),
            error = error as &dyn std::error::Error,
            last_words = error.last_words(),
            "could not start the server"
        );
    }

    /// Starts a successor beside the slot's child, which drains as soon as the successor is there.
    pub(super) async fn replace(self: Arc<Self>, slot: Arc<Slot>) {
        let Some(old) = slot.child() else { return };
        let reservation = self.capacity.succeed(slot.principal.user());
        let running = match self.bring_up(&slot, reservation).await {
            Ok(running) => running,
            Err(error) => {
                recording::not_started(&self.audit, &slot.principal, &error.to_string());
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    last_words = error.last_words(),
                    "the restarted server did not start; the old one stays"
                );
                return;
            }
        };
        self.replay(&slot, &running.child);
        let placement = slot.replace(&old, &running.child);
        old.close();
        if placement == Placement::Drains {
            running.child.close();
        }
        let shutdown = self.shutdown.clone();
        shutdown.spawn_work(async move { self.live(&slot, running).await });
    }

    /// Tells a child what those before it were told: the log level and the subscriptions. What cannot be put on record
    /// does not happen.
    fn replay(&self, slot: &Slot, successor: &Child) {
        let hello = successor.hello();
        if hello.era() == Era::Modern {
            return;
        }
        let audit = &self.audit;
        if let Some(level) = slot.subscribers.level().filter(|_| hello.offers("logging"))
            && recording::own_request(audit, &slot.principal, "logging/setLevel", successor).is_ok()
        {
            successor.tell(Internal::SetLevel(level));
        }
        let mut subscriptions = slot.subscribers.subscriptions().into_iter();
        for (_, permitted) in subscriptions.by_ref().take(REPLAYED_AT_ONCE) {
            if recording::replay(audit, &permitted, successor).is_ok() {
                // In the order of what is sent; nobody waits for the answer.
                drop(successor.replay(permitted));
            }
        }
        if subscriptions.len() > 0 {
            let (audit, successor) = (audit.clone(), successor.clone());
            self.shutdown.spawn_work(async move {
                for (_, permitted) in subscriptions {
                    if recording::replay(&audit, &permitted, &successor).is_ok() {
                        successor.replay(permitted).await;
                    }
                }
            });
        }
    }

    async fn bring_up(&self, slot: &Slot, reservation: Reservation) -> Result<Running, StartError> {
        let clients = slot.profile.era;
        let reservation = Arc::new(reservation);
        loop {
            let choice = self.era.choice(clients);
            let running = self.greet(slot, choice, &reservation).await?;
            let spoken = running.child.hello().era();
            self.era.found(choice, spoken);
            if (choice, spoken, clients) != (EraChoice::Probe, Era::Modern, Era::Legacy) {
                return Ok(running);
            }
            // It is spoken to in its clients' era if it knows that, which is tried once, with a process of its own: a
            // server may stay in the era in which it was greeted.
            running.launched.end().await;
        }
    }

    async fn greet(
        &self,
        slot: &Slot,
        choice: EraChoice,
        reservation: &Arc<Reservation>,
    ) -> Result<Running, StartError> {
        let met = self.meet(slot, choice, reservation).await;
        // A strict server exits on what it does not know, as a legacy one does on a message before `initialize`
        // (checklist 4.15).
        let other = match (choice, &met) {
            (EraChoice::Probe, Err(error)) if error.is_exit() => Era::Legacy,
            (EraChoice::LegacyFirst, Err(error)) if error.is_exit() => Era::Modern,
            _ => return met,
        };
        tracing::debug!(
            ?other,
            "the server exited when it was greeted; greeting another in the other era"
        );
        self.meet(slot, EraChoice::Known(other), reservation).await
    }

    async fn meet(
        &self,
        slot: &Slot,
        choice: EraChoice,
        reservation: &Arc<Reservation>,
    ) -> Result<Running, StartError> {
        let mut launched =
            self.launcher.launch(&slot.principal, Arc::clone(reservation), &self.audit).await?;
        let (profile, limit) = (&slot.profile, self.settings.start_timeout);
        let met = {
            let Launched { stdin, lines, .. } = &mut launched;
            handshake(lines, stdin, choice, profile, limit).await
        };
        match met {
            Ok(verdict) => {
                let setup = Setup {
                    number: self.next_number.fetch_add(1, Ordering::Relaxed),
                    given: launched.given(),
                    most_in_flight: self.settings.most_in_flight,
                    account: self.settings.accounts.of(slot.principal.user()),
                    hold_limit: self.settings.hold_limit,
                    roots: self.settings.roots.clone(),
                    subscribers: Arc::clone(&slot.subscribers),
                    trace: self.settings.trace,
                    name: launched.name().to_owned(),
                    redactor: launched.redactor().clone(),
                };
                let (child, actor) = Actor::new(verdict.hello, setup);
                recording::started(&self.audit, &slot.principal, &child);
                Ok(Running { child, actor, launched })
            }
            Err(mut failed) => {
                // These words are the child's own.
                if let Failed::Refused { message, .. } = &mut failed {
                    *message = launched.redactor().mask(message).into_owned();
                }
                let (exit, last) = launched.end_of_start().await;
                Err(StartError::Handshake { failed, exit: Ended(exit), last })
            }
        }
    }

    /// Runs the loop to its end, then tells everybody.
    async fn live(&self, slot: &Arc<Slot>, running: Running) {
        let Running { child, mut actor, mut launched } = running;
        let born = Instant::now();
        let watched = launched.watched();
        let end = {
            let Launched { stdin, lines, .. } = &mut launched;
            tokio::select! {
                end = actor.run(lines, stdin, self.settings.grace) => end,
                () = self.shutdown.aborting() => End::Closed,
                () = slot.tokens.withdrawn() => End::Withdrawn,
                why = is_full(watched.as_ref()) => End::Exceeded(why),
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
        actor.fail(&ErrorObject::internal(last_answer(&end, exit.as_ref()))).await;
        let mut exceeded = None;
        let fate = match end {
            End::Closed => Fate::Closed,
            End::Withdrawn => {
                tracing::info!(
                    user = slot.principal.user().digest(),
                    "a child ends with the last token of its user"
                );
                // With everything that relied on it. It ends already, so that there is nothing to close.
                let _ = self.slots.retire(slot);
                Fate::Withdrawn
            }
            End::Exceeded(why) => {
                tracing::warn!(user = slot.principal.user().digest(), "a child is stopped: {why}");
                exceeded = watched;
                Fate::Closed
            }
            End::Exited | End::Broken(_) => {
                Fate::Crashed { how: Ended(exit).to_string(), lived: born.elapsed() }
            }
        };
        let crashes = slot.ended(&child, &fate);
        if let Fate::Crashed { how, .. } = &fate {
            tracing::warn!(failures = crashes, "the server ended unexpectedly: {how}");
            for line in launched.last_words() {
                tracing::debug!(target: "mcpwrap::child", child = launched.name(), "last words: {line}");
            }
        }
        launched.end().await;
        let why = match &fate {
            Fate::Crashed { how, .. } => how,
            Fate::Withdrawn => "the last token of its user ended",
            Fate::Closed => "it was closed",
        };
        recording::ended(&self.audit, &slot.principal, &child, why);
        if let Some(watched) = exceeded {
            watched.clear().await;
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

// === impl StartError ===

impl StartError {
    fn is_exit(&self) -> bool {
        matches!(self, Self::Handshake { failed: Failed::Exited, .. })
    }
}

// === impl NotStarted ===

impl From<StartError> for NotStarted {
    fn from(error: StartError) -> Self {
        match &error {
            // Who is helped need not wait for a breaker.
            StartError::Launch(launch) if launch.needs_people() => {
                Self::NeedsPeople(launch.for_user())
            }
            StartError::Launch(launch) => Self::NoProcess(launch.for_user()),
            StartError::Handshake { last, .. } => Self::NoHandshake(match last.for_user() {
                Some(words) => format!("{error}; its last words: {words}"),
                None => error.to_string(),
            }),
        }
    }
}
