//! Which walls this machine permits: found out by building them around a program that does not exist.

use nix::unistd::geteuid;

use super::{Spawner, walls};
use crate::process::walls::{Findings, Form, Identity, Paths, Refusal, Walls};
use crate::process::{ChildCommand, Environment, Error, ExecFailure};

/// Not there, whatever the machine: whoever says so stood behind complete walls.
const NOWHERE: &str = "/mcpwrap-probe/nowhere";

/// Tries every kind of walls; `uid` is any one of the range, where there is a range.
pub async fn probe(spawner: &Spawner, uid: Option<u32>) -> Findings {
    let root = geteuid().is_root();
    let forms: &[Form] = if root {
        &[Form::Uid, Form::UidAlone, Form::Basic]
    } else {
        &[Form::Namespaces, Form::Basic]
    };
    let mut findings =
        Findings { possible: Vec::new(), refusals: Vec::new(), landlock: walls::abi() };
    for form in forms.iter().copied() {
        let paths = Paths::system();
        let walls = match (form, uid) {
            (Form::Basic, _) => Some(Walls::Basic { paths }),
            (_, None) if root => None,
            (form, uid) => form
                .identity(uid.unwrap_or_default())
                .map(|identity| Walls::Strict { identity, paths }),
        };
        let result = match walls {
            Some(walls) => attempt(spawner, walls).await,
            None => Err("there is no range of user ids".to_owned()),
        };
        match result {
            Ok(()) => findings.possible.push(form),
            Err(reason) => findings.refusals.push(Refusal { form, reason }),
        }
    }
    findings
}

async fn attempt(spawner: &Spawner, walls: Walls) -> Result<(), String> {
    let command = ChildCommand {
        program: NOWHERE.into(),
        args: Vec::new(),
        env: Environment::cleared(),
        cwd: Some("/".into()),
        name: "probe".into(),
        walls,
    };
    match spawner.spawn(command).await {
        Err(Error::Exec { source: ExecFailure::NotFound, .. }) => Ok(()),
        Err(Error::Exec { source, .. }) => Err(source.to_string()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("a program that does not exist has run".to_owned()),
    }
}

// === impl Form ===

impl Form {
    fn identity(self, id: u32) -> Option<Identity> {
        match self {
            Self::Uid => Some(Identity::Uid { uid: id, gid: id }),
            Self::UidAlone => Some(Identity::UidAlone { uid: id, gid: id }),
            Self::Namespaces => Some(Identity::Namespaces),
            Self::Basic => None,
        }
    }
}
