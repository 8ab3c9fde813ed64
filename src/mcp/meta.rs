//! The reserved keys of `_meta` (2026-07-28 basic/index, _meta).

use super::{Object, ObjectError, Raw};

/// The revision of a modern request.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Name and version of a modern request's client.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// What a modern request's client can do.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The least severe log message that a modern request wants.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The listen request that a modern notification belongs to.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// Name and version of the server, in a modern result.
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// The task that a 2025-11-25 message belongs to.
pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
/// What progress notifications of a request name; no reserved prefix.
pub const PROGRESS_TOKEN: &str = "progressToken";

/// The keys that belong to one hop of a modern connection and never reach a legacy peer (checklist 4.39).
pub const MODERN_ONLY: [&str; 5] =
    [PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL, SUBSCRIPTION_ID];

/// The reserved members of one `_meta` object.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// [`PROTOCOL_VERSION`], as written.
    pub protocol_version: Option<Raw>,
    /// [`CLIENT_INFO`].
    pub client_info: Option<Raw>,
    /// [`CLIENT_CAPABILITIES`].
    pub client_capabilities: Option<Raw>,
    /// [`LOG_LEVEL`].
    pub log_level: Option<Raw>,
    /// [`PROGRESS_TOKEN`].
    pub progress_token: Option<Raw>,
    /// [`RELATED_TASK`].
    pub related_task: Option<Raw>,
}

impl Meta {
    /// Reads the reserved members of `raw`.
    ///
    /// # Errors
    /// When it is no object or a key occurs twice.
    pub fn read(raw: &Raw) -> Result<Self, ObjectError> {
        let object = Object::parse(raw)?;
        Ok(Self {
            protocol_version: object.get(PROTOCOL_VERSION),
            client_info: object.get(CLIENT_INFO),
            client_capabilities: object.get(CLIENT_CAPABILITIES),
            log_level: object.get(LOG_LEVEL),
            progress_token: object.get(PROGRESS_TOKEN),
            related_task: object.get(RELATED_TASK),
        })
    }
}
