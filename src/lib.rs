//! mcpwrap serves a local MCP server as a remote one.

pub mod auth;
pub mod credentials;
pub mod outbound;
pub mod redact;
pub mod seal;
pub mod shutdown;
pub mod store;
