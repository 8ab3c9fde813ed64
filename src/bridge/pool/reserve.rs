//! How a start gets its place among the processes: one that is about to come back, or one that nobody uses.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::child::Child;
use super::capacity::{Capacity, Full, Reservation, Share};
use super::slots::Slots;
use super::start_queue::StartQueue;
use super::unavailable::{Retry, Unavailable};
use crate::auth::UserId;

/// What a client that found no room is told to wait.
const FULL_PAUSE: Duration = Duration::from_secs(10);
/// How soon a start that waits for a place looks again whether there is one.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// For so long starts wait for a place although every process is in use, none starts and none ends: most calls are
/// short.
const ALL_IN_USE: Duration = Duration::from_secs(5);
/// So many unused children are ended at once for those who wait: one that ignores the end of its stdin takes seconds.
const MOST_MAKING_ROOM: usize = 32;

/// A share of what this user may have. Where he has all of it, a process that starts or ends is waited for, or one of
/// his idle children makes room.
pub(super) async fn share(
    capacity: &Arc<Capacity>,
    slots: &Slots,
    user: &UserId,
    by: Instant,
) -> Result<Share, Unavailable> {
    loop {
        let freed = capacity.freed();
        if let Some(share) = capacity.share(user) {
            return Ok(share);
        }
        let own = capacity.count(Full::User, user);
        if own.ending == 0 {
            match slots.retire_idlest(user, Full::User) {
                Some(child) => close(vec![child]).await,
                // One that starts may come to nothing, or be unused soon.
                None if own.starting > 0 => {}
                None => return Err(too_many(Full::User)),
            }
        }
        if Instant::now() >= by {
            return Err(too_many(Full::User));
        }
        // Another start may have been faster, so that this is looked at again.
        let _ = timeout(LOOK_AGAIN, freed).await;
    }
}

/// A place among all. Where there is none, one that is about to come back is waited for, and idle children make room,
/// for those who wait behind this start as well.
pub(super) async fn place(
    mut share: Share,
    slots: &Slots,
    queue: &StartQueue,
    by: Instant,
) -> Result<Reservation, Unavailable> {
    let capacity = Arc::clone(share.capacity());
    let Ok(_looking) = timeout_at(by, capacity.looking.lock()).await else {
        return Err(too_many(Full::All));
    };
    loop {
        let freed = capacity.freed();
        share = match share.enter() {
            Ok(reservation) => return Ok(reservation),
            Err(share) => share,
        };
        let all = capacity.count(Full::All, share.user());
        let wanted = (queue.waiting() + 1).min(MOST_MAKING_ROOM);
        let missing = wanted.saturating_sub(all.ending);
        let leaving: Vec<Child> =
            (0..missing).map_while(|_| slots.retire_idlest(share.user(), Full::All)).collect();
        let in_use = leaving.is_empty() && all.ending == 0 && all.starting == 0;
        close(leaving).await;
        let now = Instant::now();
        if now >= by || (in_use && now >= capacity.changed() + ALL_IN_USE) {
            return Err(too_many(Full::All));
        }
        let _ = timeout(LOOK_AGAIN, freed).await;
    }
}

/// Closes children that nobody uses, and lets their places count as coming back.
async fn close(children: Vec<Child>) {
    children.iter().for_each(Child::close);
    let _ = timeout(LOOK_AGAIN, join_all(children.iter().map(Child::closed))).await;
}

fn too_many(full: Full) -> Unavailable {
    let message = match full {
        Full::User => "you have too many server processes; close another client first",
        Full::All => "too many server processes are running; try again later",
    };
    Unavailable { message: message.to_owned(), retry: Retry::Time(Some(FULL_PAUSE)) }
}

#[cfg(test)]
mod tests;
