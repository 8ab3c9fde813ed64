//! All legacy sessions of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::session::{STANDALONE, Session};
use crate::audit::Incident;
use crate::auth::UserId;
use crate::client::context::Context;
use crate::gate::Access;

/// For how long a user's sessions are not looked through again in which there was nothing to forget.
const NOT_AGAIN_WITHIN: Duration = Duration::from_millis(100);

/// The sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    context: Arc<Context>,
    all: Mutex<HashMap<String, Arc<Session>>>,
    /// Whose sessions were looked through in vain, and when.
    in_vain: Mutex<HashMap<UserId, Instant>>,
}

/// A user has too many sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooMany;

impl Sessions {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, all: Mutex::default(), in_vain: Mutex::default() }
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The session, if it lives and belongs to the caller; a foreign one looks like none (checklist 2.5).
    pub(super) fn find(&self, id: &str, access: &Access) -> Option<Arc<Session>> {
        let session = self.peek(id)?;
        if !session.owner.is(access) {
            self.context.gate.report(access, &Incident::ForeignSession);
            return None;
        }
        if session.is_lost() {
            self.end(&session, "its process is gone");
            return None;
        }
        session.seat.vouch(access);
        session.touch();
        Some(session)
    }

    /// The session for its own stream, which was checked when it was opened.
    pub(super) fn peek(&self, id: &str) -> Option<Arc<Session>> {
        self.lock().get(id).cloned()
    }

    /// Adds a session, unless its user has so many already: several may have begun at once.
    pub(super) fn add(&self, session: Arc<Session>) -> Result<(), TooMany> {
        let mut all = self.lock();
        let most = self.context.settings.most_sessions;
        let is_his = |other: &&Arc<Session>| other.owner.is_user(session.owner.user());
        if all.values().filter(is_his).count() >= most {
            return Err(TooMany);
        }
        all.insert(session.id.clone(), session);
        Ok(())
    }

    /// Whether a user may begin one more.
    pub(super) fn have_room_for(&self, user: &UserId) -> bool {
        let own = self.lock().values().filter(|session| session.owner.is_user(user)).count();
        own < self.context.settings.most_sessions
    }

    /// Ends a session, and the child that it has for itself.
    pub(super) fn end(&self, session: &Arc<Session>, why: &'static str) {
        session.record.end(why);
        self.lock().remove(&session.id);
        session.end();
        self.context.gate.leave(&session.seat);
    }

    /// Ends the sessions that nobody has used for long, and makes the others forget what nobody will come back for.
    pub(super) fn expire(&self) {
        let idle = self.context.settings.session_idle;
        let mut stale = Vec::new();
        self.lock().retain(|_, session| {
            let over = session.is_stale(idle);
            if over {
                stale.push(Arc::clone(session));
            } else {
                session.prune();
            }
            !over
        });
        for session in stale {
            let lost = session.is_lost();
            session.record.end(if lost { "its process is gone" } else { "idle" });
            session.end();
            self.context.gate.leave(&session.seat);
        }
    }

    /// Forgets what is stored for clients that come back, the oldest first, until those are at ease who are pressed for
    /// room.
    pub(super) fn make_room(&self) {
        let sessions = self.lock();
        // Under the lock, so that whoever comes meanwhile finds the room that is being made.
        let pressed = self.context.accounts.pressed_ones();
        forget_oldest(sessions.values().filter(|session| pressed.include(session.account())));
    }

    /// The same for one user, at once: whoever is refused for want of room has nobody else pay for it.
    pub(super) fn make_room_for(&self, user: &UserId) {
        let in_vain = || self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        if in_vain().get(user).is_some_and(|at| at.elapsed() < NOT_AGAIN_WITHIN) {
            return;
        }
        let account = self.context.accounts.of(user);
        let before = account.held();
        let is_his = |session: &&Arc<Session>| session.owner.is_user(user);
        let his: Vec<_> = self.lock().values().filter(is_his).cloned().collect();
        forget_oldest(his.iter());
        if account.held() >= before {
            let mut in_vain = in_vain();
            in_vain.retain(|_, at| at.elapsed() < NOT_AGAIN_WITHIN);
            in_vain.insert(user.clone(), Instant::now());
        }
    }

    /// Ends the streams that last; calls under way finish by themselves.
    pub(super) fn retire(&self) {
        for session in self.lock().values() {
            if let Some(standalone) = session.stream(STANDALONE) {
                standalone.finish();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        // Nothing that can panic runs under the lock.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes sessions forget what is stored, the oldest first, until their users are at ease.
fn forget_oldest<'a>(sessions: impl Iterator<Item = &'a Arc<Session>>) {
    let mut stored: Vec<_> = sessions
        .flat_map(|session| {
            let streams = session.stored();
            streams.into_iter().map(move |(ended, number)| (ended, number, session))
        })
        .collect();
    stored.sort_unstable_by_key(|(ended, number, _)| (ended.is_none(), *ended, *number));
    for (_, number, session) in stored {
        if !session.account().is_at_ease() {
            session.forget_stored(number);
        }
    }
}
