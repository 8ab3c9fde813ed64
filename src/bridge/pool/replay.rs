//! What a child is told that those before it were told.

use std::collections::HashSet;

use super::super::child::{Child, Subscribers};
use super::super::event::Outcome;
use super::super::recording;
use super::slot::Slot;
use crate::audit;
use crate::mcp::Era;
use crate::policy::Permitted;
use crate::server::Internal;
use crate::shutdown::Shutdown;

/// Subscriptions that are told to a fresh child before anything else. The rest is told one by one, so that it leaves
/// room for calls.
const REPLAYED_AT_ONCE: usize = 64;

/// The subscriptions that a child was told.
pub(super) struct Told(HashSet<String>);

/// Tells a legacy child the log level and the subscriptions of its slot. What the audit log does not take does not happen,
/// and whoever relies on it hears that it is gone; that a record is written is not waited for.
pub(super) fn replay(
    audit: &audit::Log,
    shutdown: &Shutdown,
    slot: &Slot,
    successor: &Child,
) -> Told {
    let hello = successor.hello();
    let mut told = Told(HashSet::new());
    if hello.era() == Era::Modern {
        return told;
    }
    if let Some(level) = slot.subscribers.level().filter(|_| hello.offers("logging")) {
        match recording::own_request(audit, &slot.principal, "logging/setLevel", successor) {
            Ok(()) => successor.tell(Internal::SetLevel(level)),
            Err(_) => slot.subscribers.level_is_lost(),
        }
    }
    told.catch_up(audit, shutdown, slot, successor);
    told
}

impl Told {
    /// Tells the child what has been subscribed since: from another thread, to the child before it.
    pub(super) fn catch_up(
        &mut self,
        audit: &audit::Log,
        shutdown: &Shutdown,
        slot: &Slot,
        successor: &Child,
    ) {
        if successor.hello().era() == Era::Modern {
            return;
        }
        let new = |(uri, _): &(String, Permitted)| self.0.insert(uri.clone());
        let subscriptions: Vec<_> =
            slot.subscribers.subscriptions().into_iter().filter(new).collect();
        if subscriptions.is_empty() {
            return;
        }
        let subscribers = slot.subscribers.clone();
        let mut subscriptions = subscriptions.into_iter();
        let send = {
            let (audit, subscribers, successor) =
                (audit.clone(), subscribers.clone(), successor.clone());
            move |(uri, permitted): (String, Permitted)| {
                match recording::replay(&audit, &permitted, &successor) {
                    // In the order of what is sent.
                    Ok(()) => Some((uri, successor.replay(permitted))),
                    Err(_) => {
                        subscribers.subscription_is_lost(&uri);
                        None
                    }
                }
            }
        };
        let first: Vec<_> =
            subscriptions.by_ref().take(REPLAYED_AT_ONCE).filter_map(&send).collect();
        let successor = successor.clone();
        shutdown.spawn_work(async move {
            for (uri, answer) in first {
                judge(&subscribers, &successor, &uri, &answer.await);
            }
            for subscription in subscriptions {
                if let Some((uri, answer)) = send(subscription) {
                    judge(&subscribers, &successor, &uri, &answer.await);
                }
            }
        });
    }
}

/// What becomes of a subscription that the child has answered; one that was not sent to a child that goes on, as it has
/// too much to do, is lost like one that it refused.
fn judge(subscribers: &Subscribers, successor: &Child, uri: &str, outcome: &Outcome) {
    let is_lost = match outcome {
        Outcome::Error(_) => true,
        // The next one is told as well.
        Outcome::Unsent(_) => !successor.is_closed(),
        Outcome::Result(_) | Outcome::Lost(_) | Outcome::Cancelled => false,
    };
    if is_lost {
        subscribers.subscription_is_lost(uri);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::super::child::testing::{actor, child, hello, permitted};
    use super::super::super::child::{Actor, Member, Role, Share};
    use super::super::super::event::Notice;
    use super::super::slot::ChildKey;
    use super::*;
    use crate::auth::Principal;
    use crate::limits::Account;
    use crate::server::Profile;

    fn slot() -> Slot {
        let principal = Arc::new(Principal::local());
        let user = principal.user().clone();
        let key = ChildKey { user, authority: "a".into(), session: None };
        Slot::new(key, principal, Profile::plain())
    }

    fn member(slot: &Slot, uri: &str) -> Member {
        let member =
            slot.subscribers.join(Role::Listen { lists: Vec::new() }, &Account::unlimited());
        subscribe(&member, uri);
        member
    }

    fn subscribe(member: &Member, uri: &str) {
        let permitted = permitted("resources/subscribe", &json!({ "uri": uri }), None);
        member.subscribe(uri, &permitted, member.price(uri).unwrap()).keep();
    }

    /// A child that takes nothing more, as it has too much to do.
    fn busy() -> (Child, Actor, Vec<Share>) {
        let (child, actor) = actor(2, hello(Era::Legacy), Arc::default());
        let shares = std::iter::from_fn(|| child.share()).collect();
        (child, actor, shares)
    }

    /// Also beyond those that are told at once.
    #[tokio::test]
    async fn whoever_relies_on_what_was_not_taken_hears_it() {
        let (slot, (successor, ..)) = (&slot(), &busy());
        let members: Vec<_> =
            (0..2 * REPLAYED_AT_ONCE).map(|at| member(slot, &at.to_string())).collect();
        let role = Role::Listen { lists: Vec::new() };
        let other = slot.subscribers.join(role, &Account::unlimited());
        replay(&audit::Log::off(), &Shutdown::new(), slot, successor);
        for member in &members {
            assert!(matches!(member.mailbox().next().await, Notice::Gone));
        }
        assert!(other.mailbox().take().is_none());
    }

    #[tokio::test]
    async fn what_a_child_was_not_told_that_has_ended_the_next_one_is() {
        let (slot, (successor, ..)) = (&slot(), &busy());
        let (log, shutdown) = (audit::Log::off(), Shutdown::new());
        let member = member(slot, "a");
        replay(&log, &shutdown, slot, &child(1, hello(Era::Legacy)));
        tokio::task::yield_now().await;
        assert!(member.mailbox().take().is_none());
        replay(&log, &shutdown, slot, successor);
        assert!(matches!(member.mailbox().next().await, Notice::Gone));
    }

    #[tokio::test]
    async fn what_was_subscribed_meanwhile_is_told_once() {
        let (slot, (successor, ..)) = (&slot(), &busy());
        let (log, shutdown) = (audit::Log::off(), Shutdown::new());
        let member = member(slot, "a");
        let mut told = replay(&log, &shutdown, slot, successor);
        assert!(matches!(member.mailbox().next().await, Notice::Gone));
        subscribe(&member, "b");
        for is_told in [true, false] {
            told.catch_up(&log, &shutdown, slot, successor);
            tokio::task::yield_now().await;
            assert_eq!(matches!(member.mailbox().take(), Some(Notice::Gone)), is_told);
        }
    }
}
