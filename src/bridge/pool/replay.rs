//! What a child is told that those before it were told.

use super::super::child::Child;
use super::super::recording;
use super::slot::Slot;
use crate::audit;
use crate::mcp::Era;
use crate::server::Internal;
use crate::shutdown::Shutdown;

/// Subscriptions that are told to a fresh child before anything else. The rest is told one by one, so that it leaves
/// room for calls.
const REPLAYED_AT_ONCE: usize = 64;

/// Tells a legacy child the log level and the subscriptions of its slot. What cannot be put on record does not happen.
pub(super) fn replay(audit: &audit::Log, shutdown: &Shutdown, slot: &Slot, successor: &Child) {
    let hello = successor.hello();
    if hello.era() == Era::Modern {
        return;
    }
    if let Some(level) = slot.subscribers.level().filter(|_| hello.offers("logging"))
        && recording::own_request(audit, &slot.principal, "logging/setLevel", successor).is_ok()
    {
        successor.tell(Internal::SetLevel(level));
    }
    let mut subscriptions = slot.subscribers.subscriptions().into_iter();
    for (_, permitted) in subscriptions.by_ref().take(REPLAYED_AT_ONCE) {
        if recording::replay(audit, &permitted, successor).is_ok() {
            // In the order of what is sent; nobody waits for the answer.
            drop(successor.replay(permitted));
        }
    }
    if subscriptions.len() > 0 {
        let (audit, successor) = (audit.clone(), successor.clone());
        shutdown.spawn_work(async move {
            for (_, permitted) in subscriptions {
                if recording::replay(&audit, &permitted, &successor).is_ok() {
                    successor.replay(permitted).await;
                }
            }
        });
    }
}
