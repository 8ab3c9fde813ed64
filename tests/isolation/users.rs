//! Two users with their homes, and children of theirs behind walls.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mcpwrap::process::home::{self, Home, Whose};
use mcpwrap::process::walls::{Form, Identity, Paths, Walls};
use mcpwrap::process::{ChildCommand, environment, probe};
use nix::unistd::geteuid;

use crate::children::{output, spawner};
use crate::scratch::Scratch;

/// Somebody who owns nothing.
pub(crate) const ORDINARY: u32 = 65_534;
/// Set in a run of this binary for one test.
const ALONE: &str = "ISOLATION_ALONE";

/// A state directory that goes with its test.
pub(crate) struct State {
    pub(crate) path: PathBuf,
    scratch: Arc<Scratch>,
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
        Self { path, scratch, first_uid: 200_000 + number * 10 }
    }

    /// A state directory inside this one.
    pub(crate) fn within(&self, name: &str) -> Self {
        let scratch = Arc::clone(&self.scratch);
        Self { path: self.path.join(name), scratch, first_uid: self.first_uid }
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
        let paths = Paths::for_home(&home, &[own.parent().unwrap().to_owned()]);
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

/// Whether the kernel permits this kind of walls; a refusal is said, never passed over.
pub(crate) async fn permitted(kind: Kind) -> bool {
    let form = match kind {
        Kind::Uid => Form::Uid,
        Kind::UidAlone => Form::UidAlone,
        Kind::Namespaces => Form::Namespaces,
        Kind::Basic => Form::Basic,
        Kind::None => return true,
    };
    let findings = probe(&spawner(), Some(200_000)).await;
    if let Some(refusal) = findings.refusals.into_iter().find(|refusal| refusal.form == form) {
        notice(&format!("{kind:?} is refused here: {}", refusal.reason));
        return false;
    }
    true
}

/// Says that something was left out. Not caught by the test harness, so that it is seen even if everything passes.
pub(crate) fn notice(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Runs a test of this binary once more as somebody who is not root, and tells whether this is that run.
pub(crate) fn as_ordinary(test: &str) -> bool {
    if !is_root() {
        return true;
    }
    let mut again = again(test);
    // Nothing of root's may be needed, and what must not pass to children is there to be passed.
    again.env("HOME", "/nonexistent").env("SECRET_TOKEN", "hunter2").current_dir("/");
    let status = again.uid(ORDINARY).gid(ORDINARY).status().unwrap();
    assert!(status.success(), "as uid {ORDINARY}: {status}");
    false
}

/// Runs a test of this binary once more in a process of its own, and tells whether this is that run: who loses a
/// supervisor kills every child that he does not know, and so would kill what other tests have started.
pub(crate) fn alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let status = again(test).env(ALONE, "1").status().unwrap();
    assert!(status.success(), "alone: {status}");
    false
}

pub(crate) fn again(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
}
