//! What the tests stand on: a running `mcpwrap serve`, callers with tokens, and stand-ins for what mcpwrap asks.

// Shared with `tests/it`, which uses all of them.
#[path = "../../it/world/http.rs"]
#[allow(dead_code, reason = "written for another program of tests")]
mod http;
#[path = "../../it/world/stderr.rs"]
#[allow(dead_code, reason = "written for another program of tests")]
mod stderr;
#[path = "../../it/world/wait.rs"]
mod wait;

mod caller;
mod keys;
mod provider;
mod served;
mod stand_in;
mod vault;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(crate) use caller::{Caller, Session, error, pid, structured, who};
pub(crate) use http::{Reply, Request};
pub(crate) use keys::{Key, b64, signed};
pub(crate) use provider::{Provider, with};
pub(crate) use serde_json::{Value, json};
pub(crate) use served::{Ended, Served, Setup};
pub(crate) use stand_in::{Answer, Asked, StandIn};
pub(crate) use vault::Vault;
pub(crate) use wait::{eventually, soon};

/// What clients call the endpoint of every test, and what tokens are for.
pub(crate) const PUBLIC: &str = "https://mcp.test/mcp";

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A directory of its own for each test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A file that nobody but its owner may read or write.
pub(crate) fn write_private(path: &Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
