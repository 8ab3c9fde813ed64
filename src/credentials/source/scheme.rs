//! How a source is written, for whom it is, and what is wrong with a text that is none.

use std::fmt;

use super::super::template::ParseError;

/// How one kind of source is written; its `Display` is `scheme:rest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What stands before the colon.
    pub name: &'static str,
    /// What stands after it, in capitals what the operator chooses.
    pub rest: &'static str,
    /// For whom it is.
    pub users: &'static [Users],
}

/// Whom the program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// The developer who started it.
    One,
    /// Many, who share nothing.
    Many,
}

/// Why a text is no source; none of this repeats the text, which may be the secret itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such scheme, or none at all.
    #[error("the source has no known scheme")]
    Unknown {
        /// The sources that there are.
        known: Vec<String>,
    },
    /// The source is for other users.
    #[error("{scheme}: is not for this command")]
    NotHere {
        /// The scheme.
        scheme: &'static str,
        /// The sources that there are.
        known: Vec<String>,
    },
    /// The rest does not have the scheme's form.
    #[error("the source is not of the form {scheme}")]
    Form {
        /// The scheme.
        scheme: Scheme,
    },
    /// The rest holds a wrong placeholder.
    #[error("read the source")]
    Template {
        /// What is wrong with it.
        #[from]
        cause: ParseError,
    },
}

// === impl Scheme ===

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.rest)
    }
}

// === impl SourceError ===

impl SourceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { known } | Self::NotHere { known, .. } => {
                format!("write one of {}; a value itself never stands here", known.join(", "))
            }
            Self::Form { .. } => {
                "no part may be empty, and no . or .. may stand between slashes; check the spelling"
                    .to_owned()
            }
            Self::Template { .. } => {
                "placeholders are {user} {sub} {iss} {tenant} {tenant_id} {email} {claim:NAME}"
                    .to_owned()
            }
        }
    }
}
