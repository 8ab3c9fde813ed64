//! What is known of the era of `CMD`; one verdict holds for every child, as they all run the same command.

use tokio::sync::watch;

use crate::mcp::Era;
use crate::server::{EraChoice, Speech};

/// The verdict, or who is finding it out.
#[derive(Debug)]
pub(super) struct ServerEra(watch::Sender<Knowledge>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    Unknown,
    Probing,
    Known(Speech),
}

// === impl ServerEra ===

impl ServerEra {
    pub(super) fn new(choice: EraChoice) -> Self {
        Self(watch::Sender::new(match choice {
            EraChoice::Probe | EraChoice::LegacyFirst => Knowledge::Unknown,
            EraChoice::Known(Era::Legacy) => Knowledge::Known(Speech::Legacy),
            EraChoice::Known(Era::Modern) => Knowledge::Known(Speech::Modern),
        }))
    }

    /// Notes that a start that finds out is under way. Only a start may do so: whoever else did and then
    /// started nothing would leave everybody waiting.
    pub(super) fn probe(&self) {
        self.change(Knowledge::Unknown, Knowledge::Probing);
    }

    /// A start that was to find out the era has not: the next one will.
    pub(super) fn no_verdict(&self) {
        self.change(Knowledge::Probing, Knowledge::Unknown);
    }

    /// A start that was to begin in this way has met a server of that era.
    pub(super) fn found(&self, begun: EraChoice, spoken: Era) {
        let learned = Speech::learned(begun, spoken);
        self.0.send_if_modified(|known| {
            // A start that knew beforehand has learned nothing, and one that has tried more knows better.
            let news = match *known {
                Knowledge::Unknown | Knowledge::Probing => true,
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
        match *self.0.borrow() {
            Knowledge::Known(speech) => speech.choice(clients),
            Knowledge::Unknown | Knowledge::Probing => EraChoice::Probe,
        }
    }

    /// Waits while somebody probes; returns what the server speaks, or nothing where the next start will find it out.
    pub(super) async fn settled(&self) -> Option<Speech> {
        let mut known = self.0.subscribe();
        let settled = known.wait_for(|known| *known != Knowledge::Probing).await;
        match settled.map(|known| *known) {
            Ok(Knowledge::Known(speech)) => Some(speech),
            Ok(Knowledge::Unknown | Knowledge::Probing) | Err(_) => None,
        }
    }

    fn change(&self, from: Knowledge, to: Knowledge) {
        self.0.send_if_modified(|known| {
            let applies = *known == from;
            if applies {
                *known = to;
            }
            applies
        });
    }
}
