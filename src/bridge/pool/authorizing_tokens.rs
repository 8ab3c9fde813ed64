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
pub(super) struct AuthorizingTokens {
    tokens: Mutex<Vec<Arc<Principal>>>,
    added: Notify,
}

// === impl AuthorizingTokens ===

impl AuthorizingTokens {
    /// Notes that this caller's token authorises the child; the local developer has none and needs none.
    pub(super) fn add(&self, principal: &Arc<Principal>) {
        let token = principal.token_fingerprint();
        if token.is_none() {
            return;
        }
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.last().is_some_and(|newest| Arc::ptr_eq(newest, principal)) {
            return;
        }
        tokens.retain(|other| other.is_living() && other.token_fingerprint() != token);
        if tokens.len() == MOST {
            tokens.remove(0);
        }
        tokens.push(Arc::clone(principal));
        drop(tokens);
        self.added.notify_waiters();
    }

    /// Whether there were tokens and none of them lives.
    pub(super) fn are_over(&self) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        !tokens.is_empty() && !tokens.iter().any(|principal| principal.is_living())
    }

    /// Resolves when a token was withdrawn and no other one lives.
    ///
    /// While somebody waits here, the verifier keeps asking the issuer about the newest.
    pub(super) async fn withdrawn(&self) {
        loop {
            let added = self.added.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ended = async {
                let mut ends = Vec::with_capacity(tokens.len());
                for principal in tokens.iter().rev() {
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
