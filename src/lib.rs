//! mcpwrap serves a local MCP server as a remote one.

pub mod app;
pub mod audit;
pub mod auth;
pub mod bridge;
pub mod cli;
pub mod client;
pub mod config;
pub mod credentials;
pub mod http;
pub mod mcp;
pub mod outbound;
pub mod policy;
pub mod process;
pub mod redact;
pub mod seal;
pub mod server;
pub mod shutdown;
pub mod store;
pub mod telemetry;
