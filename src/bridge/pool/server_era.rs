//! What is known of the era of `CMD`; one verdict holds for every child, as they all run the same command.

use tokio::sync::watch;

use crate::mcp::Era;
use crate::server::EraChoice;

/// The verdict, or who is finding it out.
#[derive(Debug)]
pub(super) struct ServerEra(watch::Sender<Knowledge>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    Unknown,
    Probing,
    Known(Era),
}

// === impl ServerEra ===

impl ServerEra {
    pub(super) fn new(choice: EraChoice) -> Self {
        Self(watch::Sender::new(match choice {
            EraChoice::Probe => Knowledge::Unknown,
            EraChoice::Known(era) => Knowledge::Known(era),
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

    pub(super) fn found(&self, era: Era) {
        self.0.send_replace(Knowledge::Known(era));
    }

    /// How a child is to be spoken to at first.
    pub(super) fn choice(&self) -> EraChoice {
        match *self.0.borrow() {
            Knowledge::Known(era) => EraChoice::Known(era),
            Knowledge::Unknown | Knowledge::Probing => EraChoice::Probe,
        }
    }

    /// Waits while somebody probes; returns the era, or nothing where the next start will find it out.
    pub(super) async fn settled(&self) -> Option<Era> {
        let mut known = self.0.subscribe();
        let settled = known.wait_for(|known| *known != Knowledge::Probing).await;
        match settled.map(|known| *known) {
            Ok(Knowledge::Known(era)) => Some(era),
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
