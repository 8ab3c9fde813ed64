//! Which tools ask: learned from watching, so that calls of different clients are kept apart only where a
//! question could otherwise not be told to belong to one of them (checklist 5.43).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::policy::Operation;

/// Targets that are remembered; one more and all are learned anew.
const MOST: usize = 4096;

/// A longer name is no tool's; what is called so is taken to ask.
const LONGEST_NAME: usize = 256;

/// What is known of the targets of one server.
#[derive(Debug, Default)]
pub(super) struct Habits(Mutex<HashMap<String, Habit>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// It has ended without a question.
    Quiet,
    /// It has asked.
    Asks,
}

impl Habits {
    /// Whether a call of this may ask, as far as is known.
    pub(super) fn may_ask(&self, operation: &Operation) -> bool {
        name(operation).is_none_or(|name| self.lock().get(&name) != Some(&Habit::Quiet))
    }

    /// It ended without a question.
    pub(super) fn was_quiet(&self, operation: &Operation) {
        let Some(name) = name(operation) else { return };
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.entry(name).or_insert(Habit::Quiet);
    }

    /// It asked.
    pub(super) fn asked(&self, operation: &Operation) {
        if let Some(name) = name(operation) {
            self.lock().insert(name, Habit::Asks);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Habit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(operation: &Operation) -> Option<String> {
    let target = operation.target().unwrap_or_default();
    (target.len() <= LONGEST_NAME).then(|| format!("{} {target}", operation.method))
}
