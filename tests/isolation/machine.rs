//! What this machine permits, found out by its own tools: nothing of mcpwrap is asked, so that walls which cannot be built
//! are not taken for walls which cannot be had.

use std::process::{Command, Stdio};

use crate::users::Kind;

/// Makes what the walls are made of, and a `/proc` in it.
const UNSHARE: &[&str] = &["--mount", "--pid", "--ipc", "--fork", "--mount-proc"];
/// The version of Landlock; the number of the call is the same on every processor (Landlock, userspace API).
const LANDLOCK: &str = "my $v = syscall(444, 0, 0, 1); exit($v < 1)";

/// Whether walls of this kind can be built by whoever runs the test.
pub(crate) fn permits(kind: Kind) -> bool {
    let namespaces = |more: &[&str]| succeeds("unshare", &[UNSHARE, more, &["true"]].concat());
    let landlock = || succeeds("perl", &["-e", LANDLOCK]);
    match kind {
        Kind::Uid => landlock() && namespaces(&[]),
        Kind::Namespaces => landlock() && namespaces(&["--user", "--map-current-user"]),
        Kind::UidAlone | Kind::Basic => landlock(),
        Kind::None => true,
    }
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut tool = Command::new(program);
    let status = tool.args(args).stdin(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap_or_else(|error| panic!("{program} is needed: {error}")).success()
}
