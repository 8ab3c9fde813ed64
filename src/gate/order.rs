//! The order in which everything passes on its way to a child, written once.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::access::Access;
use super::bridge::{self, Launcher, Member, Pool, recording};
use super::call::Call;
use super::not_admitted::NotAdmitted;
use super::seat::Seat;
use crate::audit::{self, Ending, Incident};
use crate::auth::Principal;
use crate::mcp::Era;
use crate::policy::{Operation, Permitted, Policy};
use crate::server::{Internal, Profile};
use crate::shutdown::Shutdown;

/// How long the answer to something may take that nobody waits for.
const FAREWELL_WITHIN: Duration = Duration::from_secs(10);
/// What a client is told to wait that comes while mcpwrap ends; another one may have taken its place by then.
const SHUT_DOWN_PAUSE: Duration = Duration::from_secs(5);

/// The way to all children of this process; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(super) pool: Pool,
    pub(super) policy: Policy,
    pub(super) audit: audit::Log,
    pub(super) call_timeout: Duration,
    /// The calls that keep the process from ending while its grace lasts.
    pub(super) calls: TaskTracker,
    shutdown: Shutdown,
}

/// What a [`Gate`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// How children are started.
    pub launcher: Launcher,
    /// How many there may be, and how they live.
    pub pool: bridge::Settings,
    /// What callers may do.
    pub policy: Policy,
    /// Where it is recorded.
    pub audit: audit::Log,
    /// How long a server may be quiet while it works on a call.
    pub call_timeout: Duration,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// How a call differs from others: what it leaves behind, and how long it may be silent.
#[derive(Clone, Copy)]
enum Kind<'a> {
    /// Nothing else.
    Plain,
    /// The member's wish to hear of the resource that it names.
    Subscribe(&'a Member),
    /// A subscription, which is quiet by nature.
    Listen,
    /// A session's subscription, which keeps no child.
    Follow,
    /// News whose answer nobody waits for.
    Farewell,
}

/// What may be done, by policy and on record; whoever holds it does it.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    pub(super) child: bridge::Child,
    pub(super) permitted: Permitted,
    pub(super) record: audit::Open,
    /// What it takes of all that may be in flight, where it is no call.
    _share: Option<bridge::Share>,
}

/// More is under way than may be.
#[derive(Debug, thiserror::Error)]
#[error("too many calls are in flight; try again later")]
pub(super) struct Busy;

/// Nothing new is begun.
#[derive(Debug, thiserror::Error)]
#[error("the server is shutting down")]
struct ShuttingDown;

// === impl Gate ===

