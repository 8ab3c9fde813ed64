//! What is known of the era of `CMD`; one verdict holds for every child, as they all run the same command.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::auth::UserId;
use crate::mcp::Era;
use crate::server::{EraChoice, Speech};

/// The verdict, or who is finding it out.
#[derive(Debug)]
pub(super) struct ServerEra {
    known: watch::Sender<Knowledge>,
    /// How many processes have exited when a modern server was greeted as a legacy one.
    exits: AtomicUsize,
}

/// A process may exit for reasons of its own: so many have to before that is what the server says to a legacy client.
const EXITS_THAT_SAY_NO: usize = 3;

/// How a server declined the era in which it was greeted first, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// With an answer.
    InWords,
    /// Its process ended.
    ByExit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Knowledge {
    Unknown,
    /// By a start of this user's.
    Probing(UserId),
    Known(Speech),
}

// === impl ServerEra ===

impl ServerEra {
    pub(super) fn new(choice: EraChoice) -> Self {
        let known = watch::Sender::new(match choice {
            EraChoice::Probe | EraChoice::LegacyFirst => Knowledge::Unknown,
            EraChoice::Known(Era::Legacy) => Knowledge::Known(Speech::Legacy),
            EraChoice::Known(Era::Modern) => Knowledge::Known(Speech::Modern),
        });
        Self { known, exits: AtomicUsize::new(0) }
    }

    /// Notes that a start of this user's, which finds out, is under way. Only a start may do so: whoever else did and
    /// then started nothing would leave the user waiting.
    pub(super) fn probe(&self, user: &UserId) {
        self.change(|known| match known {
            Knowledge::Unknown => Some(Knowledge::Probing(user.clone())),
            _ => None,
        });
    }

    /// A start that was to find out the era has not: the next one will.
    pub(super) fn no_verdict(&self, user: &UserId) {
        self.change(|known| match known {
            Knowledge::Probing(own) if own == user => Some(Knowledge::Unknown),
            _ => None,
        });
    }

    /// A start that was to begin in this way has met a server of that era.
    pub(super) fn found(&self, begun: EraChoice, spoken: Era, refusal: Refusal) {
        let mut learned = Speech::learned(begun, spoken);
        if begun == EraChoice::LegacyFirst
            && refusal == Refusal::ByExit
            && self.exits.fetch_add(1, Ordering::Relaxed) + 1 < EXITS_THAT_SAY_NO
        {
            learned = Speech::ModernAtLeast;
        }
        self.known.send_if_modified(|known| {
            // A start that knew beforehand has learned nothing, and one that has tried more knows better.
            let news = match known {
                Knowledge::Unknown | Knowledge::Probing(_) => true,
                Knowledge::Known(Speech::ModernAtLeast) => begun == EraChoice::LegacyFirst,
                Knowledge::Known(_) => false,
            };
            if news {
                *known = Knowledge::Known(learned);
            }
            news
        });
    }

    /// How a child for clients of this era is to be spoken to at first.
    pub(super) fn choice(&self, clients: Era) -> EraChoice {
        match &*self.known.borrow() {
            Knowledge::Known(speech) => speech.choice(clients),
            Knowledge::Unknown | Knowledge::Probing(_) => EraChoice::Probe,
        }
    }

    /// Whether a start would have to find out.
    pub(super) fn is_open(&self) -> bool {
        !matches!(&*self.known.borrow(), Knowledge::Known(_))
    }

    /// Waits while this user probes; returns what the server speaks, or nothing where the next start will find it out.
    /// Others' starts are not waited for: one that hangs holds up nobody else.
    pub(super) async fn settled(&self, user: &UserId) -> Option<Speech> {
        let mut known = self.known.subscribe();
        let settled =
            known.wait_for(|known| !matches!(known, Knowledge::Probing(own) if own == user));
        match settled.await.as_deref() {
            Ok(Knowledge::Known(speech)) => Some(*speech),
            Ok(Knowledge::Unknown | Knowledge::Probing(_)) | Err(_) => None,
        }
    }

    fn change(&self, change: impl FnOnce(&Knowledge) -> Option<Knowledge>) {
        self.known.send_if_modified(|known| match change(known) {
            Some(next) => {
                *known = next;
                true
            }
            None => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::auth::Principal;

    #[tokio::test]
    async fn nobody_waits_for_the_start_of_somebody_else() {
        let user = |name| Principal::for_tests("https://idp.example", None, name, &[]);
        let (alice, bob) = (user("alice"), user("bob"));
        let era = ServerEra::new(EraChoice::Probe);
        era.probe(alice.user());
        era.probe(bob.user());
        assert_eq!(era.settled(bob.user()).now_or_never(), Some(None));
        assert_eq!(era.settled(alice.user()).now_or_never(), None);
        // His start came to nothing, hers goes on.
        era.no_verdict(bob.user());
        assert_eq!(era.settled(alice.user()).now_or_never(), None);
        let waiting = era.settled(alice.user());
        era.found(EraChoice::Probe, Era::Legacy, Refusal::InWords);
        assert_eq!(waiting.await, Some(Speech::Legacy));
        assert_eq!(era.settled(bob.user()).now_or_never(), Some(Some(Speech::Legacy)));
        era.no_verdict(alice.user());
        assert_eq!(era.choice(Era::Modern), EraChoice::Known(Era::Legacy));
    }

    #[test]
    fn a_process_that_exits_once_does_not_speak_for_its_server() {
        let legacy_first = EraChoice::LegacyFirst;
        let (refused, exits) = (ServerEra::new(EraChoice::Probe), ServerEra::new(EraChoice::Probe));
        for era in [&refused, &exits] {
            era.found(EraChoice::Probe, Era::Modern, Refusal::InWords);
            assert_eq!(era.choice(Era::Legacy), legacy_first);
        }
        refused.found(legacy_first, Era::Modern, Refusal::InWords);
        assert_eq!(refused.choice(Era::Legacy), EraChoice::Known(Era::Modern));
        for _ in 1..EXITS_THAT_SAY_NO {
            exits.found(legacy_first, Era::Modern, Refusal::ByExit);
            assert_eq!(exits.choice(Era::Legacy), legacy_first, "the next one may speak it");
        }
        exits.found(legacy_first, Era::Modern, Refusal::ByExit);
        assert_eq!(exits.choice(Era::Legacy), EraChoice::Known(Era::Modern));
    }
}
