//! The children: one for each (user, authority, profile), found or started, and closed when nobody needs them.

mod admission;
mod authorizing_tokens;
mod capacity;
mod credential_files;
mod home_limit;
mod isolated;
mod last_word;
mod launch;
mod launch_error;
mod life;
mod lifecycle;
mod probe;
mod replay;
mod reserve;
mod server_era;
mod settings;
mod slot;
mod slot_state;
mod slots;
mod start_error;
mod start_order;
mod start_queue;
mod starts;
mod unavailable;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep_until, timeout};

pub use home_limit::HomeLimit;
pub use isolated::{HomeScope, Homes, Isolated};
pub use launch::{Confinement, Launcher};
pub use settings::Settings;
pub use slot::{ChildKey, Seat, Slot};
pub use unavailable::{Retry, Unavailable};

use super::child::Child;
use crate::audit;
use crate::mcp::Raw;
use crate::policy::Connect;
use crate::server::{Profile, Speech};
use crate::shutdown::Shutdown;
use lifecycle::{Lifecycle, STOP_SLACK};
use slot_state::Start;
use starts::Starts;

/// How often a call that finds its server ended just then looks for the next one.
const TRIES: usize = 3;
const REAP_EVERY: Duration = Duration::from_secs(1);

/// All children of this process; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Pool {
    lifecycle: Arc<Lifecycle>,
}

// === impl Pool ===

impl Pool {
    /// A pool without children.
    #[must_use]
    pub fn new(
        launcher: Launcher,
        settings: Settings,
        audit: audit::Log,
        shutdown: &Shutdown,
    ) -> Self {
        let lifecycle = Arc::new(Lifecycle::new(launcher, settings, audit, shutdown.clone()));
        let pool = Self { lifecycle };
        shutdown.spawn("reap idle children", pool.clone().reap());
        pool
    }

    /// A seat in the slot that fits this principal and profile; its child may still have to be started.
    ///
    /// # Errors
    /// When the process is about to stop, or the era does not become known in time.
    pub async fn seat(
        &self,
        connect: &Connect,
        key: ChildKey,
        profile: &Profile,
    ) -> Result<Seat, Unavailable> {
        self.lifecycle.open()?;
        let speech = self.settle_era(connect).await?;
        let (seat, leaving) =
            self.lifecycle.slots.choose(key, connect, profile, speech, Seat::take);
        for child in leaving {
            child.close();
            child.closed().await;
        }
        seat.slot().vouch(connect.principal());
        Ok(seat)
    }

    /// Starts a child before anybody asks for one; it may make room for others as soon as the seat is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn warm(
        &self,
        connect: &Connect,
        key: ChildKey,
    ) -> Result<(Seat, Child), Unavailable> {
        let speech = self.settle_era(connect).await?;
        // For the era that a probe begins with.
        let profile = Profile::of_modern(&Raw::empty_object(), None);
        let (seat, leaving) =
            self.lifecycle.slots.choose(key, connect, &profile, speech, Seat::warm);
        leaving.iter().for_each(Child::close);
        let child = self.ready(&seat).await?;
        Ok((seat, child))
    }

    /// Finds out how the server speaks, where that is not known, by a child that is nobody's. Start-up goes on without
    /// the verdict where such a child cannot be had.
    pub async fn probe(&self) {
        let Starts { launcher, era, .. } = &self.lifecycle.starts;
        if !era.is_open() {
            return;
        }
        match probe::probe(launcher).await {
            Ok((begun, spoken)) => {
                tracing::debug!(?spoken, "a child of nobody's has said how the server speaks");
                era.found(begun, spoken, server_era::Refusal::InWords);
            }
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the server does not start for nobody; the first user's child will say how it speaks"
            ),
        }
    }

    /// How long a start, and the first thing that is asked of a child, may take.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        self.lifecycle.settings.start_timeout
    }

    /// The seat's child, started if need be; a server that crashed is waited for until it may be started again.
    ///
    /// # Errors
    /// When it cannot be started, or crashed too often to be started at once.
    pub async fn ready(&self, seat: &Seat) -> Result<Child, Unavailable> {
        let by = Instant::now() + self.lifecycle.settings.start_wait;
        for _ in 0..TRIES {
            if let Some(child) = self.settled(seat.slot(), by).await? {
                return Ok(child);
            }
        }
        Err(Unavailable::for_now("the server is gone"))
    }

    /// The slot's child, once it is clear whether there is one; nothing, where one has just ended.
    async fn settled(&self, slot: &Arc<Slot>, by: Instant) -> Result<Option<Child>, Unavailable> {
        if let Some(child) = slot.child() {
            return Ok(Some(child));
        }
        loop {
            self.lifecycle.open()?;
            match slot.start() {
                Start::Granted => {
                    Arc::clone(&self.lifecycle).spawn(Arc::clone(slot));
                    break;
                }
                Start::Waits => break,
                Start::Later { at, .. } if at <= by => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.lifecycle.shutdown.draining() => {}
                },
                Start::Later { why, .. } | Start::Refused(why) => return Err(why),
            }
        }
        // The start has its own deadline; this one only catches a fault of ours.
        let settings = &self.lifecycle.settings;
        let limit = settings.start_wait + settings.start_timeout * 3 + STOP_SLACK;
        match timeout(limit, slot.settled()).await {
            Ok(settled) => settled,
            Err(_) => Err(Unavailable::for_now("the server did not start in time")),
        }
    }

    /// Starts successors of all running children and puts them in their places; sessions stay.
    pub async fn replace_all(&self) {
        for slot in self.lifecycle.slots.all() {
            Arc::clone(&self.lifecycle).replace(slot).await;
        }
    }

    /// Closes every child and waits until all of them have ended.
    pub async fn close(&self) {
        let slots = self.lifecycle.slots.all();
        let children: Vec<Child> = slots.iter().flat_map(|slot| slot.children()).collect();
        children.iter().for_each(Child::close);
        for child in children {
            child.closed().await;
        }
    }

    /// Ends the children with this key.
    pub fn forget(&self, key: &ChildKey) {
        self.lifecycle.slots.retire_all(key).iter().for_each(Child::close);
    }

    /// Whose child a caller's is, of those that are shared by his sessions.
    ///
    /// # Errors
    /// When a claim that the configuration needs is missing or unfit; the message names it.
    pub fn key(&self, connect: &Connect) -> Result<ChildKey, Unavailable> {
        let principal = connect.principal();
        let authority = self.lifecycle.starts.launcher.authority(principal).map_err(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a caller's claims do not fit"
            );
            Unavailable { message: error.for_user(), retry: Retry::People }
        })?;
        Ok(ChildKey { user: principal.user().clone(), authority, session: None })
    }

    async fn settle_era(&self, connect: &Connect) -> Result<Option<Speech>, Unavailable> {
        let limit = self.lifecycle.settings.start_timeout * 2 + STOP_SLACK;
        let settled =
            timeout(limit, self.lifecycle.starts.era.settled(connect.principal().user())).await;
        settled.map_err(|_| Unavailable::for_now("the server did not start in time"))
    }

    async fn reap(self) {
        let mut ticks = interval(REAP_EVERY);
        loop {
            tokio::select! {
                () = self.lifecycle.shutdown.finishing() => return,
                _ = ticks.tick() => {}
            }
            let idle = self.lifecycle.settings.idle;
            self.lifecycle.slots.retire_unused(idle).iter().for_each(Child::close);
        }
    }
}
