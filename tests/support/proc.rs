//! Processes as `/proc` shows them.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// A number of seconds that tells the `sleep` of one test from all others.
#[derive(Debug)]
pub(crate) struct Marker(pub(crate) String);

// === impl Marker ===

impl Marker {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("1000{:07}{number:03}", std::process::id()))
    }

    /// The processes that carry the marker in their arguments.
    pub(crate) fn carriers(&self) -> Vec<i32> {
        carriers(&self.0)
    }
}

/// The processes with this text in their arguments, but for those that have ended and wait to be collected.
pub(crate) fn carriers(text: &str) -> Vec<i32> {
    pids().into_iter().filter(|pid| cmdline(*pid).contains(text)).collect()
}

/// All processes.
pub(crate) fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The arguments of a process, with blanks between them; empty where there is no such process.
pub(crate) fn cmdline(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// One line of a process's status; empty where there is no such process.
pub(crate) fn field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}
