//! No circle between the files of one module: whoever reads a file finds what it stands on below it.
//!
//! What a folder's own `mod.rs` defines (an error, a few constants) is the vocabulary of the files in it: to name that is no
//! arrow back to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;

/// Which files each file takes something from.
type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn files_of_a_module_form_no_circle() {
    let arrows = arrows(&Tree::read());
    let circles = circles(&arrows);
    let mut wrong: Vec<String> = Vec::new();
    for circle in &circles {
        for from in circle {
            let to: Vec<&String> = arrows[from].intersection(circle).collect();
            wrong.push(format!("{from} uses {to:?}, which leads back to it"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The arrows between files of the same module.
fn arrows(tree: &Tree) -> Arrows {
    let mut arrows = Arrows::new();
    for file in &tree.files {
        for path in tree.named(file) {
            let Some(to) = tree.definer(&path) else { continue };
            let above = file.module.starts_with(&to.module);
            if to.top() == file.top() && !above {
                arrows.entry(file.path.clone()).or_default().insert(to.path.clone());
            }
        }
    }
    arrows
}

/// Sets of files of which each leads to each.
fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<String>> =
        arrows.keys().map(|from| (from, reached(arrows, from))).collect();
    let circle = |from: &String| {
        let back = |to: &&String| reached.get(to).is_some_and(|all| all.contains(from));
        reached[from].iter().filter(back).cloned().collect::<BTreeSet<String>>()
    };
    arrows.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

fn reached(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        for to in arrows.get(next).into_iter().flatten() {
            if all.insert(to.clone()) {
                open.push(to);
            }
        }
    }
    all
}

#[test]
fn a_circle_is_found_and_a_line_is_not() {
    let arrows = |pairs: &[(&str, &str)]| {
        let mut arrows = Arrows::new();
        for (from, to) in pairs {
            arrows.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        arrows
    };
    assert!(circles(&arrows(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    let found = circles(&arrows(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]));
    assert_eq!(found, [["b", "c"].map(str::to_owned).into()].into());
}
