//! Which walls the isolated children get on this machine, and what those leave open.

use std::path::PathBuf;

use super::run::Error;
use crate::config::{IsolationLevel, Serve};
use crate::problem::{Problem, chain};
use crate::process::resolve::{self, Resolved};
use crate::process::walls::{Form, Identity};
use crate::process::{Spawner, probe, uids::Uids};

/// What was found possible and is used.
pub(super) struct Chosen {
    pub(super) form: Form,
    pub(super) uids: Option<Uids>,
    /// The program, and what of the file system it needs beside the system.
    pub(super) command: Resolved,
    /// What stays open, for the operator to know.
    pub(super) open: Vec<&'static str>,
}

/// Tries what the machine permits; where the wanted level is not possible, says what would help.
pub(super) async fn choose(
    config: &Serve,
    spawner: &Spawner,
    problems: &mut Vec<Problem>,
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
        problems.push(Problem::new(
            "isolation",
            format!("the walls cannot be built on this machine ({})", reasons.join("; ")),
            findings.remedies().join("; "),
        ));
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
                    problems.push(Problem::new(
                        "uid-range",
                        chain(&error),
                        "choose a range of user ids that nobody has",
                    ));
                    None
                }
            }
        }
    };
    let command = resolve(config, spawner, form, uids.as_ref(), problems).await?;
    Ok(Chosen { form, uids, command, open: findings.open(form) })
}

/// What the command really runs; an installer such as `npx` runs now, behind walls and without a credential.
async fn resolve(
    config: &Serve,
    spawner: &Spawner,
    form: Form,
    uids: Option<&Uids>,
    problems: &mut Vec<Problem>,
) -> Result<Resolved, Error> {
    let identity = match (form, uids) {
        (Form::Namespaces, _) => Some(Identity::Namespaces),
        (Form::Uid | Form::UidAlone, Some(uids)) => {
            let uid = uids.allocate("installer").map_err(|cause| Error::Uid { cause })?;
            Some(match form {
                Form::Uid => Identity::Uid { uid, gid: uid },
                _ => Identity::UidAlone { uid, gid: uid },
            })
        }
        _ => None,
    };
    match resolve::program(spawner, &config.child.argv, &config.state_dir, identity).await {
        Ok(resolved) => Ok(resolved),
        Err(error) => {
            problems.push(Problem::new(
                "command",
                chain(&error),
                "name a program that is installed, or a package that npx or uvx can fetch",
            ));
            Ok(Resolved { program: PathBuf::new(), args: Vec::new(), trees: Vec::new() })
        }
    }
}
