//! The slots of all users: found or made for whoever comes, taken out of use when nobody needs them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::child::Child;
use super::capacity::Full;
use super::slot::{ChildKey, Seat, Slot};
use crate::auth::UserId;
use crate::mcp::Era;
use crate::policy::Connect;
use crate::server::{Profile, Speech};

/// How many profiles of one era one authority may have, the empty one included.
const MOST_PROFILES: usize = 3;

/// The slots, those of one key together.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<HashMap<ChildKey, Vec<Arc<Slot>>>>);

// === impl Slots ===

impl Slots {
    pub(super) fn all(&self) -> Vec<Arc<Slot>> {
        self.lock().values().flatten().cloned().collect()
    }

    /// Takes the slots of a key out of use; returns the children that have to be closed now.
    pub(super) fn retire_all(&self, key: &ChildKey) -> Vec<Child> {
        let group = self.lock().remove(key).unwrap_or_default();
        group.iter().filter_map(|slot| slot.retire()).collect()
    }

    /// A seat in the slot that fits, and children that nobody uses and that make room for it. The seat is taken
    /// under the lock, so that nobody takes the slot for unused in between.
    pub(super) fn choose(
        &self,
        key: ChildKey,
        connect: &Connect,
        profile: &Profile,
        speech: Option<Speech>,
        take: fn(&Arc<Slot>) -> Seat,
    ) -> (Seat, Vec<Child>) {
        let mut groups = self.lock();
        let group = groups.entry(key.clone()).or_default();
        let mut leaving = Vec::new();
        let find = |group: &[Arc<Slot>], wanted: &Profile| {
            group.iter().find(|slot| serves(slot, wanted, speech)).cloned()
        };
        if let Some(slot) = find(group, profile) {
            return (take(&slot), leaving);
        }
        // What was only warmed up makes room, and so does the profile that nobody has used for longest.
        let plain = Profile::plain();
        group.retain(|slot| {
            let spare = slot.is_spare() && slot.child().is_some();
            if spare {
                leaving.extend(slot.retire());
            }
            !spare
        });
        // One child does for all clients of a server's own modern era: it is no profile among others.
        let speaks_modern = matches!(speech, Some(Speech::Both | Speech::ModernAtLeast));
        let apart = |profile: &Profile| speaks_modern && profile.era == Era::Modern;
        let further = |slot: &Slot| !serves(slot, &plain, speech) && !apart(&slot.profile);
        if !apart(profile) && group.iter().filter(|slot| further(slot)).count() >= MOST_PROFILES - 1
        {
            let unused = group.iter().enumerate().filter(|(_, slot)| further(slot));
            let settled = unused.filter(|(_, slot)| !slot.is_starting());
            let free = settled.filter(|(_, slot)| slot.is_free());
            let oldest = free.filter_map(|(at, slot)| Some((slot.idle_for()?, at))).max();
            if let Some((_, at)) = oldest {
                leaving.extend(group.remove(at).retire());
            }
        }
        let full = !apart(profile)
            && group.iter().filter(|slot| further(slot)).count() >= MOST_PROFILES - 1;
        if full && speech.is_some() {
            // What is in another era than the client's is for others: a legacy client would lose what it can be asked.
            let fitting = group.iter().filter(|slot| {
                let era = speech == Some(Speech::Legacy) || slot.profile.era == Era::Legacy;
                era && slot.profile.is_within(profile)
            });
            let within = fitting.max_by_key(|slot| slot.profile.weight()).cloned();
            if let Some(slot) = within.or_else(|| find(group, &plain)) {
                return (take(&slot), leaving);
            }
        }
        // Once the others are used up, only the empty profile may still come.
        let profile = if full { plain } else { profile.clone() };
        let slot = Arc::new(Slot::new(key, Arc::clone(connect.principal()), profile));
        group.push(Arc::clone(&slot));
        (take(&slot), leaving)
    }

    /// Takes out the child that nobody has needed for longest, and its slot with it where nobody has a seat there. One
    /// whose changes a client waits for goes only if there is no other.
    pub(super) fn retire_idlest(&self, user: &UserId, full: Full) -> Option<Child> {
        let mut groups = self.lock();
        let slots = groups.values().flatten().filter(|slot| match full {
            Full::User => slot.principal.user() == user,
            Full::All => true,
        });
        let mut idle: Vec<_> = slots
            .filter(|slot| slot.child().is_some())
            .filter_map(|slot| {
                let unused = slot.idle_for()?;
                Some((slot.subscribers.are_awaited(), Reverse(unused), Arc::clone(slot)))
            })
            .collect();
        idle.sort_by_key(|(awaited, unused, _)| (*awaited, *unused));
        for (_, _, victim) in idle {
            if !victim.is_free() {
                // Somebody may have begun to need it meanwhile.
                if let Some(child) = victim.rest() {
                    return Some(child);
                }
                continue;
            }
            remove(&mut groups, &victim);
            return victim.retire();
        }
        None
    }

    /// Takes a slot out of use.
    pub(super) fn retire(&self, slot: &Arc<Slot>) -> Option<Child> {
        remove(&mut self.lock(), slot);
        slot.retire()
    }

    /// Takes out the children that nobody has needed for this long, and the slots with them where nobody has a seat;
    /// returns the children that have to be closed now.
    pub(super) fn retire_unused(&self, idle: Duration) -> Vec<Child> {
        let mut leaving = Vec::new();
        self.lock().retain(|_, group| {
            let others = group.len() > 1;
            group.retain(|slot| {
                let unused = slot.idle_for().is_some_and(|unused| unused >= idle);
                if !slot.is_free() {
                    if unused && !slot.subscribers.are_awaited() {
                        leaving.extend(slot.rest());
                    }
                    return true;
                }
                let stale = (unused || (others && slot.is_spare())) && slot.is_settled();
                if stale {
                    leaving.extend(slot.retire());
                }
                !stale
            });
            !group.is_empty()
        });
        leaving
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChildKey, Vec<Arc<Slot>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the child of a slot is the one for clients of this profile.
fn serves(slot: &Slot, profile: &Profile, speech: Option<Speech>) -> bool {
    match speech {
        // Each request says what it is.
        Some(Speech::Modern) => true,
        Some(Speech::Legacy) => slot.profile.tells_like(profile),
        Some(Speech::Both | Speech::ModernAtLeast) if profile.era == Era::Modern => {
            slot.profile.era == Era::Modern
        }
        Some(Speech::Both | Speech::ModernAtLeast) | None => slot.profile == *profile,
    }
}

fn remove(groups: &mut HashMap<ChildKey, Vec<Arc<Slot>>>, gone: &Arc<Slot>) {
    groups.retain(|_, group| {
        group.retain(|slot| !Arc::ptr_eq(slot, gone));
        !group.is_empty()
    });
}

#[cfg(test)]
mod tests;
