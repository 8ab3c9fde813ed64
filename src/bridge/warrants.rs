//! The tokens that authorise a child. When the issuer withdraws one and no other lives, the child ends at once.
//!
//! A token that merely expires ends nothing here: its streams end with it, nobody gets in without a new one, and an
//! unused child ends when it has been idle.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::auth::{End, Principal};

/// Tokens that are remembered for one child; a user who has more at a time loses the oldest.
const MOST: usize = 32;

/// The tokens with which one child was used.
#[derive(Debug, Default)]
pub(super) struct Warrants {
    held: Mutex<Vec<Arc<Principal>>>,
    added: Notify,
}

// === impl Warrants ===

impl Warrants {
    /// Notes that this caller's token authorises the child; the local developer has none and needs none.
    pub(super) fn add(&self, principal: &Arc<Principal>) {
        let token = principal.token_fingerprint();
        if token.is_none() {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.last().is_some_and(|newest| Arc::ptr_eq(newest, principal)) {
            return;
        }
        held.retain(|other| other.is_living() && other.token_fingerprint() != token);
        if held.len() == MOST {
            held.remove(0);
        }
        held.push(Arc::clone(principal));
        drop(held);
        self.added.notify_waiters();
    }

    /// Whether there were tokens and none of them lives.
    pub(super) fn are_over(&self) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        !held.is_empty() && !held.iter().any(|principal| principal.is_living())
    }

    /// Resolves when a token was withdrawn and no other one lives.
    ///
    /// While somebody waits here, the verifier keeps asking the issuer about the newest.
    pub(super) async fn withdrawn(&self) {
        loop {
            let added = self.added.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ended = async {
                let mut ends = Vec::with_capacity(held.len());
                for principal in held.iter().rev() {
                    ends.push(principal.ended().await);
                }
                if !ends.contains(&End::Revoked) {
                    // Expired, all of them: only a new one can change anything.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = ended => return,
                () = added => {}
            }
        }
    }
}
