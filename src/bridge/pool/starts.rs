//! How a child comes to be: a process is launched and greeted, in another era or once more where it needs that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::super::child::{Actor, Child, Setup};
use super::super::recording;
use super::capacity::Reservation;
use super::launch::{Launched, Launcher};
use super::server_era::{Refusal, ServerEra};
use super::settings::Settings;
use super::slot::Slot;
use super::start_error::{Ended, StartError};
use crate::audit;
use crate::mcp::Era;
use crate::server::{EraChoice, Failed, handshake};
use crate::shutdown::Shutdown;

/// What starts children.
#[derive(Debug)]
pub(super) struct Starts {
    pub(super) launcher: Launcher,
    pub(super) era: ServerEra,
    settings: Settings,
    audit: audit::Log,
    shutdown: Shutdown,
    next_number: AtomicU64,
}

/// A child that has introduced itself.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) actor: Actor,
    pub(super) launched: Launched,
}

// === impl Starts ===

impl Starts {
    pub(super) fn new(
        launcher: Launcher,
        settings: Settings,
        audit: audit::Log,
        shutdown: Shutdown,
    ) -> Self {
        let (era, next_number) = (ServerEra::new(settings.era), AtomicU64::new(1));
        Self { launcher, era, settings, audit, shutdown, next_number }
    }

    /// Starts a child for the slot, and notes how the server speaks.
    ///
    /// # Errors
    /// When there is no process, or it does not introduce itself.
    pub(super) async fn bring_up(
        &self,
        slot: &Slot,
        reservation: Reservation,
    ) -> Result<Running, StartError> {
        let clients = slot.profile.era;
        let reservation = Arc::new(reservation);
        loop {
            let choice = self.era.choice(clients);
            let (running, refusal) = self.greet(slot, choice, &reservation).await?;
            let spoken = running.child.hello().era();
            self.era.found(choice, spoken, refusal);
            if (choice, spoken, clients) != (EraChoice::Probe, Era::Modern, Era::Legacy) {
                return Ok(running);
            }
            // It is spoken to in its clients' era if it knows that, which is tried once, with a process of its own: a
            // server may stay in the era in which it was greeted.
            self.end(slot, running).await;
        }
    }

    /// Ends a child that nobody is to have, also where whoever waits for it gives up.
    async fn end(&self, slot: &Slot, running: Running) {
        let Running { child, launched, .. } = running;
        let (principal, audit) = (Arc::clone(&slot.principal), self.audit.clone());
        let (shutdown, (done, over)) = (self.shutdown.clone(), oneshot::channel());
        self.shutdown.spawn_work(async move {
            launched.end(shutdown.aborting()).await;
            recording::ended(&audit, &principal, &child, "its clients speak another era");
            let _ = done.send(());
        });
        // The sender is dropped only with the runtime.
        let _ = over.await;
    }

    async fn greet(
        &self,
        slot: &Slot,
        choice: EraChoice,
        reservation: &Arc<Reservation>,
    ) -> Result<(Running, Refusal), StartError> {
        let met = self.meet(slot, choice, reservation).await;
        // A strict server exits on what it does not know, as a legacy one does on a message before `initialize`
        // (checklist 4.15).
        let other = match (choice, &met) {
            (EraChoice::Probe, Err(error)) if error.is_exit() => Era::Legacy,
            (EraChoice::LegacyFirst, Err(error)) if error.is_exit() => Era::Modern,
            _ => return met.map(|running| (running, Refusal::InWords)),
        };
        tracing::debug!(
            ?other,
            "the server exited when it was greeted; greeting another in the other era"
        );
        let met = self.meet(slot, EraChoice::Known(other), reservation).await?;
        Ok((met, Refusal::ByExit))
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
                launched.is_running();
                let (child, actor) = Actor::new(verdict.hello, setup);
                recording::started(&self.audit, &slot.principal, &child);
                Ok(Running { child, actor, launched })
            }
            Err(mut failed) => {
                // These words are the child's own.
                if let Failed::Refused { message, .. } = &mut failed {
                    *message = launched.redactor().mask(message).into_owned();
                }
                let (exit, last) = launched.end_of_start(self.shutdown.aborting()).await;
                Err(StartError::Handshake { failed, exit: Ended(exit), last })
            }
        }
    }
}
