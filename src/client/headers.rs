//! The headers of Streamable HTTP: names, the base64 form of values, what a client accepts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};

use crate::mcp::{ProtocolVersion, meta};

/// The legacy session, in any case (2025-11-25 Streamable HTTP, Session Management).
pub const SESSION_ID: &str = "mcp-session-id";
/// The last event that a client has seen.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";
/// The revision of the request.
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The request's method.
pub(super) const METHOD: &str = "mcp-method";
/// What the request is about.
pub(super) const NAME: &str = "mcp-name";
/// The prefix of headers that repeat a tool's arguments.
pub(super) const PARAM_PREFIX: &str = "mcp-param-";

/// Why a header's value cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// It occurs more than once.
    #[error("occurs more than once")]
    Repeated,
    /// It holds bytes that a header value may not hold, or broken base64.
    #[error("is malformed")]
    Malformed,
}

/// The revision that the header names, if it is one of ours.
pub(super) fn version(headers: &HeaderMap) -> Option<ProtocolVersion> {
    headers.get(PROTOCOL_VERSION)?.to_str().ok().and_then(|text| ProtocolVersion::read(text.trim()))
}

/// The session that a request names.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    // A value that is no text names no session, which is answered like an unknown one.
    headers.get(SESSION_ID).map(|value| value.to_str().unwrap_or("\u{0}"))
}

/// The only value of a header, decoded (2026-07-28 Streamable HTTP, Value Encoding).
pub(super) fn value(headers: &HeaderMap, name: &str) -> Result<Option<String>, Unusable> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unusable::Repeated);
    }
    decode(first).map(Some)
}

/// The W3C trace that the request belongs to.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<String> {
    meta::trace_id(headers.get(meta::TRACE_PARENT)?.to_str().ok()?)
}

/// Whether the client takes a stream of events; one that says nothing takes all (checklist 1.9).
pub(super) fn accepts_events(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream", "text/*")
}

/// Whether the client takes a JSON document.
pub(super) fn accepts_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application/json", "application/*")
}

fn accepts(headers: &HeaderMap, exact: &str, class: &str) -> bool {
    let mut named = false;
    for value in headers.get_all(http::header::ACCEPT) {
        let Ok(text) = value.to_str() else { continue };
        for range in text.split(',') {
            named = true;
            let media = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if media == exact || media == class || media == "*/*" {
                return true;
            }
        }
    }
    !named
}

fn decode(value: &HeaderValue) -> Result<String, Unusable> {
    let bytes = value.as_bytes().trim_ascii();
    let plain = bytes.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e));
    let text = std::str::from_utf8(bytes).ok().filter(|_| plain).ok_or(Unusable::Malformed)?;
    // Another case, or only one end of the sentinel, is a literal value (checklist 3.7).
    let encoded = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Ok(text.to_owned()),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).map_err(|_| Unusable::Malformed)?;
            String::from_utf8(bytes).map_err(|_| Unusable::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8]) -> Result<String, Unusable> {
        decode(&HeaderValue::from_bytes(bytes).unwrap())
    }

    #[test]
    fn base64_values_in_all_their_forms() {
        assert_eq!(decoded(b" echo \t").unwrap(), "echo");
        assert_eq!(decoded(b"=?base64?w6ljaG8=?=").unwrap(), "écho");
        assert_eq!(decoded(b"=?base64?ZWNobw==?=").unwrap(), "echo");
        assert_eq!(decoded(b"=?BASE64?ZWNobw==?=").unwrap(), "=?BASE64?ZWNobw==?=");
        assert_eq!(decoded(b"=?base64?ZWNobw==").unwrap(), "=?base64?ZWNobw==");
        for broken in [&b"=?base64?%%?="[..], b"=?base64?ZWNobw?=", b"=?base64?/w==?=", b"\xc3\xa9"]
        {
            assert_eq!(decoded(broken), Err(Unusable::Malformed));
        }
    }

    #[test]
    fn what_clients_accept() {
        let accept = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", HeaderValue::from_static(value));
            (accepts_json(&headers), accepts_events(&headers))
        };
        assert_eq!(accept("application/json, text/event-stream"), (true, true));
        assert_eq!(accept("*/*"), (true, true));
        assert_eq!(accept("Text/Event-Stream; q=0.5"), (false, true));
        assert_eq!(accept("image/png"), (false, false));
        assert!(accepts_json(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn any_text_survives_its_encoding(text in any::<String>()) {
            let encoded = format!("=?base64?{}?=", STANDARD.encode(&text));
            prop_assert_eq!(decoded(encoded.as_bytes()).unwrap(), text);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = decode(&value);
            }
        }
    }
}
