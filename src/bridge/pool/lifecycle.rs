//! What starts children, when it may, and sees to their end.

use std::sync::Arc;
use std::time::Duration;

use super::super::recording;
use super::admission::{Admission, Admitted};
use super::launch::Launcher;
use super::life::Around;
use super::replay::replay;
use super::settings::Settings;
use super::slot::Slot;
use super::slot_state::{NotStarted, Placement};
use super::slots::Slots;
use super::start_error::StartError;
use super::starts::Starts;
use super::unavailable::{Retry, Unavailable};
use crate::audit::{self, Incident};
use crate::shutdown::Shutdown;

/// What a client is told to wait that comes while mcpwrap ends; another one may have taken its place by then.
const SHUT_DOWN_PAUSE: Duration = Duration::from_secs(5);
/// How long a process that failed to start may take to end, before those who wait for it give up.
pub(super) const STOP_SLACK: Duration = Duration::from_secs(15);

/// What starts children and sees to their end.
#[derive(Debug)]
pub(super) struct Lifecycle {
    pub(super) starts: Starts,
    pub(super) settings: Settings,
    /// Where it is recorded what a successor is told, and that a credential was refused because it is shared.
    audit: audit::Log,
    pub(super) shutdown: Shutdown,
    pub(super) slots: Slots,
    admission: Admission,
}

// === impl Lifecycle ===

impl Lifecycle {
    pub(super) fn new(
        launcher: Launcher,
        settings: Settings,
        audit: audit::Log,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            admission: Admission::new(&settings),
            starts: Starts::new(launcher, settings.clone(), audit.clone(), shutdown.clone()),
            settings,
            audit,
            shutdown,
            slots: Slots::default(),
        }
    }

    /// Refuses whatever is new once the process is about to end.
    pub(super) fn open(&self) -> Result<(), Unavailable> {
        if self.shutdown.is_draining() { Err(shutting_down()) } else { Ok(()) }
    }

    /// Starts a child in the slot that granted it.
    pub(super) fn spawn(self: Arc<Self>, slot: Arc<Slot>) {
        self.starts.era.probe(slot.principal.user());
        let shutdown = self.shutdown.clone();
        shutdown.spawn_work(self.start(slot));
    }

    /// Starts a child in the slot, runs it to its end and leaves the slot ready for the next.
    async fn start(self: Arc<Self>, slot: Arc<Slot>) {
        let admitted = tokio::select! {
            () = self.shutdown.draining() => Err(shutting_down()),
            admitted = self.admission.admit(&self.slots, &slot) => admitted,
        };
        let denied = |why| {
            self.starts.era.no_verdict(slot.principal.user());
            slot.failed(NotStarted::Denied(why));
        };
        let (turn, reservation) = match admitted {
            // Whoever wanted the child may have lost the right to it meanwhile.
            Ok(Admitted::Goes(..)) if slot.tokens.are_over() => {
                return denied(Unavailable::for_now("the access to the server has ended"));
            }
            Ok(Admitted::Goes(turn, reservation)) => (turn, reservation),
            Ok(Admitted::Unwanted) => {
                self.starts.era.no_verdict(slot.principal.user());
                return slot.vacate();
            }
            Err(why) => return denied(why),
        };
        let brought_up = tokio::select! {
            brought_up = turn.run(self.starts.bring_up(&slot, reservation)) => brought_up,
            // Its process is killed with whoever holds it.
            () = self.shutdown.draining() => {
                let why = shutting_down();
                recording::not_started(&self.audit, &slot.principal, &why.message);
                return denied(why);
            }
        };
        match brought_up {
            Ok(running) => {
                let mut told = replay(&self.audit, &self.shutdown, &slot, &running.child);
                let placement = slot.ready(&running.child);
                told.catch_up(&self.audit, &self.shutdown, &slot, &running.child);
                if placement == Placement::Drains || self.shutdown.is_draining() {
                    running.child.close();
                }
                running.live(&slot, self.around()).await;
            }
            Err(error) => {
                self.starts.era.no_verdict(slot.principal.user());
                self.report(&slot, &error);
                slot.failed(error.into());
            }
        }
    }

    /// Tells the operator why there is no child.
    fn report(&self, slot: &Slot, error: &StartError) {
        if let Some(name) = error.shared_credential() {
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
        let reservation = self.admission.succeed(slot.principal.user());
        let running = match self.starts.bring_up(&slot, reservation).await {
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
        let mut told = replay(&self.audit, &self.shutdown, &slot, &running.child);
        let placement = slot.replace(&old, &running.child);
        told.catch_up(&self.audit, &self.shutdown, &slot, &running.child);
        old.close();
        if placement == Placement::Drains {
            running.child.close();
        }
        let shutdown = self.shutdown.clone();
        shutdown.spawn_work(async move { running.live(&slot, self.around()).await });
    }

    /// What is around every child.
    fn around(&self) -> Around<'_> {
        let Self { slots, audit, shutdown, settings, .. } = self;
        Around { slots, audit, shutdown, grace: settings.grace }
    }
}

fn shutting_down() -> Unavailable {
    let message = "the server is shutting down".to_owned();
    Unavailable { message, retry: Retry::Time(Some(SHUT_DOWN_PAUSE)) }
}
