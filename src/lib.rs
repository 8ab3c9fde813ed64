//! mcpwrap serves a local MCP server as a remote one.

pub mod auth;
pub mod outbound;
pub mod process;
pub mod shutdown;
