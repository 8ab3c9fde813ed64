//! The source files, as text: which lines are code, which are tests, which are comments.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file, its path from the root with slashes, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let mut all = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            // What the interop suites install and build is not ours.
            let name = path.file_name().unwrap().to_string_lossy();
            let installed = name.starts_with('.') || name == "node_modules" || name == "target";
            if !installed {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            all.push(Source { path, text });
        }
    }
    assert!(!all.is_empty(), "{folder} has no sources");
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

/// Every Rust file.
pub(crate) fn everything() -> Vec<Source> {
    ["src", "tests"].into_iter().flat_map(sources).collect()
}

// === impl Source ===

impl Source {
    pub(crate) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || name == "tests.rs"
            || name == "testing.rs"
            || name.ends_with("_tests.rs")
    }

    /// The lines that are code, without those of tests.
    pub(crate) fn code(&self) -> Vec<&str> {
        if self.is_test() {
            return Vec::new();
        }
        let code = self.text.lines().take(self.first_test());
        code.filter(|line| !line.trim_start().starts_with("//")).collect()
    }

    /// The line where the tests within the file begin.
    fn first_test(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let begins = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
        lines.windows(2).position(begins).unwrap_or(lines.len())
    }

    /// The lines of its tests.
    pub(crate) fn tests(&self) -> Vec<&str> {
        let code = if self.is_test() { 0 } else { self.first_test() };
        self.text.lines().skip(code).collect()
    }

    /// Its comments, those on lines that follow each other as one text.
    pub(crate) fn comments(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            let comment = line.trim_start().strip_prefix("//");
            if let Some(comment) = comment {
                let comment = comment.trim_start_matches(['/', '!']).trim();
                match all.last_mut().filter(|_| goes_on) {
                    Some(last) => *last = format!("{last} {comment}"),
                    None => all.push(comment.to_owned()),
                }
            }
            goes_on = comment.is_some();
        }
        all
    }

    /// The names of the modules on the way to it, from the root of the crate on.
    pub(crate) fn module(&self) -> Vec<String> {
        let rest = self.path.strip_prefix("src/").unwrap().trim_end_matches(".rs");
        let mut names: Vec<String> = rest.split('/').map(str::to_owned).collect();
        if names.last().is_some_and(|last| last == "mod" || last == "lib") {
            names.pop();
        }
        names
    }
}
