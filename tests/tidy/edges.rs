//! Who may use whom: each edge between modules is a decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;

/// Each module and all that it uses, from the top down. An edge that nobody needs fails like one that is not here.
const EDGES: &[(&str, &str)] = &[
    ("main", "cli demo process"),
    ("cli", "demo app config store telemetry problem credentials"),
    ("demo", "app config process store outbound redact shutdown client problem"),
    (
        "app",
        "config http client gate server limits policy credentials process auth audit store seal outbound mcp redact shutdown private_file problem",
    ),
    ("config", "http auth telemetry credentials process store problem"),
    ("http", "client limits auth audit mcp shutdown"),
    ("client", "gate server limits policy auth audit seal mcp shutdown hex"),
    // Nobody else reaches the bridge: it is a private module of the gate.
    ("gate", "bridge server limits policy audit auth mcp shutdown"),
    ("bridge", "server limits policy credentials process auth audit mcp redact shutdown"),
    ("server", "policy mcp"),
    ("limits", "auth"),
    ("policy", "auth mcp"),
    ("credentials", "auth store seal outbound hex private_file problem"),
    ("process", "hex private_file"),
    ("auth", "audit outbound shutdown hex problem"),
    ("audit", "shutdown hex private_file"),
    ("store", "seal hex private_file"),
    ("seal", "private_file"),
    ("outbound", ""),
    ("mcp", ""),
    ("telemetry", "problem"),
    ("redact", "hex"),
    ("shutdown", ""),
    ("problem", ""),
    ("scratch", "hex private_file"),
    ("private_file", "hex"),
    ("hex", ""),
];

#[test]
fn modules_use_only_what_they_may() {
    let used = used(&Tree::read());
    let mut wrong = Vec::new();
    for (module, uses) in &used {
        let row = EDGES.iter().find(|(name, _)| name == module).map(|(_, row)| *row);
        let allowed: BTreeSet<String> =
            row.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if row.is_none() || allowed != *uses {
            let new: Vec<_> = uses.difference(&allowed).collect();
            let old: Vec<_> = allowed.difference(uses).collect();
            wrong.push(format!(
                "{module}: uses {new:?} without leave, has leave to use {old:?} in vain"
            ));
        }
    }
    let gone = EDGES.iter().filter(|(module, _)| !used.contains_key(*module));
    wrong.extend(gone.map(|(module, _)| format!("there is no module {module}")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The table goes one way: what stands in a row has its own row further down.
#[test]
fn modules_form_no_circle() {
    for (at, (module, row)) in EDGES.iter().enumerate() {
        for used in row.split_whitespace() {
            let below = EDGES[at + 1..].iter().any(|(name, _)| *name == used);
            assert!(below, "{module} uses {used}, which does not stand below it");
        }
    }
}

/// What the files of each module use of others.
fn used(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // The root of the library only says which modules there are.
    for file in tree.files.iter().filter(|file| !file.module.is_empty()) {
        let uses = all.entry(file.top().to_owned()).or_default();
        let tops = tree.named(file).into_iter().filter_map(|path| path.into_iter().next());
        uses.extend(tops.filter(|top| top != file.top()));
    }
    all
}
