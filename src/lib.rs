//! mcpwrap serves a local MCP server as a remote one.

pub mod auth;
pub mod cli;
pub mod config;
pub mod outbound;
pub mod shutdown;
pub mod telemetry;
