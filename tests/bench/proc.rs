//! What the kernel knows of a process: its CPU time, its memory, its children.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// Memory that a process has for itself alone, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Pages that nobody else maps, pages of its own executable included.
    pub(crate) private: f64,
    /// What it has written: heap, stacks, changed data. Files that only it maps do not count.
    pub(crate) anonymous: f64,
}

/// How many tasks wanted to run, lately.
pub(crate) fn load_average() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// A sentence that says where and when the machine allowed these numbers.
pub(crate) fn machine(rounds: usize, load: &str) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = load.split(' ').next().unwrap_or_default();
    format!("Measured on {cores} cores ({model}), {rounds} rounds, load average before {load}.")
}

/// The CPU time of all threads that live.
pub(crate) fn cpu(pid: u32) -> Duration {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let times = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

pub(crate) fn memory(pid: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let kib = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) * 1024.0
    };
    Memory {
        private: field("Private_Clean:") + field("Private_Dirty:"),
        anonymous: field("Anonymous:"),
    }
}

/// The processes that this one has started itself.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    parents().into_iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| child).collect()
}

/// A process and everything below it whose command line does not contain `but`.
pub(crate) fn tree(pid: u32, but: &str) -> Vec<u32> {
    let parents = parents();
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, p)| **p == parent).map(|(child, _)| *child));
        at += 1;
    }
    found.retain(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        !String::from_utf8_lossy(&line).starts_with(but)
    });
    found
}

fn parents() -> HashMap<u32, u32> {
    let Ok(all) = fs::read_dir("/proc") else { return HashMap::new() };
    all.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command name may hold anything, also parentheses; what follows the last one is regular.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((pid, parent))
    })
    .collect()
}
