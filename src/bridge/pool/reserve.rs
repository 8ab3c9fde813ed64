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
