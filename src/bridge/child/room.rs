//! What a child's loop holds of its user's bytes: the line that the child is writing, and what the child has not read.
//!
//! A line for which there is no room makes the child wait, so that nothing is lost when its user's clients read a little
//! later. A client that does not read must not hold up the other calls of the child, so that the wait has an end: then
//! the line is thrown away, its call gets an error, and further ones are thrown away at once until there is room again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{Account, LARGE, Share};

/// How long a child waits with a line for which there is no room.
const ROOM_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether there is room.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the loop holds.
#[derive(Debug)]
pub(super) struct Room {
    share: Share,
    patience: Patience,
}

#[derive(Debug)]
enum Patience {
    /// There was room.
    Untried,
    /// There is none now; this is when the wait ends.
    Until(Instant),
    /// The last wait was in vain.
    Lost,
}

/// What becomes of the line that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its next part may come.
    GoesOn,
    /// It waits.
    Waits,
    /// It is to be thrown away.
    IsLost,
}

// === impl Room ===

impl Room {
    pub(super) fn new(account: &Arc<Account>) -> Self {
        Self { share: Share::of(account), patience: Patience::Untried }
    }

    /// The line that was being read is nobody's any more; how much the child has not read still counts.
    pub(super) fn line_is_whole(&mut self, unread: usize) {
        self.share.set(if unread < LARGE { 0 } else { unread });
    }

    /// Takes note of how much of a line has arrived, and how much the child has not read.
    pub(super) fn measure(&mut self, arrived: usize, unread: usize) -> Line {
        let worth = |bytes| if bytes < LARGE { 0 } else { bytes };
        let (arrived, unread) = (worth(arrived), worth(unread));
        if arrived == 0 {
            self.share.set(unread);
            if matches!(self.patience, Patience::Until(_)) {
                self.patience = Patience::Untried;
            }
            return Line::GoesOn;
        }
        if self.share.try_set(arrived + unread).is_ok() {
            self.patience = Patience::Untried;
            return Line::GoesOn;
        }
        let now = Instant::now();
        match self.patience {
            Patience::Untried => {
                self.patience = Patience::Until(now + ROOM_WITHIN);
                Line::Waits
            }
            Patience::Until(end) if now < end => Line::Waits,
            Patience::Until(_) | Patience::Lost => {
                self.patience = Patience::Lost;
                self.share.set(unread);
                Line::IsLost
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::auth::Principal;
    use crate::limits::Accounts;

    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn a_line_waits_for_room_and_is_lost_in_the_end() {
        let account = Accounts::of_many(usize::MAX, 8 * MIB).of(Principal::local().user());
        let mut unread = Share::of(&account);
        unread.set(7 * MIB);
        let mut room = Room::new(&account);
        assert_eq!(room.measure(LARGE - 1, LARGE - 1), Line::GoesOn, "small ones never wait");
        assert_eq!(account.held(), 7 * MIB);
        assert_eq!(room.measure(MIB, 0), Line::GoesOn);
        assert_eq!(room.measure(2 * MIB, 0), Line::Waits);
        // Somebody has read in time.
        unread.set(6 * MIB);
        assert_eq!(room.measure(2 * MIB, 0), Line::GoesOn);
        assert_eq!(room.measure(3 * MIB, 0), Line::Waits);
        advance(ROOM_WITHIN).await;
        assert_eq!(room.measure(3 * MIB, LARGE), Line::IsLost);
        assert_eq!(account.held(), 6 * MIB + LARGE, "what the child has not read still counts");
        // Nobody reads: the others that the child works on do not wait again.
        assert_eq!(room.measure(3 * MIB, 0), Line::IsLost);
        unread.set(0);
        assert_eq!(room.measure(3 * MIB, 0), Line::GoesOn);
        unread.set(7 * MIB);
        assert_eq!(room.measure(4 * MIB, 0), Line::Waits, "there was room meanwhile");
        drop((room, unread));
        assert_eq!(account.held(), 0);
    }
}
