//! What a run leaves behind: at rest, in the logs, and after its end.

use std::collections::HashMap;

use nix::sys::signal::Signal;

use crate::pace;
use crate::processes::{self, Holdings, Process};
use crate::support::{Value, carriers};
use crate::world::World;

/// Connections to the provider and the vault that are kept for the next fetch, and the like.
const SPARE_DESCRIPTORS: usize = 12;

/// What mcpwrap holds once nobody asks and no child is left; nothing where children stay.
pub(crate) async fn at_rest(world: &World, before: Option<Holdings>) -> Result<Holdings, String> {
    let pid = world.served.pid();
    if !pace::comes(|| processes::below(pid).is_empty()).await {
        let left: Vec<String> = processes::below(pid).iter().map(Process::name).collect();
        return Err(format!("processes that nobody needs: {}", left.join("; ")));
    }
    if let Some(before) = before {
        // A leak stays; what is merely kept for a while goes.
        let most = before.descriptors + SPARE_DESCRIPTORS;
        pace::comes(|| processes::holdings(pid).descriptors <= most).await;
    }
    Ok(processes::holdings(pid))
}

/// Whether more is held than before, in words.
pub(crate) fn grown(before: Holdings, after: Holdings) -> Vec<String> {
    let mut grown = Vec::new();
    if after.descriptors > before.descriptors + SPARE_DESCRIPTORS {
        grown.push("file descriptors".to_owned());
    }
    // An allocator keeps what it once had; budgets are for tests, and this is for what never ends.
    if after.resident_mib > before.resident_mib + 256 {
        grown.push("memory".to_owned());
    }
    grown
}

/// What is found when mcpwrap was asked to end.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) exit: String,
    pub(crate) orphans: Vec<String>,
    pub(crate) leaks: Vec<String>,
    pub(crate) audit: Audit,
}

/// What the audit log says.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    pub(crate) begun: usize,
    /// Calls without exactly one end.
    pub(crate) open: usize,
    pub(crate) torn: usize,
}

/// Ends mcpwrap while every user has a child, and looks at what is left.
pub(crate) async fn end(world: &mut World) -> End {
    let before = processes::below(world.served.pid());
    world.served.signal(Signal::SIGTERM);
    let status = world.served.ended().await;
    pace::comes(|| !before.iter().any(Process::runs) && carriers(&world.marker).is_empty()).await;
    let left = before.iter().filter(|process| process.runs()).map(Process::name);
    let mut orphans: Vec<String> = left.collect();
    orphans.extend(carriers(&world.marker).iter().map(|pid| format!("{pid} {}", world.marker)));
    let records = std::fs::read(world.disk.audit_log()).unwrap_or_default();
    let log = world.served.stderr.lines().join("\n");
    let mut leaks = Vec::new();
    for (place, text) in [("log", log.as_bytes()), ("audit log", &records)] {
        let found = world.secrets.in_log(text);
        leaks.extend(found.iter().map(|secret| format!("the {place} holds {secret}")));
    }
    let exit = if status.success() { String::new() } else { status.to_string() };
    End { exit, orphans, leaks, audit: audit(&String::from_utf8_lossy(&records)) }
}

fn audit(text: &str) -> Audit {
    let mut audit = Audit::default();
    let mut ends: HashMap<u64, usize> = HashMap::new();
    let mut begun = Vec::new();
    for line in text.lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            audit.torn += 1;
            continue;
        };
        match (record["event"].as_str(), record["call"].as_u64()) {
            (Some("begin"), Some(call)) => begun.push(call),
            (Some("end"), Some(call)) => *ends.entry(call).or_default() += 1,
            _ => {}
        }
    }
    audit.open = begun.iter().filter(|call| ends.get(call) != Some(&1)).count();
    audit.begun = begun.len();
    audit
}
