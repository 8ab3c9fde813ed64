//! JSON-RPC and MCP error codes (2026-07-28 basic/index, Error Codes).

/// The body is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The JSON is not a message that may stand here.
pub const INVALID_REQUEST: i64 = -32600;
/// Nobody implements the method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters are missing, wrong or name something that does not exist.
pub const INVALID_PARAMS: i64 = -32602;
/// The wrapper or the wrapped server failed.
pub const INTERNAL_ERROR: i64 = -32603;
/// A header says something else than the body (modern).
pub const HEADER_MISMATCH: i64 = -32020;
/// The request's client lacks a capability that the call needs (modern).
pub const MISSING_CAPABILITY: i64 = -32021;
/// The protocol version is not spoken here (modern).
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// A resource does not exist (legacy).
pub const LEGACY_RESOURCE_NOT_FOUND: i64 = -32002;
/// The user must open a URL first (2025-11-25).
pub const LEGACY_URL_ELICITATION: i64 = -32042;
/// The user said no (legacy sampling).
pub const LEGACY_USER_REJECTED: i64 = -1;

/// Whether only a modern peer uses this code.
#[must_use]
pub fn is_modern(code: i64) -> bool {
    matches!(code, HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION)
}
