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

/// The W3C trace context of a request; no reserved prefix.
pub const TRACE_PARENT: &str = "traceparent";

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
    /// The trace id of [`TRACE_PARENT`], where that is well formed.
    pub trace_id: Option<String>,
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
            trace_id: object
                .get(TRACE_PARENT)
                .and_then(|raw| raw.read::<String>().ok())
                .and_then(|text| trace_id(&text)),
        })
    }
}

/// The trace id of a W3C `traceparent`: `version-traceid-parentid-flags` in lower-case hexadecimal.
#[must_use]
pub fn trace_id(trace_parent: &str) -> Option<String> {
    let mut parts = trace_parent.trim().split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let known =
        hex(version, 2) && version != "ff" && hex(id, 32) && hex(parent, 16) && hex(flags, 2);
    (known && id.bytes().any(|digit| digit != b'0')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_is_believed() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&good).as_deref(), Some(id));
        assert_eq!(trace_id(&format!("cc-{id}-00f067aa0ba902b7-01-more")).as_deref(), Some(id));
        let none = "0".repeat(32);
        for bad in [
            "",
            id,
            "00-x-00f067aa0ba902b7-01",
            &good.to_uppercase(),
            &format!("ff-{id}-00f067aa0ba902b7-01"),
            &format!("00-{none}-00f067aa0ba902b7-01"),
            &format!("00-{id}\"-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
