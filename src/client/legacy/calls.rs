//! The calls of one session that are under way: their ids are taken, and each can be taken back at any time. One
//! that is taken back before its child has it is taken back from the child as soon as it is there: the server may see both.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gate::Canceller;
use crate::mcp::RequestId;

/// The calls under way.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<RequestId, Pending>>);

/// How far a call has come.
#[derive(Debug)]
enum Pending {
    /// It waits for its child.
    Begun,
    /// It was taken back before its child had it.
    Recalled,
    /// Its child has it.
    Sent(Canceller),
}

/// Whether a call is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Still {
    /// It is.
    Wanted,
    /// The client has taken it back.
    Recalled,
}

impl Calls {
    /// Notes a call that has arrived; `None` when its id is in use.
    pub(super) fn begin(&self, id: &RequestId) -> Option<()> {
        let mut calls = self.lock();
        if calls.contains_key(id) {
            return None;
        }
        calls.insert(id.clone(), Pending::Begun);
        Some(())
    }

    /// Notes that the child has the call, unless the client has taken it back meanwhile.
    pub(super) fn sent(&self, id: &RequestId, canceller: Canceller) -> Still {
        match self.lock().get_mut(id) {
            Some(Pending::Recalled) => Still::Recalled,
            Some(pending) => {
                *pending = Pending::Sent(canceller);
                Still::Wanted
            }
            // The session has ended meanwhile.
            None => Still::Recalled,
        }
    }

    /// Forgets a call that has ended.
    pub(super) fn finished(&self, id: &RequestId) {
        self.lock().remove(id);
    }

    /// Takes a call back; one that is over or unknown is nothing to take back (checklist 2.36).
    pub(super) fn recall(&self, id: &RequestId) {
        match self.lock().get_mut(id) {
            Some(Pending::Sent(canceller)) => canceller.cancel(),
            Some(pending) => *pending = Pending::Recalled,
            None => {}
        }
    }

    /// Takes everything back.
    pub(super) fn recall_all(&self) {
        for (_, pending) in self.lock().drain() {
            if let Pending::Sent(canceller) = pending {
                canceller.cancel();
            }
        }
    }

    pub(super) fn contains(&self, id: &RequestId) -> bool {
        self.lock().contains_key(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Pending>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
