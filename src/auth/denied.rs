//! How a request is refused: the kind decides the status, the reason is for the log and the counters.
//!
//! A client gets one fixed sentence per kind, so that no refusal tells it which check it failed. It knows no
//! status codes.

use std::fmt;

/// Why a request does not get a principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No bearer token: 401 without an error code.
    #[error("find a bearer token")]
    Missing,
    /// A token that is not good: 401 `invalid_token`.
    #[error("verify the bearer token: {reason}")]
    Invalid {
        /// For the log and the counters only.
        reason: Reason,
    },
    /// A request that carries its token wrongly: 400 `invalid_request`.
    #[error("read the bearer token: {reason}")]
    Malformed {
        /// For the log and the counters only.
        reason: Reason,
    },
    /// A good token that grants too little: 403 `insufficient_scope`.
    #[error("find every required scope in the token")]
    Scope {
        /// Every scope that is needed, not only the missing ones.
        required: Vec<String>,
    },
    /// A good token of somebody who is not let in: 403 without an error code, as a new token would not help.
    #[error("find the caller among those who are let in: {reason}")]
    Forbidden {
        /// For the log and the counters only.
        reason: Reason,
    },
    /// A token that would have to be checked, after too many of the same network were refused: 429.
    #[error("check one more token of a network whose tokens were refused")]
    Slowed,
    /// Nobody can say whether the token is good: 503.
    #[error("ask the identity provider: {reason}")]
    Unavailable {
        /// For the log and the counters only.
        reason: Reason,
    },
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $label:literal,)*) => {
        /// What exactly was wrong; each is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in logs and metrics.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

reasons! {
    /// No bearer token in the request.
    NoToken = "no_token",
    /// More than one Authorization header.
    SeveralTokens = "several_tokens",
    /// A token in the query.
    TokenInQuery = "token_in_query",
    /// Not the syntax of a bearer token.
    Syntax = "syntax",
    /// Longer than 16 KiB, or a part of it longer than its bound.
    TooLong = "too_long",
    /// Neither a signed token nor one that an issuer is configured to check.
    Shape = "shape",
    /// An encrypted token.
    Encrypted = "encrypted",
    /// The header or the claims are not a JSON object within bounds.
    Json = "json",
    /// A member stands twice in the header or the claims.
    Duplicate = "duplicate_member",
    /// The header asks for something that we do not do (`crit`, `jku`, `x5u`, `jwk`, `b64`, `zip`).
    Header = "header",
    /// An algorithm that is not allowed, or not for this key.
    Algorithm = "algorithm",
    /// Not the type of an access token.
    Type = "type",
    /// An ID token in the place of an access token.
    IdToken = "id_token",
    /// No configured issuer.
    Issuer = "issuer",
    /// No such key at the issuer.
    UnknownKey = "unknown_key",
    /// The signature does not fit.
    Signature = "signature",
    /// No usable `exp`, or a time that is no number.
    Time = "time",
    /// Expired.
    Expired = "expired",
    /// Not valid yet, or issued in the future.
    TooEarly = "too_early",
    /// Meant for somebody else, or for nobody.
    Audience = "audience",
    /// A client that is not listed.
    Client = "client",
    /// No usable subject.
    Subject = "subject",
    /// No usable tenant.
    Tenant = "tenant",
    /// An actor chain that cannot be read.
    Actor = "actor",
    /// Bound to a key whose possession we do not check (`cnf`).
    Bound = "sender_constrained",
    /// The issuer says that the token is not active.
    Inactive = "inactive",
    /// A required scope is missing.
    Scope = "scope",
    /// In no list of those who are let in.
    NotAllowed = "not_allowed",
    /// The token names too many groups to carry them.
    GroupsOverage = "groups_overage",
    /// A machine, and machines are not accepted.
    Machine = "machine",
    /// No keys of the issuer.
    NoKeys = "no_keys",
    /// An unknown key that could not be looked up at the issuer.
    KeyNotLookedUp = "key_not_looked_up",
    /// Too many tokens of the same network were refused.
    Slowed = "slowed",
    /// The check at the issuer failed.
    NoAnswer = "no_answer",
}

// === impl Reason ===

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

// === impl Denied ===

impl Denied {
    pub(super) fn invalid(reason: Reason) -> Self {
        Self::Invalid { reason }
    }

    /// What was wrong, for the log.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::NoToken,
            Self::Scope { .. } => Reason::Scope,
            Self::Slowed => Reason::Slowed,
            Self::Invalid { reason }
            | Self::Malformed { reason }
            | Self::Forbidden { reason }
            | Self::Unavailable { reason } => *reason,
        }
    }

    /// The only sentence that a client gets.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::Missing => "A bearer token is required.",
            Self::Invalid { .. } => "The access token is not valid here.",
            Self::Malformed { .. } => "Send exactly one bearer token, in the Authorization header.",
            Self::Scope { .. } => "The access token lacks a required scope.",
            Self::Forbidden { .. } => "This account is not allowed to use this server.",
            Self::Slowed => "Too many access tokens from this network were not valid; slow down.",
            Self::Unavailable { .. } => {
                "The identity provider cannot be reached; try again in a moment."
            }
        }
    }

    /// The `error` code of RFC 6750, where there is one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { .. } => Some("invalid_token"),
            Self::Malformed { .. } => Some("invalid_request"),
            Self::Scope { .. } => Some("insufficient_scope"),
            Self::Missing | Self::Forbidden { .. } | Self::Slowed | Self::Unavailable { .. } => {
                None
            }
        }
    }
}
