//! What the tests stand on; each test takes all of it with `use crate::support::*`.
//!
//! | what a test needs | where it is |
//! |---|---|
//! | a running mcpwrap, `dev` or `serve`, and its URL | `binary`, around the server of `fixture` |
//! | what the operator sees on stderr | `stderr` |
//! | a client | `modern`, `legacy`; what both can is in `client` |
//! | HTTP as wrong, slow or absent as it likes | `http` |
//! | an identity provider and its tokens, or a vault | `provider`, `keys`, `vault`, each a `stand_in`; over TLS, `tls` |
//! | to wait for what must come | `wait`, `until` |
//! | a directory of its own | `scratch` |
//! | processes as the system sees them | `proc` |
//! | what this machine permits | `kernel` |
//!
//! The programs of tests `process` and `isolation` start children without mcpwrap around them: they take `children`,
//! `kernel`, `proc`, `scratch` and `wait` alone, each by its path, so that nowhere anything is compiled that nobody uses.

pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod fixture;
pub(crate) mod http;
pub(crate) mod kernel;
pub(crate) mod keys;
pub(crate) mod legacy;
pub(crate) mod modern;
pub(crate) mod proc;
pub(crate) mod provider;
pub(crate) mod scratch;
pub(crate) mod served;
pub(crate) mod stand_in;
pub(crate) mod stderr;
pub(crate) mod tls;
pub(crate) mod until;
pub(crate) mod vault;
pub(crate) mod wait;

use std::path::Path;

pub(crate) use binary::Mcpwrap;
pub(crate) use client::{Client, all_capabilities, error};
pub(crate) use fixture::{child_program, is_alive, kill_hard, pid, structured, text, who};
pub(crate) use http::{Reply, Request, Spoken};
pub(crate) use keys::{Key, b64, signed};
pub(crate) use legacy::{Session, initialize};
pub(crate) use modern::Modern;
pub(crate) use proc::{Marker, carriers};
pub(crate) use provider::{PUBLIC, Provider, now, with};
pub(crate) use scratch::Scratch;
pub(crate) use serde_json::{Value, json};
pub(crate) use served::{Ended, Served};
pub(crate) use stand_in::{Answer, Asked, StandIn};
pub(crate) use tls::Tls;
pub(crate) use until::until;
pub(crate) use vault::Vault;
pub(crate) use wait::{eventually, soon};

/// A file that nobody but its owner may read or write.
pub(crate) fn write_private(path: &Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
