//! The children: one for each (user, authority, profile), found or started, and closed when nobody needs them.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{interval, timeout};

use super::capacity::Capacity;
use super::child::Child;
use super::launch::Launcher;
use super::slot::{ChildKey, Current, Retry, Seat, Slot, Unavailable};
use super::trace::Trace;
use crate::audit;
use crate::mcp::{Era, Raw};
use crate::policy::Connect;
use crate::server::{EraChoice, Profile};
use crate::shutdown::Shutdown;

/// How many profiles one authority may have, the empty one included (DESIGN.md section 5).
const MOST_PROFILES: usize = 3;
/// How often a call that finds its server ended just then looks for the next one.
const TRIES: usize = 3;
const REAP_EVERY: Duration = Duration::from_secs(1);
/// How long a process that failed to start may take to end, before those who wait for it give up.
pub(super) const STOP_SLACK: Duration = Duration::from_secs(15);

/// What the pool needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the children speak, where the operator knows it.
    pub era: EraChoice,
    /// From the start of the process to the end of the handshake.
    pub start_timeout: Duration,
    /// How long a child without users lives.
    pub idle: Duration,
    /// How long calls may go on when a child is told to close.
    pub grace: Duration,
    /// Calls that one child may work on at a time.
    pub most_in_flight: usize,
    /// The longest line a child may write, in bytes.
    pub max_line: usize,
    /// The configured answer to `roots/list`, if any.
    pub roots: Option<Raw>,
    /// What is shown of the traffic.
    pub trace: Trace,
    /// Children of all users together.
    pub most_children: usize,
    /// Children of one user.
    pub most_children_per_user: usize,
    /// Where it is recorded that a credential was refused because it is shared.
    pub audit: audit::Log,
}

/// All children of this process; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Pool {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) launcher: Launcher,
    pub(super) settings: Settings,
    pub(super) shutdown: Shutdown,
    pub(super) era: watch::Sender<Knowledge>,
    pub(super) next_number: AtomicU64,
    pub(super) capacity: Arc<Capacity>,
    groups: Mutex<HashMap<ChildKey, Vec<Arc<Slot>>>>,
}

/// What is known of the era of `CMD`; one verdict holds for every child, as they all run the same command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    Unknown,
    Probing,
    Known(Era),
}

impl Knowledge {
    /// Notes that a start that finds out is under way. Only a start may do so: whoever else did and then
    /// started nothing would leave everybody waiting.
    fn probe(&mut self) -> bool {
        let unknown = *self == Self::Unknown;
        if unknown {
            *self = Self::Probing;
        }
        unknown
    }
}

impl Pool {
    /// A pool without children.
    #[must_use]
    pub fn new(launcher: Launcher, settings: Settings, shutdown: &Shutdown) -> Self {
        let era = match settings.era {
            EraChoice::Probe => Knowledge::Unknown,
            EraChoice::Known(era) => Knowledge::Known(era),
        };
        let capacity = Capacity::new(settings.most_children, settings.most_children_per_user);
        let shared = Shared {
            launcher,
            settings,
            shutdown: shutdown.clone(),
            era: watch::Sender::new(era),
            next_number: AtomicU64::new(1),
            capacity,
            groups: Mutex::default(),
        };
        let pool = Self { shared: Arc::new(shared) };
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
        if self.shared.shutdown.is_finishing() {
            return Err(unavailable("the server is shutting down"));
        }
        let era = self.settle_era().await?;
        let (seat, leaving) = self.choose(key, connect, profile, era, Seat::take);
        for child in leaving {
            child.close();
            child.closed().await;
        }
        seat.slot().vouch(connect.principal());
        Ok(seat)
    }

