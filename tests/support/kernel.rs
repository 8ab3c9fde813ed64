//! What this machine permits, found out by its own tools: nothing of mcpwrap is asked, so that walls which cannot be built
//! are not taken for walls which cannot be had.

use std::process::{Command, Stdio};

/// Makes what the walls are made of, and a `/proc` in it.
const UNSHARE: &[&str] = &["--mount", "--pid", "--ipc", "--fork", "--mount-proc"];
/// The version of Landlock; the number of the call is the same on every processor (Landlock, userspace API).
const LANDLOCK: &str = "my $v = syscall(444, 0, 0, 1); exit($v < 1)";

pub(crate) fn has_landlock() -> bool {
    succeeds("perl", &["-e", LANDLOCK])
}

/// Whether whoever runs the test can have namespaces of his own, as root or by a user namespace.
pub(crate) fn has_namespaces(root: bool) -> bool {
    let more: &[&str] = if root { &[] } else { &["--user", "--map-current-user"] };
    succeeds("unshare", &[UNSHARE, more, &["true"]].concat())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut tool = Command::new(program);
    let status = tool.args(args).stdin(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap_or_else(|error| panic!("{program} is needed: {error}")).success()
}
