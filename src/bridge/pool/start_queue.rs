//! Where starts wait for their turn, so that those under way have the processors for themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::start_order::StartOrder;
use crate::auth::UserId;

/// More than this do not wait.
const MOST_WAITING: usize = 16 * 1024;

/// The queue of all users' starts.
#[derive(Debug)]
pub(super) struct StartQueue(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    order: StartOrder<UserId>,
    calls: HashMap<u64, oneshot::Sender<Turn>>,
    next_ticket: u64,
}

/// The right to start now; dropping it passes it on.
#[derive(Debug)]
pub(super) struct Turn {
    queue: Arc<StartQueue>,
    user: UserId,
}

/// Too many wait already.
#[derive(Debug)]
pub(super) struct TooMany;

/// One that waits; dropping it leaves the queue.
struct Ticket<'a> {
    queue: &'a StartQueue,
    user: &'a UserId,
    number: u64,
}

// === impl StartQueue ===

impl StartQueue {
    /// So many starts at a time.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Waiting {
            order: StartOrder::new(most),
            calls: HashMap::new(),
            next_ticket: 0,
        })))
    }

    /// Waits for a turn of this user.
    pub(super) async fn turn(self: &Arc<Self>, user: &UserId) -> Result<Turn, TooMany> {
        let (call, called) = oneshot::channel();
        let ticket = {
            let mut waiting = self.lock();
            if waiting.order.waiting() >= MOST_WAITING {
                return Err(TooMany);
            }
            let number = waiting.next_ticket;
            waiting.next_ticket += 1;
            waiting.order.join(user, number);
            waiting.calls.insert(number, call);
            Ticket { queue: self, user, number }
        };
        self.call();
        let turn = called.await;
        drop(ticket);
        // A ticket is only forgotten by whoever holds it.
        turn.map_err(|_| TooMany)
    }

    /// How many wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.lock().order.waiting()
    }

    /// Calls all whose turn has come.
    fn call(self: &Arc<Self>) {
        loop {
            let (user, call) = {
                let mut waiting = self.lock();
                let Some((user, number)) = waiting.order.next() else { return };
                (user, waiting.calls.remove(&number))
            };
            // Whoever went away just now gives the turn back by dropping it, which calls the next one.
            let turn = Turn { queue: Arc::clone(self), user };
            if let Some(call) = call {
                let _ = call.send(turn);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.lock().order.done(&self.user);
        self.queue.call();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.calls.remove(&self.number);
        waiting.order.leave(self.user, self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::auth::Principal;

    fn user(name: &str) -> UserId {
        Principal::for_tests("https://idp.example", None, name, &[]).user().clone()
    }

    #[tokio::test]
    async fn a_turn_that_is_over_or_not_wanted_is_passed_on() {
        let queue = StartQueue::new(1);
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let first = queue.turn(&alice).await.unwrap();
        let mut gone = Box::pin(queue.turn(&bob));
        let mut next = Box::pin(queue.turn(&carol));
        assert!((&mut gone).now_or_never().is_none() && (&mut next).now_or_never().is_none());
        assert_eq!(queue.waiting(), 2);
        drop(gone);
        assert_eq!(queue.waiting(), 1);
        drop(first);
        let second = next.await.unwrap();

        // Called and gone before it looked.
        let mut called = Box::pin(queue.turn(&bob));
        let mut last = Box::pin(queue.turn(&alice));
        assert!((&mut called).now_or_never().is_none() && (&mut last).now_or_never().is_none());
        drop(second);
        drop(called);
        assert!(last.await.is_ok());
        assert_eq!(queue.waiting(), 0);
    }
}
