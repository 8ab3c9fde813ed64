//! What a client wants of the wrapped server, independent of how client and server speak.

use bytestring::ByteString;

use crate::mcp::{Era, Params, Raw};

/// One request, ready to be judged.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The method.
    pub method: ByteString,
    /// Its parameters.
    pub params: Params,
    /// The client behind it.
    pub client: ClientSide,
    /// The answers that an interrupted operation goes on with.
    pub resume: Option<Resume>,
}

/// What the client of one request said about itself; nothing of it is verified.
#[derive(Clone, Debug)]
pub struct ClientSide {
    /// How it speaks.
    pub era: Era,
    /// `ClientCapabilities`.
    pub capabilities: Raw,
    /// `clientInfo`, for display only.
    pub info: Option<Raw>,
    /// The least severe log message it wants.
    pub log_level: Option<LogLevel>,
    /// The legacy session it speaks in, as the subscribers of its child number it.
    pub session: Option<u64>,
}

/// What the retry of an interrupted operation brings (2026-07-28 basic/patterns/mrtr).
#[derive(Clone, Debug)]
pub struct Resume {
    /// `inputResponses`, where there are any.
    pub responses: Option<Raw>,
    /// The server's own `requestState`, exactly as it gave it.
    pub state: Option<String>,
}

/// RFC 5424 severities as MCP names them, least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are RFC 5424's own")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl LogLevel {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

impl Operation {
    /// Whether the server may ask the user something while it works on this (checklist 3.50, 5.42).
    #[must_use]
    pub fn may_ask(&self) -> bool {
        matches!(self.method.as_ref(), "tools/call" | "prompts/get" | "resources/read")
    }

    /// What the operation is about: a tool, a prompt, a resource or a task.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        let params = &self.params;
        params.name.as_deref().or(params.uri.as_deref()).or(params.task_id.as_deref())
    }
}
