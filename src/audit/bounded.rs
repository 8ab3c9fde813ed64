//! The bounds of what a record repeats of a caller's words: a long text is its beginning and a hash of the whole.

use sha2::{Digest as _, Sha256};

use super::record::{Begin, Event, Who};
use crate::hex;

/// The longest name of somebody or of a credential, in bytes.
const LONGEST_NAME: usize = 256;
/// The longest method, in bytes; MCP's own are a third of it.
const LONGEST_METHOD: usize = 128;
/// The longest tool, prompt, resource or task, in bytes.
const LONGEST_TARGET: usize = 1024;
/// The longest reason, in bytes.
const LONGEST_REASON: usize = 1024;
/// The longest list of actors or credentials.
const MOST_NAMES: usize = 32;

/// The text, or where it is longer than `most` bytes, its beginning and the SHA-256 of the whole.
pub(super) fn text(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let hash = hex::encode(&Sha256::digest(&text));
    let start = &text[..text.floor_char_boundary(most)];
    format!("{start}… ({} bytes, sha256 {hash})", text.len())
}

fn option(value: Option<String>, most: usize) -> Option<String> {
    value.map(|value| text(value, most))
}

/// The first names, each bounded, and how many more there are with a hash over all of those.
fn names(mut all: Vec<String>) -> Vec<String> {
    let more = all.split_off(all.len().min(MOST_NAMES));
    let mut kept: Vec<String> = all.into_iter().map(|name| text(name, LONGEST_NAME)).collect();
    if !more.is_empty() {
        let mut hash = Sha256::new();
        for name in &more {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        let hash = hex::encode(&hash.finalize());
        kept.push(format!("… ({} more, sha256 {hash})", more.len()));
    }
    kept
}

// === impl Who ===

impl Who {
    /// The same with bounded members; what no issuer of sound mind sends is cut.
    pub(super) fn bounded(self) -> Self {
        Self {
            user: self.user,
            issuer: text(self.issuer, LONGEST_NAME),
            tenant: option(self.tenant, LONGEST_NAME),
            subject: text(self.subject, LONGEST_NAME),
            kind: self.kind,
            client: option(self.client, LONGEST_NAME),
            actors: names(self.actors),
        }
    }
}

// === impl Begin ===

impl Begin {
    /// The same with bounded members.
    pub(super) fn bounded(self) -> Self {
        Self {
            who: self.who.bounded(),
            method: text(self.method, LONGEST_METHOD),
            target: option(self.target, LONGEST_TARGET),
            credentials: names(self.credentials),
            trace: option(self.trace, LONGEST_NAME),
            ..self
        }
    }
}

// === impl Event ===

impl Event {
    /// The same with bounded members.
    pub(super) fn bounded(self) -> Self {
        match self {
            Self::ChildStarted { child, credentials } => {
                Self::ChildStarted { child, credentials: names(credentials) }
            }
            Self::ChildFailed { why } => Self::ChildFailed { why: text(why, LONGEST_REASON) },
            Self::ChildEnded { child, why } => {
                Self::ChildEnded { child, why: text(why, LONGEST_REASON) }
            }
            Self::Credential { name, source, outcome, why } => Self::Credential {
                name: option(name, LONGEST_NAME),
                source: option(source, LONGEST_NAME),
                outcome,
                why: option(why, LONGEST_REASON),
            },
            Self::SessionOpened { .. } | Self::SessionEnded { .. } | Self::Forbidden { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_its_beginning_and_a_hash_of_all() {
        let long = format!("{}é{}", "a".repeat(9), "b".repeat(1000));
        let cut = text(long.clone(), 10);
        let hash = hex::encode(&Sha256::digest(&long));
        assert_eq!(cut, format!("{}… (1011 bytes, sha256 {hash})", "a".repeat(9)));
        assert_ne!(cut, text(format!("{long}c"), 10));
        assert_eq!(text("a".repeat(10), 10), "a".repeat(10));
    }

    #[test]
    fn a_long_list_says_how_many_more_there_are() {
        let all: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let kept = names(all.clone());
        assert_eq!(kept[..MOST_NAMES], all[..MOST_NAMES]);
        assert!(kept[MOST_NAMES].starts_with("… (8 more, sha256 "), "{kept:?}");
        assert_eq!(kept.len(), MOST_NAMES + 1);
    }
}
