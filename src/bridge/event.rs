//! What a child says that somebody has to hear: the events of a call, and the notices outside any call.
//!
//! How a client or a server writes these is theirs to know.

use std::sync::Arc;

use bytestring::ByteString;

use super::mailbox::Weigh;
use crate::mcp::{ErrorObject, Notification, Raw};
use crate::policy::LogLevel;
use crate::server::ListKind;

/// What happens to a call.
#[derive(Debug)]
pub enum Event {
    /// The parameters of `notifications/progress`, with the client's own token.
    Progress(Raw),
    /// The parameters of `notifications/message`.
    Log(Raw),
    /// A message of a modern subscription, with the client's own id.
    Subscription {
        /// Which notification.
        method: ByteString,
        /// Its parameters.
        params: Raw,
    },
    /// The server wants something of the user.
    Ask(Ask),
    /// The server no longer wants it.
    Withdrawn(AskKey),
    /// The server ended its turn; it goes on when all asks are answered (modern servers only).
    TurnEnded {
        /// Its own `requestState`.
        state: Option<String>,
    },
    /// The server wanted something that the client cannot do, and was told so.
    Undeclared(Undeclared),
    /// Its client took the call back (by a [`Canceller`](super::Canceller)).
    Recalled,
    /// Nothing comes after this.
    Done(Outcome),
}

/// Names an ask within its call: the server's own key, or one that the bridge made.
pub type AskKey = Arc<str>;

/// One thing that a server wants of the user.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Names it within its call.
    pub key: AskKey,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: ByteString,
    /// Its parameters, charged to their user for as long as they are kept.
    pub params: Option<Raw>,
}

/// The capability that a client lacks, as `ClientCapabilities` writes it.
#[derive(Clone, Debug)]
pub struct Undeclared(pub serde_json::Value);

/// How a call ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With the server's result.
    Result(Raw),
    /// With the server's error.
    Error(ErrorObject),
    /// Without an answer of the server, which had it, or part of it: whether it was done is not known.
    Lost(ErrorObject),
    /// Before anything of it left for the server: whoever sends it again cannot have it done twice.
    Unsent(ErrorObject),
    /// Its client took it back.
    Cancelled,
}

/// What a member hears.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A list changed.
    ListChanged(ListKind),
    /// A subscribed resource changed.
    Updated {
        /// Which.
        uri: String,
        /// The notification's parameters.
        params: Raw,
    },
    /// A log message outside any call.
    Log {
        /// How severe.
        level: LogLevel,
        /// The notification's parameters.
        params: Raw,
    },
    /// A child asks something outside any call.
    Ask {
        /// Which child: its successor never asked, and may ask by the same key.
        child: u64,
        /// What it asks.
        ask: Ask,
    },
    /// A child does not want that answer any more.
    Withdrawn {
        /// Which child.
        child: u64,
        /// The question.
        key: AskKey,
    },
    /// Some other notification.
    Other(Notification),
    /// Another child has taken the place of the one that the member knew, and was told what that one had been told.
    Restarted,
    /// The child is gone and what it knew of this member with it.
    Gone,
}

// === impl Event ===

impl Weigh for Event {
    fn weight(&self) -> usize {
        match self {
            Self::Progress(params) | Self::Log(params) | Self::Subscription { params, .. } => {
                params.len()
            }
            Self::TurnEnded { state } => state.as_ref().map_or(0, String::len),
            Self::Done(Outcome::Result(result)) => result.len(),
            // A question's own text is charged wherever it is.
            Self::Ask(_)
            | Self::Done(_)
            | Self::Withdrawn(_)
            | Self::Undeclared(_)
            | Self::Recalled => 0,
        }
    }
}

// === impl Notice ===

impl Weigh for Notice {
    fn weight(&self) -> usize {
        match self {
            Self::Updated { params, .. } | Self::Log { params, .. } => params.len(),
            Self::Other(notification) => notification.params.as_ref().map_or(0, Raw::len),
            Self::Ask { .. }
            | Self::ListChanged(_)
            | Self::Withdrawn { .. }
            | Self::Restarted
            | Self::Gone => 0,
        }
    }
}

// === impl Outcome ===

impl From<Result<Raw, ErrorObject>> for Outcome {
    fn from(outcome: Result<Raw, ErrorObject>) -> Self {
        match outcome {
            Ok(result) => Self::Result(result),
            Err(error) => Self::Error(error),
        }
    }
}
