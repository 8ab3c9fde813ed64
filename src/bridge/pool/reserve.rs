//! How a start gets its place among the processes: one that is about to come back, or one that nobody uses.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::capacity::{Capacity, Full, Reservation};
use super::slots::Slots;
use super::unavailable::{Retry, Unavailable};
use crate::auth::UserId;

/// What a client that found no room is told to wait.
const FULL_PAUSE: Duration = Duration::from_secs(10);
/// How soon a start that waits for a place looks again whether there is one.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A reservation for a process of this user. Where there is none, one that is about to come back is waited for, or an
/// idle child makes room: of the same user, or of anybody.
pub(super) async fn reserve(
    capacity: &Arc<Capacity>,
    slots: &Slots,
    user: &UserId,
    patience: Duration,
) -> Result<Reservation, Unavailable> {
    let give_up = Instant::now() + patience;
    loop {
        let freed = capacity.freed();
        let full = match capacity.take(user) {
            Ok(reservation) => return Ok(reservation),
            Err(full) => full,
        };
        if !capacity.is_freeing(full, user) {
            match slots.retire_idlest(user, full) {
                Some(child) => child.close(),
                None => return Err(too_many(full)),
            }
        }
        if Instant::now() >= give_up {
            return Err(too_many(full));
        }
        // Another start may have been faster, so that this is looked at again.
        let _ = timeout(LOOK_AGAIN, freed).await;
    }
}

fn too_many(full: Full) -> Unavailable {
    let message = match full {
        Full::User => "you have too many server processes; close another client first",
        Full::All => "too many server processes are running; try again later",
    };
    Unavailable { message: message.to_owned(), retry: Retry::Time(Some(FULL_PAUSE)) }
}

#[cfg(test)]
mod tests {
    use super::super::super::child::testing::{child, hello};
    use super::super::slot::{ChildKey, Seat};
    use super::*;
    use crate::auth::Principal;
    use crate::mcp::Era;
    use crate::policy::Policy;
    use crate::server::Profile;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_place_is_made_waited_for_or_refused() {
        let principal = Arc::new(Principal::local());
        let user = principal.user().clone();
        let (capacity, slots) = (Capacity::new(1, 1), Slots::default());
        let reserve = || reserve(&capacity, &slots, &user, PATIENCE);
        let first = reserve().await.unwrap();
        let began = Instant::now();
        assert_eq!(reserve().await.unwrap_err().retry, Retry::Time(Some(FULL_PAUSE)));
        assert_eq!(began.elapsed(), Duration::ZERO, "nothing is about to come back");

        let connect = Policy::WholeServer.connect(&principal).unwrap();
        let key = ChildKey { user: user.clone(), authority: "a".into(), session: None };
        let (seat, _) = slots.choose(key, &connect, &Profile::plain(), None, Seat::take);
        seat.slot().start();
        seat.slot().ready(&child(1, hello(Era::Legacy)));
        drop(seat);
        let ending = async {
            // Its process notices that it was told to close.
            tokio::task::yield_now().await;
            first.ending();
            drop(first);
        };
        let (second, ()) = tokio::join!(reserve(), ending);
        assert!(slots.all().is_empty(), "the unused child made room");

        let second = second.unwrap();
        second.ending();
        assert!(reserve().await.is_err(), "it did not come back in time");
        assert!(began.elapsed() >= PATIENCE);
    }
}
