//! What runs below mcpwrap, and what mcpwrap holds.

use std::fs;

use crate::support::proc::{cmdline, field, pids};

/// A process that no later one can be taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: i32,
    started: String,
    command: String,
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holdings {
    /// None where the process hides them from us, who are not root.
    pub(crate) descriptors: usize,
    pub(crate) resident_mib: usize,
}

// === impl Process ===

impl Process {
    fn of(pid: i32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let started = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(19));
        Self { pid, started: started.unwrap_or_default().to_owned(), command: cmdline(pid) }
    }

    /// Whether it still runs; one that waits to be collected has ended.
    pub(crate) fn runs(&self) -> bool {
        let state = field(self.pid, "State");
        !state.is_empty() && !state.starts_with('Z') && Self::of(self.pid).started == self.started
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.pid, self.command)
    }
}

fn parent(pid: i32) -> i32 {
    field(pid, "PPid").parse().unwrap_or_default()
}

/// From the process up to the one below the root; nothing if it is not below it.
fn line(pid: i32, root: i32) -> Vec<i32> {
    let mut line = vec![pid];
    loop {
        match parent(line[line.len() - 1]) {
            0 | 1 => return Vec::new(),
            above if above == root => return line,
            above => line.push(above),
        }
    }
}

/// Everything below a process that has not ended.
pub(crate) fn below(root: i32) -> Vec<Process> {
    let all = pids().into_iter().filter(|pid| !line(*pid, root).is_empty());
    all.map(Process::of).filter(Process::runs).collect()
}

/// The lines from children that hold this in their environment up to mcpwrap, each child first.
pub(crate) fn of_user(root: i32, credential: &str) -> Vec<Vec<i32>> {
    let holds = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        memchr::memmem::find(&environment, credential.as_bytes()).is_some()
    };
    let lines = pids().into_iter().filter(holds).map(|pid| line(pid, root));
    lines.filter(|line| !line.is_empty()).collect()
}

pub(crate) fn holdings(pid: i32) -> Holdings {
    let kib = field(pid, "VmRSS").split(' ').next().and_then(|text| text.parse::<usize>().ok());
    Holdings {
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
        resident_mib: kib.unwrap_or_default() / 1024,
    }
}
