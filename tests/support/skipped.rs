//! What a test says that leaves something out.

use std::io::Write as _;

/// Says that something was left out. Not caught by the test harness, so that it is seen even if everything passes.
pub(crate) fn notice(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
