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

// === impl Findings ===

impl Findings {
    /// What an operator can do about the forms that are refused.
    #[must_use]
    pub fn remedies(&self) -> Vec<&'static str> {
        let refused = |form| self.refusals.iter().any(|refusal| refusal.form == form);
        let mut remedies = Vec::new();
        if self.landlock == 0 {
            remedies.push("boot a kernel of 5.13 or later with landlock among its security modules (lsm=landlock,…)");
        }
        if refused(Form::Uid) && refused(Form::UidAlone) {
            remedies.push(
                "give a range of unused user ids with --uid-range FIRST-LAST, like 200000-265535",
            );
        } else if refused(Form::Uid) {
            remedies.push("let root make namespaces (CAP_SYS_ADMIN, and a /proc that is not masked) for the higher walls");
        }
        if refused(Form::Namespaces) {
            remedies.push("allow user namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp profile that allows unshare and mount, and an unmasked /proc)");
            remedies.push("or run as root");
        }
        if self.strict().is_none() && self.possible.contains(&Form::Basic) {
            remedies.push("or accept what --isolation basic leaves open");
        }
        remedies
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_landlock_has_a_remedy_of_its_own() {
        let on =
            |landlock| Findings { possible: vec![Form::Basic], refusals: Vec::new(), landlock };
        assert_eq!(on(0).remedies().len(), 2);
        assert_eq!(on(1).remedies().len(), 1);
    }
}