impl Gate {
    /// A gate without children behind it.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { launcher, pool, policy, audit, call_timeout, shutdown } = parts;
        let pool = Pool::new(launcher, pool, audit.clone(), &shutdown);
        Self { pool, policy, audit, call_timeout, calls: TaskTracker::new(), shutdown }
    }

    /// Lets a caller in: policy's `connect`, and whose children his are.
    ///
    /// # Errors
    /// When policy does not let him have a child, or a claim that the configuration needs is missing or unfit.
    pub fn access(&self, principal: &Arc<Principal>) -> Result<Access, NotAdmitted> {
        let connect = self.policy.connect(principal)?;
        let key = self.pool.key(&connect)?;
        Ok(Access { connect, key })
    }

    /// Seats a caller at the child that fits his client, started if need be. `session` names the legacy session that
    /// has a child for itself.
    ///
    /// # Errors
    /// When there is no child, with what has to happen before there is one.
    pub async fn seat(
        &self,
        access: &Access,
        profile: &Profile,
        session: Option<Arc<str>>,
    ) -> Result<Seat, NotAdmitted> {
        let key = bridge::ChildKey { session, ..access.key.clone() };
        let seat = self.pool.seat(&access.connect, key, profile).await?;
        let child = self.pool.ready(&seat).await?;
        Ok(Seat::new(seat, child.hello().clone()))
    }

    /// Sends an operation to the seat's child.
    ///
    /// # Errors
    /// When it may not, or cannot, reach one.
    pub async fn call(
        &self,
        access: &Access,
        seat: &Seat,
        operation: Operation,
    ) -> Result<Call, NotAdmitted> {
        self.pass(access, seat, operation, Kind::Plain).await
    }

    /// Sends `resources/subscribe` for a member, who hears of the resource from now on unless the server refuses.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn subscribe(
        &self,
        access: &Access,
        seat: &Seat,
        member: &Member,
        operation: Operation,
    ) -> Result<Call, NotAdmitted> {
        self.pass(access, seat, operation, Kind::Subscribe(member)).await
    }

    /// Opens a modern server's own subscription, whose silence does not end it.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn listen(
        &self,
        access: &Access,
        seat: &Seat,
        operation: Operation,
    ) -> Result<Call, NotAdmitted> {
        self.pass(access, seat, operation, Kind::Listen).await
    }

    /// Opens a modern server's own subscription for a session, whose child it does not keep.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn follow(
        &self,
        access: &Access,
        seat: &Seat,
        operation: Operation,
    ) -> Result<Call, NotAdmitted> {
        self.pass(access, seat, operation, Kind::Follow).await
    }

    /// Sends an operation whose answer nobody waits for, if the child still runs.
    pub fn say_farewell(&self, access: &Access, seat: &Seat, operation: Operation) {
        let Some(child) = seat.running().filter(|_| own(access, seat.key()).is_ok()) else {
            return;
        };
        let Ok(permitted) = self.policy.authorize(access.principal(), operation) else { return };
        // In its turn, so that nothing that the caller says afterwards can come before it; on a runtime's thread or
        // on that of the log.
        let (gate, seat, runtime) = (self.clone(), seat.clone(), Handle::current());
        let working = seat.inner.working();
        let (told, to) = (permitted.clone(), child.clone());
        let turn = move |record| {
            let _context = runtime.enter();
            let admitted = Admitted { child: to, permitted: told, record, _share: None };
            let mut call = gate.dispatch(admitted, &seat, working, (Kind::Farewell, None));
            gate.shutdown.spawn_work(async move {
                while !matches!(call.next().await, bridge::Event::Done(_)) {}
            });
        };
        // What cannot be recorded is left unsaid.
        let _ = recording::begin_in_turn(&self.audit, &permitted, &child, turn);
    }

    /// Judges and records what is done in another form: a legacy client's subscription at a modern server, which is
    /// part of its session's.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn admit_for(
        &self,
        access: &Access,
        seat: &Seat,
        operation: Operation,
    ) -> Result<Admitted, NotAdmitted> {
        self.open()?;
        let _working = seat.inner.working();
        let child = self.child(access, seat).await?;
        let share = child.share().ok_or_else(|| NotAdmitted::for_now(&Busy, None))?;
        Ok(Admitted { _share: Some(share), ..self.admit(access, child, operation).await? })
    }

    /// The order: connect (in [`Access`]) → child → authorize → audit `begin` → dispatch. Outcome and audit `end` are
    /// the [`Call`]'s.
    async fn pass(
        &self,
        access: &Access,
        seat: &Seat,
        operation: Operation,
        kind: Kind<'_>,
    ) -> Result<Call, NotAdmitted> {
        // Before the look, so that whoever gets through is waited for.
        let counted = match kind {
            Kind::Plain | Kind::Subscribe(_) => Some(self.calls.token()),
            Kind::Listen | Kind::Follow | Kind::Farewell => None,
        };
        self.open()?;
        // Before the child is looked for, so that it does not go meanwhile.
        let working = seat.inner.working();
        let child = self.child(access, seat).await?;
        let (mut admitted, mut subscribing) =
            self.admit_and_remember(access, child, operation, kind).await?;
        // It may have gone, or been replaced, while the record was written: there is a fresh one then, once.
        if seat.running().is_none_or(|child| child.number() != admitted.child.number()) {
            let operation = admitted.permitted.operation().clone();
            admitted.end(Ending::Unsent);
            drop(subscribing);
            let child = self.child(access, seat).await?;
            (admitted, subscribing) =
                self.admit_and_remember(access, child, operation, kind).await?;
        }
        let seat_of_call = match kind {
            Kind::Follow => seat.inner.clone(),
            _ => working,
        };
        let call = self.dispatch(admitted, seat, seat_of_call, (kind, subscribing));
        Ok(call.counted(counted))
    }

    /// Admits an operation, and remembers what it subscribes to before it is sent: the server may report a change before
    /// it answers, and whoever replaces it meanwhile tells its successor.
    async fn admit_and_remember(
        &self,
        access: &Access,
        child: bridge::Child,
        operation: Operation,
        kind: Kind<'_>,
    ) -> Result<(Admitted, Option<bridge::Subscribing>), NotAdmitted> {
        let price = match (kind, &operation.params.uri) {
            (Kind::Subscribe(member), Some(uri)) => {
                Some(member.price(uri).map_err(|short| NotAdmitted::for_now(&short, None))?)
            }
            _ => None,
        };
        let admitted = self.admit(access, child, operation).await?;
        let subscribing = match (kind, &admitted.permitted.operation().params.uri, price) {
            (Kind::Subscribe(member), Some(uri), Some(price)) => {
                Some(member.subscribe(uri, &admitted.permitted, price))
            }
            _ => None,
        };
        Ok((admitted, subscribing))
    }

    /// Refuses whatever is new once the process is about to end.
    ///
    /// # Errors
    /// Then, and with when another try is worth it.
    pub fn open(&self) -> Result<(), NotAdmitted> {
        match self.shutdown.is_draining() {
            true => Err(NotAdmitted::for_now(&ShuttingDown, Some(SHUT_DOWN_PAUSE))),
            false => Ok(()),
        }
    }

    /// The seat's child, for somebody who may use it.
    pub(super) async fn child(
        &self,
        access: &Access,
        seat: &Seat,
    ) -> Result<bridge::Child, NotAdmitted> {
        own(access, seat.key())?;
        let ready = self.pool.ready(&seat.inner).await;
        match ready {
            // Before anything is sent to it: a session goes on with a successor that keeps its word, and with no other.
            Ok(child) if seat.suits(&child) => Ok(child),
            Err(why) if !seat.is_lost() => Err(why.into()),
            Ok(_) | Err(_) => Err(NotAdmitted::session_over()),
        }
    }

    /// Policy, then the first of two audit records, written.
    pub(super) async fn admit(
        &self,
        access: &Access,
        child: bridge::Child,
        operation: Operation,
    ) -> Result<Admitted, NotAdmitted> {
        let permitted = self.policy.authorize(access.principal(), operation)?;
        let record = recording::begin(&self.audit, &permitted, &child).await?;
        Ok(Admitted { child, permitted, record, _share: None })
    }

    fn dispatch(
        &self,
        admitted: Admitted,
        seat: &Seat,
        seat_of_call: bridge::Seat,
        (kind, subscribing): (Kind<'_>, Option<bridge::Subscribing>),
    ) -> Call {
        let Admitted { child, permitted, record, .. } = admitted;
        self.lower_level(&permitted, seat, &child);
        let patience = match kind {
            Kind::Plain | Kind::Subscribe(_) => Some(self.call_timeout),
            Kind::Farewell => Some(FAREWELL_WITHIN.min(self.call_timeout)),
            Kind::Listen | Kind::Follow => None,
        };
        let conversation = child.converse(permitted, patience);
        Call::new(conversation, record, subscribing, seat_of_call)
    }

    /// A modern client names its level with each request; a legacy server has one for all who share it.
    fn lower_level(&self, permitted: &Permitted, seat: &Seat, child: &bridge::Child) {
        let client = &permitted.operation().client;
        if let (Era::Modern, Era::Legacy) = (client.era, child.hello().era())
            && let Some(level) = client.log_level.filter(|_| child.hello().offers("logging"))
            && seat.subscribers().is_news(level)
            && recording::own_request(&self.audit, permitted.principal(), "logging/setLevel", child)
                .is_ok()
            && let Some(level) = seat.subscribers().request_level(level)
        {
            child.tell(Internal::SetLevel(level));
        }
    }

    /// Lets a call that waits for its client's answers go on for the retry that brings them. It is judged anew, and its
    /// record stays open.
    ///
    /// # Errors
    /// When policy does not allow the retry; the call still waits then.
    pub fn take_over(
        &self,
        access: &Access,
        call: &mut Call,
        retry: Operation,
    ) -> Result<(), NotAdmitted> {
        own(access, call.key())?;
        let permitted = self.policy.authorize(access.principal(), retry)?;
        call.taken_over_by(&permitted);
        Ok(())
    }

    /// Records what a caller did that he must not do.
    pub fn report(&self, access: &Access, incident: &Incident) {
        self.audit.incident(&access.principal().as_ref().into(), incident);
    }

    /// Records that a session was opened, and its end when what is returned is told or dropped.
    #[must_use]
    pub fn record_session(&self, access: &Access, name: &str) -> audit::OpenSession {
        self.audit.session(|| access.principal().as_ref().into(), name)
    }
}

/// Refuses a child that is somebody else's.
pub(super) fn own(access: &Access, key: &bridge::ChildKey) -> Result<(), NotAdmitted> {
    access.opens(key).then_some(()).ok_or_else(NotAdmitted::foreign)
}

// === impl Admitted ===

impl Admitted {
    /// It was done, or was not.
    pub fn end(self, ending: Ending) {
        self.record.end(ending);
    }
}
