//! What a record says.

use serde::Serialize;

/// The verified caller.
#[derive(Clone, Debug, Serialize)]
pub struct Who {
    /// A digest over issuer, tenant and subject.
    pub user: String,
    /// The issuer.
    pub issuer: String,
    /// The tenant, where there are tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The subject.
    pub subject: String,
    /// `person` or `service`: the two may be called alike.
    pub kind: &'static str,
    /// The OAuth client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Who acts for the user, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
}

/// What is known before a call is dispatched.
#[derive(Clone, Debug, Serialize)]
pub struct Begin {
    /// Who asks.
    pub who: Who,
    /// The method.
    pub method: String,
    /// The tool, prompt, resource or task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Which child works on it.
    pub child: u64,
    /// A keyed hash of the parameters.
    pub arguments: String,
    /// What policy said.
    pub decision: Decision,
    /// Names, sources and keyed fingerprints of the child's credentials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
    /// The trace that the client named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What policy said of a call that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Whoever is let in may use the whole server.
    WholeServer,
    /// Nothing: it is mcpwrap's own request, or the answer to a question of the server's.
    NotAsked,
}

/// What passes and is no call, so that one record says all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A notification of the client.
    Notification,
    /// The client's answer to a question of the server that belongs to no call.
    Answer,
    /// A request of mcpwrap's own, which the caller caused but did not write.
    OwnRequest,
    /// A call that a child's successor is told, as its predecessor was.
    Replay,
}

/// What somebody known did that he must not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Incident {
    /// His credential is another user's too, so it was refused.
    SharedCredential {
        /// The credential's name.
        credential: String,
    },
    /// He presented a session that is not his.
    ForeignSession,
    /// He presented a `requestState` that is not his.
    ForeignState,
}

impl std::fmt::Display for Incident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SharedCredential { credential } => {
                write!(f, "the value of {credential} is another user's credential too")
            }
            Self::ForeignSession => f.write_str("a session was presented by somebody else"),
            Self::ForeignState => f.write_str("a requestState was presented by somebody else"),
        }
    }
}

/// What happened to somebody's session, process or credential, or to himself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A legacy session began.
    SessionOpened {
        /// The beginning of a hash of its name, which is a secret.
        session: String,
    },
    /// A legacy session ended.
    SessionEnded {
        /// As when it was opened.
        session: String,
        /// Why.
        why: &'static str,
    },
    /// A process introduced itself.
    ChildStarted {
        /// Its number, which the records of its calls bear.
        child: u64,
        /// Names, sources and keyed fingerprints of its credentials.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        credentials: Vec<String>,
    },
    /// A process could not be started, or did not introduce itself.
    ChildFailed {
        /// Why.
        why: String,
    },
    /// Nothing of a process is left.
    ChildEnded {
        /// Its number.
        child: u64,
        /// Why.
        why: String,
    },
    /// A credential was asked for.
    Credential {
        /// Its name, where it is known which one it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Where it comes from, as the operator wrote it.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// What became of it.
        outcome: CredentialFate,
        /// Why it was not to be had.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody whose token is good was not let in.
    Forbidden {
        /// Why.
        reason: &'static str,
        /// How often, since the last record of it.
        count: u64,
    },
}

/// What became of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialFate {
    /// It was fetched for a new process.
    Fetched,
    /// It lives longer now.
    Renewed,
    /// It was not to be had.
    Failed,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a result.
    Result,
    /// With the server's error.
    Error,
    /// Without an answer; whether it was done is not known.
    Lost,
    /// Before anything of it left for the server.
    Unsent,
    /// The server wants the user's answer and the call goes on with the client's retry.
    Suspended,
    /// The client took it back or went away.
    Cancelled,
    /// It never reached the server, as its first record was not written in time.
    Refused,
}
