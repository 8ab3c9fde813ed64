//! Masks the secrets that are alive right now in text that is about to be logged.
//!
//! A net, not a wall: a child that wants to leak can always encode in a way that nobody foresaw. Secrets
//! shorter than [`MIN_SECRET`] bytes are not masked, because they would also mask ordinary words and
//! numbers. It knows nothing of whose secrets these are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

mod forms;

/// Shorter secrets are left alone.
pub const MIN_SECRET: usize = 6;
/// What stands where a secret stood.
pub const MASK: &str = "[masked]";
/// What stands for a whole text when not every live secret could be learnt.
pub const WITHHELD: &str = "[withheld: more secrets are alive than can be masked]";
/// The sum of all forms of all secrets; it is enough for some ten thousand tokens.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// A longer value is no credential; its forms are not worth the memory.
pub const MAX_SECRET: usize = 64 * 1024;
/// No form that is looked for is longer, in bytes: longer secrets are looked for in pieces.
pub const LONGEST_FORM: usize = 8 * 1024;
/// A new secret makes one automaton of this many secrets be built anew, not one of all.
const SEGMENT: usize = 128;

/// The set of live secrets; a clone shares it.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Known>>,
}

/// Keeps one secret known to its [`Redactor`]; dropping it makes the redactor forget.
#[must_use = "the secret is masked only as long as this lives"]
pub struct Learned {
    redactor: Redactor,
    id: u64,
}

#[derive(Default)]
struct Known {
    next: u64,
    bytes: usize,
    segments: Vec<Segment>,
    /// Secrets for which there was no room: while one of them lives, no text is shown.
    unmaskable: BTreeSet<u64>,
}

#[derive(Default)]
struct Segment {
    secrets: BTreeMap<u64, Vec<Zeroizing<String>>>,
    search: Search,
}

#[derive(Clone, Default)]
enum Search {
    #[default]
    Stale,
    Ready(Arc<AhoCorasick>),
    Failed,
}

// === impl Redactor ===

impl Redactor {
    /// A redactor that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Masks this secret from now on, until the guard is dropped.
    pub fn learn(&self, secret: &SecretString) -> Learned {
        let value = secret.expose_secret();
        // Encoding happens outside the lock, which every logged line has to pass.
        let forms = (value.len() <= MAX_SECRET).then(|| forms::of(value));
        let id = self.write(|known| known.add(forms));
        Learned { redactor: self.clone(), id }
    }

    /// The text without the secrets that are known now.
    #[must_use]
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.mask_up_to(text, text.len())
    }

    /// The first `most` bytes of the text without the secrets that are known now. The rest is looked at, so that a secret
    /// across the cut is known as one; [`LONGEST_FORM`] more bytes are enough.
    #[must_use]
    pub fn mask_up_to<'t>(&self, text: &'t str, most: usize) -> Cow<'t, str> {
        let most = text.floor_char_boundary(most);
        let Some(searches) = self.searches() else {
            return Cow::Borrowed(WITHHELD);
        };
        // Overlapping matches are merged: masking only the first of two would show the second one's end.
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for search in &searches {
            spans.extend(
                search.find_overlapping_iter(text).map(|found| (found.start(), found.end())),
            );
        }
        if spans.is_empty() {
            return Cow::Borrowed(&text[..most]);
        }
        spans.sort_unstable();
        let mut masked = String::with_capacity(most);
        let mut shown = 0;
        for (start, end) in spans.into_iter().filter(|(start, _)| *start < most) {
            if start >= shown {
                masked.push_str(&text[shown..start]);
                masked.push_str(MASK);
            }
            shown = shown.max(end);
        }
        masked.push_str(text.get(shown..most).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// One search per segment; `None` when a live secret would not be found.
    fn searches(&self) -> Option<Vec<Arc<AhoCorasick>>> {
        let ready = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.searches()
        };
        match ready {
            Some(searches) => searches,
            None => self.write(|known| {
                known.segments.iter_mut().for_each(Segment::build);
                known.searches().flatten()
            }),
        }
    }

    fn write<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        // After a panic a segment is at worst stale or incomplete, never unsound.
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

// === impl Learned ===

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").finish_non_exhaustive()
    }
}

impl Drop for Learned {
    fn drop(&mut self) {
        let id = self.id;
        self.redactor.write(|known| known.remove(id));
    }
}

// === impl Known ===

impl Known {
    fn add(&mut self, forms: Option<Vec<Zeroizing<String>>>) -> u64 {
        let id = self.next;
        self.next += 1;
        let fitting = forms.filter(|forms| self.bytes + size(forms) <= MAX_BYTES);
        let Some(forms) = fitting else {
            self.unmaskable.insert(id);
            return id;
        };
        if forms.is_empty() {
            return id;
        }
        let bytes = size(&forms);
        self.bytes += bytes;
        let room = self.segments.iter().position(|segment| segment.secrets.len() < SEGMENT);
        let segment = match room {
            Some(at) => &mut self.segments[at],
            None => {
                self.segments.push(Segment::default());
                let last = self.segments.len() - 1;
                &mut self.segments[last]
            }
        };
        segment.secrets.insert(id, forms);
        segment.search = Search::Stale;
        id
    }

    fn remove(&mut self, id: u64) {
        self.unmaskable.remove(&id);
        for segment in &mut self.segments {
            if let Some(forms) = segment.secrets.remove(&id) {
                self.bytes -= size(&forms);
                segment.search = Search::Stale;
            }
        }
        self.segments.retain(|segment| !segment.secrets.is_empty());
    }

    /// Outer `None`: something must be built first. Inner `None`: something cannot be masked.
    fn searches(&self) -> Option<Option<Vec<Arc<AhoCorasick>>>> {
        if !self.unmaskable.is_empty() {
            return Some(None);
        }
        let mut searches = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            match &segment.search {
                Search::Stale => return None,
                Search::Failed => return Some(None),
                Search::Ready(search) => searches.push(Arc::clone(search)),
            }
        }
        Some(Some(searches))
    }
}

// === impl Segment ===

impl Segment {
    fn build(&mut self) {
        if matches!(self.search, Search::Stale) {
            let forms = self.secrets.values().flatten().map(|form| form.as_bytes());
            self.search = match AhoCorasick::new(forms) {
                Ok(search) => Search::Ready(Arc::new(search)),
                Err(_) => Search::Failed,
            };
        }
    }
}

fn size(forms: &[Zeroizing<String>]) -> usize {
    forms.iter().map(|form| form.len()).sum()
}

#[cfg(test)]
mod tests;