    /// Starts a child before anybody asks for one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn warm(&self, connect: &Connect, key: ChildKey) -> Result<Child, Unavailable> {
        let era = self.settle_era().await?;
        let (seat, _) = self.choose(key, connect, &Profile::plain(), era, Seat::warm);
        self.ready(&seat).await
    }

    /// The seat's child, started if need be.
    ///
    /// # Errors
    /// When it cannot be started, or crashed too often to be started at once.
    pub async fn ready(&self, seat: &Seat) -> Result<Child, Unavailable> {
        for _ in 0..TRIES {
            if let Some(child) = self.settled(seat.slot()).await? {
                return Ok(child);
            }
        }
        Err(unavailable("the server is gone"))
    }

    /// The slot's child, once it is clear whether there is one; nothing, where one has just ended.
    async fn settled(&self, slot: &Arc<Slot>) -> Result<Option<Child>, Unavailable> {
        if let Some(child) = slot.child() {
            return Ok(Some(child));
        }
        if self.shared.shutdown.is_finishing() {
            return Err(unavailable("the server is shutting down"));
        }
        match slot.begin() {
            Ok(()) => {
                self.shared.era.send_if_modified(Knowledge::probe);
                let start = Arc::clone(&self.shared).start(Arc::clone(slot));
                self.shared.shutdown.spawn_work(start);
            }
            Err(Current::Failed { why, .. }) => return Err(why),
            Err(_) => {}
        }
        let mut current = slot.current.subscribe();
        let settled =
            current.wait_for(|current| !matches!(current, Current::Starting | Current::Ending));
        // The start has its own deadline; this one only catches a fault of ours.
        match timeout(self.shared.settings.start_timeout * 3 + STOP_SLACK, settled).await {
            Ok(Ok(current)) => match &*current {
                Current::Ready(child) => Ok(Some(child.clone())),
                Current::Failed { why, .. } => Err(why.clone()),
                Current::Empty | Current::Starting | Current::Ending => Ok(None),
            },
            _ => Err(unavailable("the server did not start in time")),
        }
    }

    /// Starts successors of all running children and puts them in their places; sessions stay.
    pub async fn replace_all(&self) {
        for slot in self.slots() {
            if slot.child().is_some() {
                Arc::clone(&self.shared).succeed(slot).await;
            }
        }
    }

    /// Closes every child and waits until all of them have ended.
    pub async fn close(&self) {
        let children: Vec<Child> = self.slots().iter().filter_map(|slot| slot.child()).collect();
        children.iter().for_each(Child::close);
        for child in children {
            child.closed().await;
        }
    }

    /// Ends the children with this key.
    pub fn forget(&self, key: &ChildKey) {
        for slot in self.lock().remove(key).unwrap_or_default() {
            if let Some(child) = slot.retire() {
                child.close();
            }
        }
    }

    /// Whose child a caller's is, of those that are shared by his sessions.
    ///
    /// # Errors
    /// When a claim that the configuration needs is missing or unfit; the message names it.
    pub fn key(&self, connect: &Connect) -> Result<ChildKey, Unavailable> {
        let principal = connect.principal();
        let authority = self.shared.launcher.authority(principal).map_err(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a caller's claims do not fit"
            );
            Unavailable { message: error.for_user(), retry: Retry::People }
        })?;
        Ok(ChildKey { user: principal.user().clone(), authority, session: None })
    }

    /// Waits while somebody probes; returns the era, or nothing where the next start will find it out.
    async fn settle_era(&self) -> Result<Option<Era>, Unavailable> {
        let mut era = self.shared.era.subscribe();
        let limit = self.shared.settings.start_timeout * 2 + STOP_SLACK;
        let settled = era.wait_for(|known| *known != Knowledge::Probing);
        match timeout(limit, settled).await {
            Ok(Ok(known)) => Ok(match *known {
                Knowledge::Known(era) => Some(era),
                Knowledge::Unknown | Knowledge::Probing => None,
            }),
            _ => Err(unavailable("the server did not start in time")),
        }
    }

    /// A seat in the slot that fits, and children that nobody uses and that make room for it. The seat is taken
    /// under the lock, so that nobody takes the slot for unused in between.
    fn choose(
        &self,
        key: ChildKey,
        connect: &Connect,
        profile: &Profile,
        era: Option<Era>,
        take: fn(&Arc<Slot>) -> Seat,
    ) -> (Seat, Vec<Child>) {
        let mut groups = self.lock();
        let group = groups.entry(key.clone()).or_default();
        let mut leaving = Vec::new();
        let exact = |group: &[Arc<Slot>], wanted: &Profile| {
            group.iter().find(|slot| slot.profile == *wanted).cloned()
        };
        let found = match era {
            Some(Era::Modern) => group.first().cloned(),
            _ => exact(group, profile),
        };
        if let Some(slot) = found {
            return (take(&slot), leaving);
        }
        // What was only warmed up makes room, and so does the profile that nobody has used for longest.
        let plain = Profile::plain();
        group.retain(|slot| {
            let spare = slot.is_spare() && slot.child().is_some();
            if spare {
                leaving.extend(slot.retire());
            }
            !spare
        });
        if group.iter().filter(|slot| slot.profile != plain).count() >= MOST_PROFILES - 1 {
            let unused = group.iter().enumerate().filter(|(_, slot)| slot.profile != plain);
            let settled =
                unused.filter(|(_, slot)| !matches!(*slot.current.borrow(), Current::Starting));
            let oldest = settled.filter_map(|(at, slot)| Some((slot.idle_for()?, at))).max();
            if let Some((_, at)) = oldest {
                leaving.extend(group.remove(at).retire());
            }
        }
        let full = group.iter().filter(|slot| slot.profile != plain).count() >= MOST_PROFILES - 1;
        if full && era == Some(Era::Legacy) {
            let fitting = group.iter().filter(|slot| slot.profile.is_within(profile));
            let within = fitting.max_by_key(|slot| slot.profile.weight()).cloned();
            if let Some(slot) = within.or_else(|| exact(group, &plain)) {
                return (take(&slot), leaving);
            }
        }
        // Once the others are used up, only the empty profile may still come.
        let profile = if full { plain } else { profile.clone() };
        let slot = Arc::new(Slot::new(key, Arc::clone(connect.principal()), profile));
        group.push(Arc::clone(&slot));
        (take(&slot), leaving)
    }

    async fn reap(self) {
        let mut ticks = interval(REAP_EVERY);
        loop {
            tokio::select! {
                () = self.shared.shutdown.finishing() => return,
                _ = ticks.tick() => {}
            }
            let idle = self.shared.settings.idle;
            let mut leaving = Vec::new();
            self.lock().retain(|_, group| {
                let others = group.len() > 1;
                group.retain(|slot| {
                    let unused = slot.idle_for().is_some_and(|unused| unused >= idle);
                    let stale = (unused || (others && slot.is_spare()))
                        && !matches!(*slot.current.borrow(), Current::Starting | Current::Ending);
                    if stale {
                        leaving.extend(slot.retire());
                    }
                    !stale
                });
                !group.is_empty()
            });
            leaving.iter().for_each(Child::close);
        }
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.shared.slots()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChildKey, Vec<Arc<Slot>>>> {
        self.shared.lock()
    }
}

impl Shared {
    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.lock().values().flatten().cloned().collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<ChildKey, Vec<Arc<Slot>>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn unavailable(message: &str) -> Unavailable {
    Unavailable { message: message.to_owned(), retry: Retry::Time(None) }
}
