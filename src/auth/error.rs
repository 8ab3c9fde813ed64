//! Why an identity provider could not be used; for the log, never for a client.

use std::time::Duration;

use crate::outbound;

/// What went wrong between us and an identity provider.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or too much of it.
    #[error("fetch from the identity provider")]
    Fetch {
        /// What the client said.
        #[source]
        cause: outbound::Error,
    },
    /// An answer with a status that helps nobody; redirects are not followed.
    #[error("{url} answered with status {status}")]
    Status {
        /// Who answered.
        url: String,
        /// What it answered.
        status: u16,
    },
    /// Not the document that was asked for.
    #[error("read the answer of {url}")]
    Unreadable {
        /// Who answered.
        url: String,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
    /// The metadata are somebody else's.
    #[error("metadata at {url} are of issuer {found:?}, not {expected:?}")]
    WrongIssuer {
        /// Where they were found.
        url: String,
        /// The configured issuer.
        expected: String,
        /// The issuer that they name.
        found: String,
    },
    /// The metadata lack a usable member.
    #[error("metadata at {url} have no usable {member}")]
    Incomplete {
        /// Where they were found.
        url: String,
        /// What is missing, or plain http where https is due.
        member: &'static str,
    },
    /// A key set without a key that we may use.
    #[error("{url} has no key for the allowed algorithms")]
    NoKeys {
        /// The key set's address.
        url: String,
    },
    /// Discovery, keys or a check took too long.
    #[error("wait {} s for the identity provider", deadline.as_secs_f32())]
    Deadline {
        /// The bound.
        deadline: Duration,
    },
    /// Too many checks at once.
    #[error("find room for one more check at the identity provider")]
    Busy,
    /// Too many tokens of this network were refused.
    #[error("let a network send more tokens that are refused")]
    Slowed,
}

impl From<outbound::Error> for Error {
    fn from(cause: outbound::Error) -> Self {
        Self::Fetch { cause }
    }
}
