//! Who descends from whom, by `/proc`, and signals to all of them.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The most processes that one look at a tree lists; the next look sees the rest.
const MOST: usize = 65_536;

/// The children of a process.
///
/// The kernel may leave out a child whose sibling ends while the list is read: callers look again until none is left.
pub(super) fn children(pid: i32) -> Vec<i32> {
    if !Path::new("/proc/thread-self/children").exists() {
        return children_by_scan(pid);
    }
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        })
        .collect()
}

/// The children, children's children and so on of a process, without itself, parents first.
pub(super) fn descendants(pid: i32) -> Vec<i32> {
    let mut all = children(pid);
    let mut next = 0;
    while next < all.len() && all.len() < MOST {
        let more = children(all[next]);
        all.extend(more);
        next += 1;
    }
    all
}

/// Sends a signal to all of them; one that is gone already is no fault.
pub(super) fn signal(pids: &[i32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// For kernels built without the list of children.
fn children_by_scan(parent: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent_of(*pid) == Some(parent))
        .collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so the fields count from the last parenthesis.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(end + 2..)?).ok()?;
    fields.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_a_child() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(children(own).contains(&pid));
        assert!(children_by_scan(own).contains(&pid));
        assert!(descendants(own).contains(&pid));
        signal(&[pid], Signal::SIGKILL);
        child.wait().unwrap();
    }
}
