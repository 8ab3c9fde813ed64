//! The flags of `dev`, `serve` and `check`, grouped by owner; the comments are the help texts.
//!
//! The structs declare; nobody reads their fields. `typed.rs` takes the values by flag name, so that
//! `config` can tell what was typed from what was not, and report all problems at once.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::words::Words;

/// Where to listen, and for whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct HttpArgs {
    /// Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<OsString>,
    /// Serve MCP at this path [default: /mcp]
    #[arg(long, value_name = "PATH")]
    pub path: Option<OsString>,
    /// Accept web pages of this origin (repeatable)
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<OsString>,
    /// Accept requests to this host name (repeatable)
    #[arg(long, value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub allow_host: Vec<OsString>,
    /// Serve the HTTP+SSE transport of 2024-11-05 too [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = Words(&["true", "false"]), hide_possible_values = true)]
    pub legacy_sse: Option<OsString>,
    /// Refuse larger requests [default: 10MiB]
    #[arg(long, value_name = "SIZE")]
    pub max_body: Option<OsString>,
    /// Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<OsString>,
    /// Send a sign of life on quiet streams this often [default: 15s]
    #[arg(long, value_name = "TIME")]
    pub keep_alive: Option<OsString>,
    /// End sessions without requests after this time [default: 30m]
    #[arg(long, value_name = "TIME")]
    pub session_idle: Option<OsString>,
    /// Give up calls that wait for the user's answers after this time [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub sealed_ttl: Option<OsString>,
}

/// The wrapped server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Child")]
pub struct ChildArgs {
    /// Run this command as the MCP server, with its arguments
    #[arg(last = true, value_name = "CMD", value_hint = ValueHint::CommandName, help_heading = None)]
    pub command: Vec<OsString>,
    /// Add a variable to the child's environment (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<OsString>,
    /// Add a credential to the child's environment (repeatable)
    #[arg(long, value_name = "NAME=SOURCE")]
    pub credential: Vec<OsString>,
    /// Start the child in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cwd: Option<OsString>,
    /// Share a child between all clients of a user, or start one per session [default: user]
    #[arg(long, value_name = "SCOPE", value_parser = Words(&["user", "session"]))]
    pub child_scope: Option<OsString>,
    /// Speak this era of MCP with the child [default: auto]
    #[arg(long, value_name = "ERA", value_parser = Words(&["auto", "legacy", "modern"]))]
    pub child_era: Option<OsString>,
    /// Give up a child that is not ready so long after its own start [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub start_timeout: Option<OsString>,
    /// Let a call wait so long for a child's turn to start, or to start again after a crash [default: 2m]
    #[arg(long, value_name = "TIME")]
    pub start_wait: Option<OsString>,
    /// Give up a call that is silent for this time, and any after six times that [default: 10m]
    #[arg(long, value_name = "TIME")]
    pub call_timeout: Option<OsString>,
    /// Hold what could be confused with another client's call for this time [default: 5s]
    #[arg(long, value_name = "TIME")]
    pub hold_limit: Option<OsString>,
    /// Stop a child without work after this time [default: 15m]
    #[arg(long, value_name = "TIME")]
    pub child_idle: Option<OsString>,
    /// Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]
    #[arg(long, value_name = "TIME")]
    pub grace: Option<OsString>,
    /// Refuse longer lines from the child [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    pub max_line: Option<OsString>,
    /// Name this directory when the child asks for its roots (repeatable)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub roots: Vec<OsString>,
    /// Call the server so in client settings [default: from the command]
    #[arg(long, value_name = "NAME")]
    pub name: Option<OsString>,
}

/// What the process says and keeps, and what it takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Append audit records to this file, - for stderr
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub audit: Option<OsString>,
    /// Dispatch a call once its record has left the process, or is on the disk [default: written]
    #[arg(long, value_name = "WHEN", value_parser = Words(&["written", "synced"]))]
    pub audit_durability: Option<OsString>,
    /// Keep state in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<OsString>,
    /// Work on this many threads; the children need the other cores [default: half the cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<OsString>,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct LogArgs {
    /// Write the log in this form [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = Words(&["text", "json"]))]
    pub log_format: Option<OsString>,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Who may come in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Authentication")]
