//! The modules of the crate: which file defines what a path names.

use std::collections::HashMap;

use crate::paths::Paths;
use crate::source::{Source, sources};

/// Re-exports that lead on and on lead nowhere.
const MOST_STEPS: usize = 8;

/// All files of `src` but those of tests.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    by_module: HashMap<Vec<String>, usize>,
}

/// A file and what it names.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) module: Vec<String>,
    paths: Paths,
}

// === impl Tree ===

impl Tree {
    pub(crate) fn read() -> Self {
        let code = |source: &Source| Paths::read(&source.code().join("\n"));
        let files: Vec<File> = sources("src")
            .iter()
            .filter(|source| !source.is_test())
            .map(|source| File {
                path: source.path.clone(),
                module: source.module(),
                paths: code(source),
            })
            .collect();
        let by_module =
            files.iter().enumerate().map(|(at, file)| (file.module.clone(), at)).collect();
        Self { files, by_module }
    }

    /// What a file names of this crate, each from the root on.
    pub(crate) fn named(&self, file: &File) -> Vec<Vec<String>> {
        let imports = file.paths.imports.iter().map(|import| &import.path);
        imports.chain(&file.paths.named).filter_map(|path| self.absolute(file, path, 0)).collect()
    }

    /// The file that defines what a path from the root on names; none where that is a module or of another crate.
    pub(crate) fn definer(&self, path: &[String]) -> Option<&File> {
        self.definer_after(path, 0)
    }

    fn definer_after(&self, path: &[String], steps: usize) -> Option<&File> {
        let length = (0..=path.len()).rev().find(|to| self.by_module.contains_key(&path[..*to]))?;
        let file = &self.files[self.by_module[&path[..length]]];
        let (name, rest) = path[length..].split_first()?;
        let reexport = file.paths.imports.iter().find(|import| import.name == *name);
        match reexport.filter(|_| name != "*" && steps < MOST_STEPS) {
            Some(import) => {
                let mut path = self.absolute(file, &import.path, steps + 1)?;
                path.extend_from_slice(rest);
                self.definer_after(&path, steps + 1)
            }
            None => Some(file),
        }
    }

    /// A path as a file writes it, from the root on; none if it leads to another crate.
    fn absolute(&self, file: &File, path: &[String], steps: usize) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut base = file.module.clone();
        match first.as_str() {
            "crate" | "mcpwrap" => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
                while let Some(("super", more)) = rest.split_first().map(|(f, r)| (f.as_str(), r)) {
                    base.pop();
                    rest = more;
                }
            }
            name => {
                let import = file.paths.imports.iter().find(|import| import.name == name);
                match import {
                    // A name that is imported under itself is that of another crate.
                    Some(import) if import.path != path && steps < MOST_STEPS => {
                        base = self.absolute(file, &import.path, steps + 1)?;
                    }
                    _ => {
                        base.push(name.to_owned());
                        self.by_module.get(&base)?;
                    }
                }
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

// === impl File ===

impl File {
    /// The top module that it belongs to; `main` and nothing for the two roots.
    pub(crate) fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}
