//! Whoever is left of an installer that had a user id of its own: ended before anybody trusts what it wrote.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::process::{Exit, Spawner};

/// How often it is looked for them.
const ROUND: Duration = Duration::from_millis(5);
/// After this they are given up: they cannot be ended.
const WITHIN: Duration = Duration::from_secs(5);

/// Kills every process of a user id until none is left. Yields how many are, after the deadline.
pub(super) async fn end(spawner: &Spawner, uid: u32) -> Result<(), usize> {
    let until = Instant::now() + WITHIN;
    loop {
        // One look may miss who forks and ends just then; the kernel does not.
        let ended = spawner.end_all_of(uid).await;
        let left = of(uid);
        if left.is_empty() && ended.is_ok_and(|exit| exit == Exit::Code(0)) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(left.len());
        }
        sleep(ROUND).await;
    }
}

/// The processes that run under a user id, but for those that have ended and wait to be collected.
fn of(uid: u32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let runs = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
        };
        let ids = field("Uid:").split_whitespace();
        ids.filter_map(|id| id.parse().ok()).any(|id: u32| id == uid)
            && !field("State:").starts_with(['Z', 'X'])
    };
    pids.filter(runs).collect()
}
