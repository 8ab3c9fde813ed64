//! What is done with children for nobody's call: from the first look at the server to the end of all.

use super::order::Gate;
use super::seat::Seat;

// === impl Gate ===

impl Gate {
    /// Finds out how the server speaks before anybody calls; takes some seconds at most.
    pub async fn probe(&self) {
        self.pool.probe().await;
    }

    /// Ends the child that one session has for itself; a child that is shared stays.
    pub fn leave(&self, seat: &Seat) {
        if seat.key().session.is_some() {
            self.pool.forget(seat.key());
        }
    }

    /// Starts successors of all running children and puts them in their places; sessions stay.
    pub async fn replace_all(&self) {
        self.pool.replace_all().await;
    }

    /// Resolves when no call is under way; subscriptions, which last, do not count.
    pub async fn idle(&self) {
        self.calls.close();
        self.calls.wait().await;
    }

    /// Closes every child and waits until all of them have ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