pub struct AuthArgs {
    /// Accept tokens of this issuer (repeatable)
    #[arg(long, value_name = "[NAME=]URL", value_hint = ValueHint::Url)]
    pub oidc: Vec<OsString>,
    /// Expect the habits of this identity provider, of one issuer or all [default: generic]
    #[arg(long, value_name = "[NAME=]IDP", value_parser = Words(&[
        "generic", "okta", "entra", "auth0", "keycloak", "cognito", "google", "github",
    ]))]
    pub idp: Vec<OsString>,
    /// Take only tokens of this client, of one issuer or all; google and github need it (repeatable)
    #[arg(long, value_name = "[NAME=]ID")]
    pub client: Vec<OsString>,
    /// Read that client's secret from this file; github needs it (repeatable)
    #[arg(long, value_name = "[ID=]FILE", value_hint = ValueHint::FilePath)]
    pub client_secret_file: Vec<OsString>,
    /// Ask the provider's API here, like GitHub Enterprise's [default: the public one]
    #[arg(long, value_name = "[NAME=]URL", value_hint = ValueHint::Url)]
    pub api_url: Vec<OsString>,
    /// Take only at+jwt for access tokens, or also JWT and none [default: by --idp]
    #[arg(long, value_name = "[NAME=]TYPE", value_parser = Words(&["strict", "lenient"]))]
    pub token_type: Vec<OsString>,
    /// Look for a key that is unknown no more often than this [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub keys_cool_down: Option<OsString>,
    /// Trust the certificate authorities of this PEM file too, for the provider and the vault
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<OsString>,
    /// Require this audience (repeatable) [default: the public URL]
    #[arg(long, value_name = "AUDIENCE")]
    pub audience: Vec<OsString>,
    /// Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]
    #[arg(long, value_name = "ALG")]
    pub algorithm: Vec<OsString>,
    /// Require this scope (repeatable)
    #[arg(long, value_name = "SCOPE")]
    pub required_scope: Vec<OsString>,
    /// Tell clients to ask the provider for this scope too, without requiring it (repeatable)
    #[arg(long, value_name = "SCOPE")]
    pub offer_scope: Vec<OsString>,
    /// Take the user from this claim [default: by --idp]
    #[arg(long, value_name = "CLAIM")]
    pub user_claim: Option<OsString>,
    /// Take the tenant from this claim [default: by --idp]
    #[arg(long, value_name = "CLAIM")]
    pub tenant_claim: Option<OsString>,
    /// Take the groups from this claim [default: by --idp]
    #[arg(long, value_name = "CLAIM")]
    pub groups_claim: Option<OsString>,
    /// Let in users of this tenant only (repeatable)
    #[arg(long, value_name = "TENANT")]
    pub allow_tenant: Vec<OsString>,
    /// Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)
    #[arg(long, value_name = "USER")]
    pub allow_user: Vec<OsString>,
    /// Let in this group (repeatable)
    #[arg(long, value_name = "GROUP")]
    pub allow_group: Vec<OsString>,
    /// Let in verified addresses of this e-mail domain (repeatable)
    #[arg(long, value_name = "DOMAIN")]
    pub allow_domain: Vec<OsString>,
    /// Let services in that act for themselves [default: refuse]
    #[arg(long, value_name = "WORD", value_parser = Words(&["refuse", "accept"]))]
    pub machines: Option<OsString>,
    /// Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]
    #[arg(long, value_name = "WHEN", value_parser = Words(&["opaque", "always"]))]
    pub introspection_when: Option<OsString>,
    /// Believe for so long that a token is active, at most 1m [default: 1m]
    #[arg(long, value_name = "TIME")]
    pub introspection_cache: Option<OsString>,
    /// Ask here about opaque tokens [default: from the issuer's metadata]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub introspection_endpoint: Option<OsString>,
    /// Ask about opaque tokens as this client, of the issuer NAME where there are several
    #[arg(long, value_name = "[NAME=]ID")]
    pub introspection_client_id: Option<OsString>,
    /// Read that client's secret from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub introspection_client_secret_file: Option<OsString>,
}

/// The walls around users, and their secrets.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Isolation")]
pub struct IsolationArgs {
    /// Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]
    #[arg(long, value_name = "LEVEL", value_parser = Words(&["strict", "basic"]))]
    pub isolation: Option<OsString>,
    /// Run children under these user ids [default: as root, a range that no local file names]
    #[arg(long, value_name = "FIRST-LAST")]
    pub uid_range: Option<OsString>,
    /// Let children read this file or directory too (repeatable)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub allow_read: Vec<OsString>,
    /// Let the children of all users write to this file or directory too (repeatable)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub allow_write: Vec<OsString>,
    /// Give a home to each authority of a user, or to each user [default: authority]
    #[arg(long, value_name = "SCOPE", value_parser = Words(&["authority", "user"]))]
    pub home_scope: Option<OsString>,
    /// Let a home use so much of the disk [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub home_size: Option<OsString>,
    /// Put a credential into a file of the child, its path into the variable (repeatable)
    #[arg(long, value_name = "NAME=SOURCE")]
    pub credential_file: Vec<OsString>,
    /// Accept that all users share this credential (repeatable)
    #[arg(long, value_name = "NAME")]
    pub allow_shared_credential: Vec<OsString>,
    /// Take the key of the encrypted store from here [default: a file in the state directory]
    #[arg(long, value_name = "SOURCE")]
    pub master_key: Option<OsString>,
    /// Run at most so many children [default: 256]
    #[arg(long, value_name = "N")]
    pub max_children: Option<OsString>,
    /// Run at most so many children for a user [default: 4]
    #[arg(long, value_name = "N")]
    pub max_children_per_user: Option<OsString>,
    /// Start at most so many children at a time [default: half the cores, at least 1]
    #[arg(long, value_name = "N")]
    pub max_starts: Option<OsString>,
    /// Hold at most so much for a user [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    pub memory_per_user: Option<OsString>,
}

/// How clients reach us.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Exposure")]
pub struct ExposureArgs {
    /// Read settings from this TOML file, keys named like the flags
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<OsString>,
    /// Tell clients that this is the endpoint
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub public_url: Option<OsString>,
    /// Believe these proxies when X-Forwarded-For says who is behind them (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub trusted_proxy: Vec<OsString>,
}
