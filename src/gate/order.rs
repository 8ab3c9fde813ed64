//! The order in which everything passes on its way to a child, written once.

use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::bridge::{self, Launcher, Member, Pool, Subscribing};
use super::call::Call;
use super::not_admitted::NotAdmitted;
use super::record;
use super::seat::Seat;
use crate::audit::{self, Incident};
use crate::auth::Principal;
use crate::mcp::Era;
use crate::policy::{Operation, Permitted, Policy};
use crate::server::{Internal, Profile};
use crate::shutdown::Shutdown;

/// The way to all children of this process; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(super) pool: Pool,
    pub(super) policy: Policy,
    pub(super) audit: audit::Log,
    call_timeout: Duration,
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

/// What a call is besides a call.
#[derive(Clone, Copy)]
enum Kind<'a> {
    /// Nothing else.
    Plain,
    /// The member's wish to hear of the resource that it names.
    Subscribe(&'a Member),
    /// A subscription, which is quiet by nature.
    Listen,
    /// News for a child that runs anyway.
    Farewell,
}

/// Which child will do.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// One that is started if need be.
    Started,
    /// One that runs already.
    Running,
}

// === impl Gate ===

impl Gate {
    /// A gate without children behind it.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { launcher, pool, policy, audit, call_timeout, shutdown } = parts;
        let pool = Pool::new(launcher, pool, &shutdown);
        Self { pool, policy, audit, call_timeout, shutdown }
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

    /// Sends an operation whose answer nobody waits for, if the child still runs.
    pub fn say_farewell(&self, access: &Access, seat: &Seat, operation: Operation) {
        let (gate, access, seat) = (self.clone(), access.clone(), seat.clone());
        self.shutdown.spawn_work(async move {
            let Ok(mut call) = gate.pass(&access, &seat, operation, Kind::Farewell).await else {
                return;
            };
            while !matches!(call.next().await, bridge::Event::Done(_)) {}
        });
    }

    /// The order: connect → child → authorize → audit `begin` → dispatch. Outcome and audit `end` are the [`Call`]'s.
    async fn pass(
        &self,
        access: &Access,
        seat: &Seat,
        operation: Operation,
        kind: Kind<'_>,
    ) -> Result<Call, NotAdmitted> {
        let child = self.child(access, seat, kind.wanted()).await?;
        let permitted = self.policy.authorize(access.principal(), operation)?;
        let record = record::begin(&self.audit, &permitted, &child)?;
        let subscribing = kind.prepare(&permitted, seat, &child);
        let conversation = child.converse(permitted, kind.patience(self.call_timeout));
        Ok(Call::new(conversation, record, subscribing, seat.clone()))
    }

    /// The seat's child, for somebody who may use it.
    pub(super) async fn child(
        &self,
        access: &Access,
        seat: &Seat,
        wanted: Wanted,
    ) -> Result<bridge::Child, NotAdmitted> {
        own(access, seat)?;
        match wanted {
            Wanted::Running => seat.running().ok_or_else(NotAdmitted::gone),
            Wanted::Started => Ok(self.pool.ready(&seat.inner).await?),
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
        own(access, &call.seat)?;
        let permitted = self.policy.authorize(access.principal(), retry)?;
        call.seat.vouch(access);
        call.conversation().taken_over_by(&permitted);
        Ok(())
    }

    /// Ends the child that one session has for itself; a child that is shared stays.
    pub fn leave(&self, seat: &Seat) {
        if seat.key().session.is_some() {
            self.pool.forget(seat.key());
        }
    }

    /// Records what a caller did that he must not do.
    pub fn report(&self, access: &Access, incident: &Incident) {
        self.audit.incident(&access.principal().as_ref().into(), incident);
    }

    /// Starts successors of all running children and puts them in their places; sessions stay.
    pub async fn replace_all(&self) {
        self.pool.replace_all().await;
    }

    /// Closes every child and waits until all of them have ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Refuses a seat that is somebody else's.
pub(super) fn own(access: &Access, seat: &Seat) -> Result<(), NotAdmitted> {
    access.opens(seat.key()).then_some(()).ok_or_else(NotAdmitted::foreign)
}

// === impl Kind ===

impl Kind<'_> {
    fn wanted(self) -> Wanted {
        match self {
            Self::Plain | Self::Subscribe(_) | Self::Listen => Wanted::Started,
            Self::Farewell => Wanted::Running,
        }
    }

    fn patience(self, limit: Duration) -> Option<Duration> {
        match self {
            Self::Plain | Self::Subscribe(_) | Self::Farewell => Some(limit),
            Self::Listen => None,
        }
    }

    /// What has to stand before the server can hear of the call.
    fn prepare(
        self,
        permitted: &Permitted,
        seat: &Seat,
        child: &bridge::Child,
    ) -> Option<Subscribing> {
        let operation = permitted.operation();
        // A modern client names its level with each request, a legacy server has one for all.
        if let (Era::Modern, Era::Legacy) = (operation.caller.era, child.hello().era())
            && let Some(level) =
                operation.caller.log_level.filter(|_| child.hello().offers("logging"))
            && let Some(level) = seat.subscribers().request_level(level)
        {
            child.tell(Internal::SetLevel(level));
        }
        match (self, &operation.params.uri) {
            // Remembered first: the server may report a change before it answers.
            (Self::Subscribe(member), Some(uri)) => Some(member.subscribe(uri, permitted.clone())),
            _ => None,
        }
    }
}
