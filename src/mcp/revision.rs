//! The protocol revisions and the two eras they fall into.

use std::fmt;

/// How a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize`, sessions, requests from the server (up to 2025-11-25).
    Legacy,
    /// Stateless requests, `input_required` and retry (2026-07-28).
    Modern,
}

/// A published revision, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// 2024-11-05: HTTP+SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches.
    V2025_03_26,
    /// 2025-06-18: elicitation, structured content, no batches.
    V2025_06_18,
    /// 2025-11-25: the last legacy revision.
    V2025_11_25,
    /// 2026-07-28: the first modern revision.
    V2026_07_28,
}

impl ProtocolVersion {
    /// Every revision mcpwrap speaks, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];
    /// The newest revision that still has `initialize`.
    pub const NEWEST_LEGACY: Self = Self::V2025_11_25;
    /// The revision that modern requests name.
    pub const NEWEST_MODERN: Self = Self::V2026_07_28;

    /// The revision of that date, if mcpwrap speaks it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// The revision's date.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era the revision belongs to.
    #[must_use]
    pub fn era(self) -> Era {
        if self < Self::V2026_07_28 { Era::Legacy } else { Era::Modern }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
