//! Which walls the isolated children get on this machine, and what those leave open.

use std::path::PathBuf;

use super::run::Error;
use super::{hidden, shown};
use crate::config::{IsolationLevel, Serve};
use crate::problem::{Problem, chain};
use crate::process::resolve::{self, Resolved};
use crate::process::walls::{Form, Hidden, Identity, Paths};
use crate::process::{Spawner, probe, uids::Uids};

/// What was found possible and is used.
pub(super) struct Chosen {
    pub(super) form: Form,
    pub(super) uids: Option<Uids>,
    /// The program, and what of the file system it needs beside the system.
    pub(super) command: Resolved,
    /// What every child sees of the file system, and what none does.
    pub(super) shown: Paths,
    /// What the operator should know: what stays open, and what a child would not find.
    pub(super) cautions: Vec<String>,
}

/// Tries what the machine permits; where the wanted level is not possible, says what would help.
pub(super) async fn choose(
    config: &Serve,
    spawner: &Spawner,
    problems: &mut Vec<Problem>,
) -> Result<Chosen, Error> {
    let (range, named) = match config.isolation.uids {
        Some(range) => (Some(range.first..=range.last), None),
        None => {
            let range = Uids::default_range(&config.state_dir);
            let named = range.as_ref().map(|range| {
                let (first, last) = (range.start(), range.end());
                format!("children get the user ids {first} to {last}, which nobody has here (--uid-range {first}-{last})")
            });
            (range, named)
        }
    };
    let findings = probe(spawner, range.as_ref().map(|range| *range.start())).await;
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
    let uids = match range.filter(|_| own_ids) {
        None => None,
        Some(range) => {
            std::fs::create_dir_all(&config.state_dir)
                .map_err(|cause| Error::StateDir { path: config.state_dir.clone(), cause })?;
            match Uids::open(&config.state_dir, range) {
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
    let identity = stranger(form, uids.as_ref())?;
    let secrets = hidden::of(config, |name| std::env::var(name).ok());
    let before = problems.len();
    let command = resolve(config, spawner, identity, &secrets, problems).await;
    let shown = shown::paths(config, &command, &secrets, form, problems);
    let open = findings.open(form).into_iter().map(str::to_owned);
    let mut cautions: Vec<String> = named.filter(|_| own_ids).into_iter().chain(open).collect();
    if problems.len() == before {
        let found = shown::look(config, spawner, &command, &shown, identity, problems).await;
        cautions.extend(found);
    }
    Ok(Chosen { form, uids, command, shown, cautions })
}

/// Somebody who is none of the users, and sees no more than they do.
fn stranger(form: Form, uids: Option<&Uids>) -> Result<Option<Identity>, Error> {
    Ok(match (form, uids) {
        (Form::Namespaces, _) => Some(Identity::Namespaces),
        (Form::Uid | Form::UidAlone, Some(uids)) => {
            let uid = uids.allocate("installer").map_err(|cause| Error::Uid { cause })?;
            Some(match form {
                Form::Uid => Identity::Uid { uid, gid: uid },
                _ => Identity::UidAlone { uid, gid: uid },
            })
        }
        _ => None,
    })
}

/// What the command really runs; an installer such as `npx` runs now, behind walls and without a credential.
async fn resolve(
    config: &Serve,
    spawner: &Spawner,
    identity: Option<Identity>,
    secrets: &[Hidden],
    problems: &mut Vec<Problem>,
) -> Resolved {
    let (argv, state_dir) = (&config.child.argv, &config.state_dir);
    let hidden: Vec<PathBuf> = secrets.iter().map(Hidden::place).collect();
    match resolve::program(spawner, argv, state_dir, identity, &hidden).await {
        Ok(resolved) => resolved,
        Err(error) => {
            problems.push(Problem::new(
                "command",
                chain(&error),
                "name a program that is installed, or a package that npx or uvx can fetch",
            ));
            Resolved { program: PathBuf::new(), args: Vec::new(), trees: Vec::new() }
        }
    }
}
