//! Asks an issuer about a token that only the issuer can read.
//!
//! However many such tokens come, only so many checks run at once, each with a deadline. The answer is claims
//! like those of a signed token; it does not judge them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::claims::Claims;
use super::denied::Reason;
use super::error::Error;
use super::github::GitHub;
use super::google::Google;
use super::introspection::Introspect;

/// So many checks run at once; the others wait within their deadline.
const MAX_CHECKS: usize = 32;

/// Whoever can be asked about a token.
#[derive(Debug)]
pub(super) enum Oracle {
    /// RFC 7662.
    Introspection(Introspect),
    /// Google's own check.
    Google(Google),
    /// GitHub's own check.
    GitHub(GitHub),
}

/// What the issuer says.
#[derive(Debug)]
pub(super) enum Verdict {
    Active(Claims),
    Refused(Reason),
}

/// An oracle with its bounds.
#[derive(Debug)]
pub(super) struct Bounded {
    oracle: Oracle,
    room: Arc<Semaphore>,
    deadline: Duration,
}

// === impl Bounded ===

impl Bounded {
    pub(super) fn new(oracle: Oracle, deadline: Duration) -> Self {
        Self { oracle, room: Arc::new(Semaphore::new(MAX_CHECKS)), deadline }
    }

    /// Whether this is the one for an opaque token that looks like this.
    pub(super) fn knows(&self, token: &str) -> bool {
        match &self.oracle {
            Oracle::Introspection(_) => true,
            Oracle::Google(_) => token.starts_with("ya29."),
            Oracle::GitHub(_) => token.starts_with("gho_") || token.starts_with("ghu_"),
        }
    }

    /// Whether its tokens are bound to a client instead of an audience.
    pub(super) fn binds_to_client(&self) -> bool {
        !matches!(self.oracle, Oracle::Introspection(_))
    }

    pub(super) async fn ask(&self, token: &str) -> Result<Verdict, Error> {
        let deadline = self.deadline;
        let asking = async {
            let _room = self.room.acquire().await.map_err(|_| Error::Busy)?;
            match &self.oracle {
                Oracle::Introspection(introspect) => introspect.ask(token).await,
                Oracle::Google(google) => google.ask(token).await,
                Oracle::GitHub(github) => github.ask(token).await,
            }
        };
        tokio::time::timeout(deadline, Box::pin(asking))
            .await
            .unwrap_or(Err(Error::Deadline { deadline }))
    }
}
