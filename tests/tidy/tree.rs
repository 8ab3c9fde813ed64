//! The modules of the crate: which file defines what a path names.

use std::collections::HashMap;

use crate::paths::Paths;
use crate::source::{Source, sources};

/// A module that is declared inside another one, and the folder it has beside it all the same.
const PRIVATE: (&[&str], &str) = (&["gate", "bridge"], "bridge");
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
        let paths = imports.chain(&file.paths.named);
        paths.filter_map(|path| self.absolute(file, path, 0)).map(by_its_folder).collect()
    }

    /// The file that defines what a path from the root on names; none where that is a module or of another crate.
    pub(crate) fn definer(&self, path: &[String]) -> Option<&File> {
        self.definer_after(path, 0)
    }

    fn definer_after(&self, path: &[String], steps: usize) -> Option<&File> {
        let path = &by_its_folder(path.to_vec());
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
                        base = by_its_folder(base);
                        self.by_module.get(&base)?;
                    }
                }
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

/// A path into the private module, by the folder that its files are in.
fn by_its_folder(path: Vec<String>) -> Vec<String> {
    let (declared, folder) = PRIVATE;
    match path.iter().map(String::as_str).collect::<Vec<_>>().strip_prefix(declared) {
        Some(rest) => {
            std::iter::once(folder).chain(rest.iter().copied()).map(str::to_owned).collect()
        }
        None => path,
    }
}

// === impl File ===

impl File {
    /// The top module that it belongs to; `main` and nothing for the two roots.
    pub(crate) fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}
