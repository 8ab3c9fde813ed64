//! What is known of the eras that the wrapped server speaks; one verdict holds for every child, as they all run the
//! same command.

use super::EraChoice;
use crate::mcp::Era;

/// Which eras a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// The legacy one alone, or nothing else is to be spoken.
    Legacy,
    /// The modern one alone, or nothing else is to be spoken.
    Modern,
    /// The modern one; no legacy client has come yet, so nobody has tried the other.
    ModernAtLeast,
    /// Each client's own.
    Both,
}

// === impl Speech ===

impl Speech {
    /// What a start has found out that was to begin in this way.
    #[must_use]
    pub fn learned(begun: EraChoice, spoken: Era) -> Self {
        match (begun, spoken) {
            (EraChoice::LegacyFirst, Era::Legacy) => Self::Both,
            (EraChoice::Probe, Era::Modern) => Self::ModernAtLeast,
            (_, Era::Modern) => Self::Modern,
            (_, Era::Legacy) => Self::Legacy,
        }
    }

    /// How a child for clients of this era is spoken to at first.
    #[must_use]
    pub fn choice(self, clients: Era) -> EraChoice {
        match (self, clients) {
            (Self::Legacy, _) => EraChoice::Known(Era::Legacy),
            (Self::Modern, _) | (Self::ModernAtLeast, Era::Modern) => EraChoice::Known(Era::Modern),
            (Self::ModernAtLeast, Era::Legacy) => EraChoice::LegacyFirst,
            (Self::Both, era) => EraChoice::Known(era),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_start_learns_decides_how_the_next_begins() {
        let (legacy, modern) = (EraChoice::Known(Era::Legacy), EraChoice::Known(Era::Modern));
        for (begun, spoken, for_legacy, for_modern) in [
            (EraChoice::Probe, Era::Legacy, legacy, legacy),
            (EraChoice::Probe, Era::Modern, EraChoice::LegacyFirst, modern),
            (EraChoice::LegacyFirst, Era::Legacy, legacy, modern),
            (EraChoice::LegacyFirst, Era::Modern, modern, modern),
        ] {
            let speech = Speech::learned(begun, spoken);
            assert_eq!(speech.choice(Era::Legacy), for_legacy, "{begun:?} {spoken:?}");
            assert_eq!(speech.choice(Era::Modern), for_modern, "{begun:?} {spoken:?}");
        }
    }
}
