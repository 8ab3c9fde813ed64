//! Which walls the children of strangers get on this machine, and what those leave open.

use std::path::{Path, PathBuf};

use super::run::{Error, Fault, chain};
use crate::config::{IsolationLevel, Serve};
use crate::process::walls::Form;
use crate::process::{Spawner, probe, uids::Uids};

/// What was found possible and is used.
pub(super) struct Chosen {
    pub(super) form: Form,
    pub(super) uids: Option<Uids>,
    /// What of the file system the program needs beside the system.
    pub(super) trees: Vec<PathBuf>,
    /// What stays open, for the operator to know.
    pub(super) open: Vec<&'static str>,
}

/// Tries what the machine permits; where the wanted level is not possible, says what would help.
pub(super) async fn choose(
    config: &Serve,
    spawner: &Spawner,
    faults: &mut Vec<Fault>,
) -> Result<Chosen, Error> {
    let findings = probe(spawner, config.isolation.uids.map(|range| range.first)).await;
    let form = match config.isolation.level {
        IsolationLevel::Strict => findings.strict(),
        IsolationLevel::Basic => findings.possible.contains(&Form::Basic).then_some(Form::Basic),
    };
    let form = form.unwrap_or_else(|| {
        let reasons: Vec<String> = findings
            .refusals
            .iter()
            .map(|refusal| format!("{:?}: {}", refusal.form, refusal.reason))
            .collect();
        faults.push(Fault {
            option: "isolation".to_owned(),
            message: format!("the walls cannot be built on this machine ({})", reasons.join("; ")),
            hint: findings.remedies().join("; "),
        });
        Form::Basic
    });
    let own_ids = matches!(form, Form::Uid | Form::UidAlone);
    let uids = match config.isolation.uids.filter(|_| own_ids) {
        None => None,
        Some(range) => {
            std::fs::create_dir_all(&config.state_dir)
                .map_err(|cause| Error::StateDir { path: config.state_dir.clone(), cause })?;
            match Uids::open(&config.state_dir, range.first..=range.last) {
                Ok(uids) => Some(uids),
                Err(error) => {
                    faults.push(Fault {
                        option: "uid-range".to_owned(),
                        message: chain(&error),
                        hint: "choose a range of user ids that nobody has".to_owned(),
                    });
                    None
                }
            }
        }
    };
    Ok(Chosen { form, uids, trees: trees(config), open: findings.open(form) })
}

/// The directory of a program that lies outside the system's own directories, and the working directory.
fn trees(config: &Serve) -> Vec<PathBuf> {
    let mut trees = Vec::new();
    let program = config.child.argv.first().map(PathBuf::from).unwrap_or_default();
    let found = if program.components().count() > 1 {
        Some(program)
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(&program)).find(|file| file.is_file())
    };
    if let Some(file) = found {
        trees.extend(file.parent().map(Path::to_owned));
        if let Ok(real) = file.canonicalize() {
            trees.extend(real.parent().map(Path::to_owned));
        }
    }
    // A script that is named in the arguments has to be read, and what lies beside it.
    let scripts = config.child.argv.iter().skip(1).map(PathBuf::from);
    for file in scripts.filter(|path| path.is_absolute() && path.is_file()) {
        trees.extend(file.parent().map(Path::to_owned));
    }
    trees.extend(config.child.cwd.clone());
    trees.sort();
    trees.dedup();
    trees.retain(|tree| tree.parent().is_some());
    trees
}
