//! How many descriptors this process may have: as many as the system lets it, while its children get what it was given.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// No service of this kind needs more, and some programs close every number up to their limit.
const ENOUGH: u64 = 64 * 1024;

/// The soft limit that we were started with.
static GIVEN: OnceLock<u64> = OnceLock::new();

/// Raises the soft limit of this process and returns it.
pub fn raise_open_files() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    let given = *GIVEN.get_or_init(|| soft);
    let wanted = hard.min(ENOUGH).max(given);
    let raised = match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    };
    usize::try_from(raised).unwrap_or(usize::MAX)
}

/// The soft limit that children get, where ours was raised.
pub(super) fn given_open_files() -> Option<u64> {
    GIVEN.get().copied()
}

/// Gives this process the soft limit that mcpwrap was started with.
pub(super) fn lower_open_files(given: Option<u64>) -> nix::Result<()> {
    let Some(given) = given else { return Ok(()) };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, given.min(hard), hard)
}
