//! What a start has to get before its process begins: a share of what its user may have, its turn, and a place.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::capacity::{Capacity, Reservation};
use super::reserve;
use super::settings::Settings;
use super::slot::Slot;
use super::slots::Slots;
use super::start_queue::{StartQueue, Turn};
use super::unavailable::{Retry, Unavailable};
use crate::auth::UserId;

/// How long a start counts as one of those that keep the processors busy. One that takes longer waits for something
/// else, and must not hold up others.
const BUSY_FOR: Duration = Duration::from_secs(3);
/// What a client is told to wait whose start did not get its turn in time.
const QUEUE_PAUSE: Duration = Duration::from_secs(10);

/// Who may start.
#[derive(Debug)]
pub(super) struct Admission {
    capacity: Arc<Capacity>,
    queue: Arc<StartQueue>,
    wait: Duration,
}

/// Whether a start goes on.
#[derive(Debug)]
pub(super) enum Admitted {
    /// It does.
    Goes(Turn, Reservation),
    /// When its turn came, nobody wanted it any more.
    Unwanted,
}

// === impl Admission ===

impl Admission {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            capacity: Capacity::new(settings.most_children, settings.most_children_per_user),
            queue: StartQueue::new(settings.most_starts),
            wait: settings.start_wait,
        }
    }

    /// Waits until the slot's child may be started.
    ///
    /// The share comes first, so that a user who has all that he may have waits for himself alone; the place comes last,
    /// so that it goes to whose turn it is.
    pub(super) async fn admit(&self, slots: &Slots, slot: &Slot) -> Result<Admitted, Unavailable> {
        let by = Instant::now() + self.wait;
        let user = slot.principal.user();
        let share = reserve::share(&self.capacity, slots, user, by).await?;
        let turn = timeout_at(by, self.queue.turn(user)).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(crowded)?;
        if !slot.is_wanted() {
            return Ok(Admitted::Unwanted);
        }
        let place = reserve::place(share, slots, &self.queue, by).await?;
        Ok(Admitted::Goes(turn, place))
    }

    /// The right to a successor of a process that is about to end.
    pub(super) fn succeed(&self, user: &UserId) -> Reservation {
        self.capacity.succeed(user)
    }
}

// === impl Turn ===

impl Turn {
    /// Runs a start to its end, and passes the turn on as soon as it is over or the start takes long.
    pub(super) async fn run<T>(self, start: impl Future<Output = T>) -> T {
        let mut start = pin!(start);
        match timeout(BUSY_FOR, &mut start).await {
            Ok(done) => done,
            Err(_) => {
                drop(self);
                start.await
            }
        }
    }
}

fn crowded() -> Unavailable {
    Unavailable {
        message: "too many others are starting; try again later".to_owned(),
        retry: Retry::Time(Some(QUEUE_PAUSE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;

    /// Time stands still but for the waits.
    #[tokio::test(start_paused = true)]
    async fn a_start_that_hangs_passes_its_turn_on() {
        let queue = StartQueue::new(1);
        let user = |name| Principal::for_tests("https://idp.example", None, name, &[]);
        let hangs = queue.turn(user("alice").user()).await.unwrap();
        let hanging = tokio::spawn(hangs.run(std::future::pending::<()>()));
        let began = Instant::now();
        let other = queue.turn(user("bob").user()).await.unwrap();
        assert_eq!(began.elapsed(), BUSY_FOR);
        assert_eq!(other.run(async { 7 }).await, 7);
        queue.turn(user("carol").user()).await.unwrap();
        hanging.abort();
    }
}
