//! Whoever is left of an installer that had a user id of its own: ended before anybody trusts what it wrote.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

/// How often it is looked for them.
const ROUND: Duration = Duration::from_millis(5);
/// After this they are given up: they start faster than they are ended.
const WITHIN: Duration = Duration::from_secs(5);
/// So many looks that find nobody are the end: one may miss a child whose parent ends just then.
const QUIET_ROUNDS: u8 = 2;

/// Kills every process of a user id until none is left. Yields how many are, after the deadline.
pub(super) async fn end(uid: u32) -> Result<(), usize> {
    let until = Instant::now() + WITHIN;
    let mut quiet = 0;
    loop {
        let left = of(uid);
        quiet = if left.is_empty() { quiet + 1 } else { 0 };
        if quiet == QUIET_ROUNDS {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(left.len());
        }
        for pid in left {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    /// Of no user, no other test, and no one else here.
    const UID: u32 = 1_987_654_321;

    #[tokio::test]
    async fn none_is_left_and_nobody_else_is_hit() {
        if !nix::unistd::geteuid().is_root() {
            // Past the test harness, which keeps what a test prints that passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED: this needs root");
            return;
        }
        let sleep = |uid| Command::new("sleep").arg("1000").uid(uid).spawn().unwrap();
        let (mut first, mut second, mut other) = (sleep(UID), sleep(UID), sleep(UID + 1));
        end(UID).await.unwrap();
        let other_lives = other.try_wait().unwrap().is_none();
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(other_lives);
        for ended in [first.wait().unwrap(), second.wait().unwrap()] {
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
        }
    }
}
