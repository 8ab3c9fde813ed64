//! Why something did not pass.

use std::time::Duration;

use super::bridge::{Retry, Unavailable};
use crate::audit;
use crate::mcp::{ErrorObject, codes};
use crate::policy;

/// How soon a call that could not be recorded is worth another try.
const AUDIT_PAUSE: Duration = Duration::from_secs(1);

/// Something that did not reach a child.
#[derive(Clone, Debug)]
pub struct NotAdmitted {
    /// What the client is told.
    pub error: ErrorObject,
    /// What has to happen before it can pass.
    pub retry: Retry,
}

impl From<policy::Refused> for NotAdmitted {
    fn from(refused: policy::Refused) -> Self {
        let error = ErrorObject::invalid_params(refused.to_string());
        Self { error, retry: Retry::People }
    }
}

impl From<audit::NotRecorded> for NotAdmitted {
    fn from(why: audit::NotRecorded) -> Self {
        Self::for_now(&why, Some(AUDIT_PAUSE))
    }
}

impl From<Unavailable> for NotAdmitted {
    fn from(why: Unavailable) -> Self {
        Self { error: ErrorObject::internal(why.message), retry: why.retry }
    }
}

impl NotAdmitted {
    /// It may pass later, after this time where it is known.
    pub(super) fn for_now(why: &impl std::fmt::Display, retry_after: Option<Duration>) -> Self {
        Self { error: ErrorObject::internal(why.to_string()), retry: Retry::Time(retry_after) }
    }

    /// The session that wanted it is over (checklist 2.3).
    #[must_use]
    pub fn session_over() -> Self {
        let error = ErrorObject::new(codes::INVALID_REQUEST, "session not found");
        Self { error, retry: Retry::NewSession }
    }

    /// A seat that is somebody else's, which no path of ours leads to.
    pub(super) fn foreign() -> Self {
        let error = ErrorObject::internal("this child belongs to somebody else");
        Self { error, retry: Retry::People }
    }
}
