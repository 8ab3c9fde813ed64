//! Two users with their homes, and children of theirs behind walls.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mcpwrap::process::home::{self, Home, Whose};
use mcpwrap::process::walls::{Form, Identity, Paths, Walls};
use mcpwrap::process::{ChildCommand, environment, probe};
use nix::unistd::geteuid;

use crate::children::{output, spawner};
use crate::machine;
use crate::scratch::Scratch;
pub(crate) use crate::skipped::notice;

/// Somebody who owns nothing.
pub(crate) const ORDINARY: u32 = 65_534;
/// Set in a run of this binary for one test.
const ALONE: &str = "ISOLATION_ALONE";
/// A group for a child to lose.
pub(crate) const GROUP: &str = "54321";

/// A state directory that goes with its test.
pub(crate) struct State {
    pub(crate) path: PathBuf,
    scratch: Arc<Scratch>,
    /// What is shown to every child, beside the state directory.
    beside: Arc<Scratch>,
    /// No two tests share a user id, or their children could meet.
    first_uid: u32,
}

/// One user of a state directory.
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) home: Home,
    pub(crate) walls: Walls,
}

/// The kinds of walls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Uid,
    UidAlone,
    Namespaces,
    Basic,
    None,
}

// === impl State ===

impl State {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let scratch = Arc::new(Scratch::new());
        let path = scratch.to_path_buf();
        let beside = Arc::new(Scratch::new());
        Self { path, scratch, beside, first_uid: 200_000 + number * 10 }
    }

    /// A state directory inside this one.
    pub(crate) fn within(&self, name: &str) -> Self {
        let scratch = Arc::clone(&self.scratch);
        let beside = Arc::clone(&self.beside);
        Self { path: self.path.join(name), scratch, beside, first_uid: self.first_uid }
    }

    /// A directory that is shown to every child, with a file in it, and whose permissions let everybody write.
    pub(crate) fn tree(&self) -> PathBuf {
        let tree = self.beside.join("tree");
        if !tree.exists() {
            fs::create_dir(&tree).unwrap();
            fs::write(tree.join("file"), "text").unwrap();
            for path in [tree.clone(), tree.join("file")] {
                fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
            }
        }
        tree
    }

    pub(crate) fn user(&self, name: &'static str, nth: u32, kind: Kind) -> User {
        let uid = self.first_uid + nth;
        let identity = match kind {
            Kind::Uid => Some(Identity::Uid { uid, gid: uid }),
            Kind::UidAlone => Some(Identity::UidAlone { uid, gid: uid }),
            Kind::Namespaces => Some(Identity::Namespaces),
            Kind::Basic | Kind::None => None,
        };
        let whose = Whose { user: name, tenant: None, authority: None };
        let home = home::prepare(&self.path, whose, identity.and_then(Identity::ids)).unwrap();
        let own = std::env::current_exe().unwrap();
        let paths = Paths::for_home(&home, &[own.parent().unwrap().to_owned(), self.tree()]);
        let walls = match (identity, kind) {
            (Some(identity), _) => Walls::Strict { identity, paths },
            (None, Kind::Basic) => Walls::Basic { paths },
            (None, _) => Walls::None,
        };
        User { name, home, walls }
    }
}

// === impl User ===

impl User {
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> ChildCommand {
        ChildCommand {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            env: environment::isolated(&self.home, self.name, None),
            cwd: None,
            name: self.name.into(),
            walls: self.walls.clone(),
        }
    }

    pub(crate) async fn says(&self, script: &str) -> String {
        output(self.command("/bin/sh", &["-c", script])).await
    }
}

/// Whether this machine permits this kind of walls; a refusal is said, never passed over. What it permits must be found
/// possible by mcpwrap too.
pub(crate) async fn permitted(kind: Kind) -> bool {
    let form = match kind {
        Kind::Uid => Form::Uid,
        Kind::UidAlone => Form::UidAlone,
        Kind::Namespaces => Form::Namespaces,
        Kind::Basic => Form::Basic,
        Kind::None => return true,
    };
    if !machine::permits(kind) {
        notice(&format!("this machine does not permit {kind:?}"));
        return false;
    }
    let findings = probe(&spawner(), Some(200_000)).await;
    assert!(findings.possible.contains(&form), "{kind:?} can be had here: {findings:#?}");
    true
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether this run can do what only root can; that it cannot is said.
pub(crate) fn as_root() -> bool {
    if !is_root() {
        notice("this needs root");
    }
    is_root()
}

/// Runs a test of this binary once more as somebody who is not root, and tells whether this is that run.
pub(crate) fn as_ordinary(test: &str) -> bool {
    if !is_root() {
        return true;
    }
    let mut again = again(test);
    // Nothing of root's may be needed, and what must not pass to children is there to be passed.
    again.env("HOME", "/nonexistent").env("SECRET_TOKEN", "hunter2").current_dir("/");
    passed(again.uid(ORDINARY).gid(ORDINARY), &format!("as uid {ORDINARY}"));
    false
}

/// Runs a test of this binary once more in a process of its own, and tells whether this is that run: who loses a
/// supervisor kills every child that he does not know, and so would kill what other tests have started.
pub(crate) fn alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    passed(again(test).env(ALONE, "1"), "alone");
    false
}

/// Runs a test of this binary once more as root with a group more than root needs, and tells whether this is that run.
pub(crate) fn with_a_group(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let again = again(test);
    let mut grouped = std::process::Command::new("setpriv");
    grouped.args(["--groups", GROUP]).arg(again.get_program()).args(again.get_args());
    passed(grouped.env(ALONE, "1"), "with a group");
    false
}

pub(crate) fn again(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// The run succeeds, and there was a test of that name in it.
fn passed(run: &mut std::process::Command, how: &str) {
    let output = run.stderr(std::process::Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{how}: {}\n{said}", output.status);
    assert!(said.contains("ok. 1 passed"), "{how}: there is no such test\n{said}");
}
