//! The wrapped server of the tests: `tests/fixtures/child`, an example of this package.

use std::path::PathBuf;

/// The program, which must be as new as its source.
pub(crate) fn child_program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join("examples/fixture-child");
    // `cargo test` builds it, `cargo test --test it` does not.
    let built = path.metadata().and_then(|of| of.modified());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/child");
    let written = std::fs::read_dir(source).unwrap();
    let written = written.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok()).max();
    let fresh = built.is_ok_and(|built| written.is_none_or(|written| written <= built));
    assert!(fresh, "{path:?} is missing or old: cargo build --example fixture-child");
    path
}
