//! Which files belong to a program: the smallest directory around it that makes a whole, its interpreter's included.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What every child may read anyway.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store", "/gnu/store"];
/// Where each directory is one package, whatever its parts are called (FHS 3.0, 3.13).
const PACKAGES: &str = "/opt";
/// A script's interpreter may be a script, but not for ever.
const DEPTH: usize = 4;
/// The kernel reads no more of a first line.
const FIRST_LINE: u64 = 256;
/// What stands at the root of a whole.
const MARKS: &[&str] = &["package.json", "pyproject.toml", "pyvenv.cfg", "deno.json", "Gemfile"];
/// What runs the programs of packages, beside every version of Python.
const INTERPRETERS: &[&str] = &["node", "nodejs", "npm", "deno", "bun", "uv"];
/// No file that describes an environment of Python is as long.
const LONGEST: u64 = 64 * 1024;
/// How far up the root of a whole is looked for.
const HEIGHT: usize = 6;
/// What a program finds beside the directory that it lies in.
const LIBRARIES: &[&str] = &["lib", "lib64", "libexec"];

/// The first executable file of this name in `PATH`.
pub(super) fn in_path(name: &OsStr) -> Option<PathBuf> {
    let dirs = std::env::var_os("PATH")?;
    all_in(&dirs, name).next()
}

/// Every executable file of this name that `PATH` leads to, the real ones behind a shim of pyenv included: the shim
/// itself looks around in its owner's home, which nobody sees from behind walls.
pub(super) fn all_in_path(name: &OsStr) -> Vec<PathBuf> {
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    all_in(&dirs, name).flat_map(|path| [behind_shim(&path, name), vec![path]].concat()).collect()
}

fn all_in(dirs: &OsStr, name: &OsStr) -> impl Iterator<Item = PathBuf> {
    let dirs: Vec<PathBuf> = std::env::split_paths(dirs).filter(|dir| dir.is_absolute()).collect();
    let name = name.to_owned();
    dirs.into_iter().map(move |dir| dir.join(&name)).filter(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// `ROOT/shims/NAME` stands for one of `ROOT/versions/VERSION/bin/NAME`; the last version first.
fn behind_shim(path: &Path, name: &OsStr) -> Vec<PathBuf> {
    let Some(dir) = path.parent().filter(|dir| dir.ends_with("shims")) else {
        return Vec::new();
    };
    let versions =
        std::fs::read_dir(dir.with_file_name("versions")).into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin").join(name));
    let mut found: Vec<PathBuf> = programs.filter(|path| is_program(path)).collect();
    found.sort();
    found.reverse();
    found
}

/// What a program reads beside the system.
pub(super) fn of_program(program: &Path) -> Vec<PathBuf> {
    let mut trees = Vec::new();
    let mut next = Some(program.to_owned());
    for _ in 0..DEPTH {
        let Some(path) = next else { break };
        // A link counts where it is and where it leads: a virtual environment finds itself by the former.
        for place in [
            Some(path.clone()),
            path.read_link().ok().and_then(|link| real_parent(&path, &link)),
            path.canonicalize().ok(),
        ] {
            trees.extend(place.as_deref().map(around).unwrap_or_default());
        }
        next = interpreter(&path);
    }
    let bases: Vec<PathBuf> = trees.iter().flat_map(|tree| base_of_environment(tree)).collect();
    trees.extend(bases);
    fewest(trees)
}

/// What an installed program reads beside the system: its own tree and what the interpreters in `PATH` read. Whoever wrote
/// the tree also wrote what leads on from it.
///
/// # Errors
///
/// If it leads anywhere else: there.
pub(super) fn of_installed(program: &Path, tree: &Path) -> Result<Vec<PathBuf>, PathBuf> {
    let known: Vec<PathBuf> = interpreters().iter().flat_map(|path| of_program(path)).collect();
    let mut trees = of_program(program);
    let may = |found: &PathBuf| {
        // What lies in the tree is shown as a part of it, wherever its links lead.
        let real = || found.canonicalize().unwrap_or_else(|_| found.clone());
        found.starts_with(tree) || known.iter().any(|known| real().starts_with(known))
    };
    if let Some(elsewhere) = trees.iter().find(|found| !may(found)) {
        return Err(elsewhere.clone());
    }
    trees.push(tree.to_owned());
    Ok(trees)
}

/// Those of `PATH` that packages are made for.
fn interpreters() -> Vec<PathBuf> {
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let entries = std::env::split_paths(&dirs).filter_map(|dir| dir.read_dir().ok()).flatten();
    let names: BTreeSet<OsString> = entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"python") || INTERPRETERS.iter().any(|one| one.as_bytes() == name)
        })
        .collect();
    names.iter().flat_map(|name| all_in_path(name)).collect()
}

/// Without those that lie in others.
pub(super) fn fewest(mut trees: Vec<PathBuf>) -> Vec<PathBuf> {
    trees.sort();
    trees.dedup_by(|inner, outer| inner.starts_with(&*outer));
    trees
}

/// The files and directories that arguments name, with what belongs to them.
pub(super) fn of_arguments(args: &[OsString], state_dir: &Path) -> Vec<PathBuf> {
    let named = args.iter().filter_map(|arg| {
        let text = arg.to_str()?;
        let path = Path::new(text.split_once('=').map_or(text, |(_, value)| value));
        (path.is_absolute() && path.exists()).then(|| path.to_owned())
    });
    let trees = named.flat_map(|path| {
        if path.is_dir() { outside(&path).into_iter().collect() } else { around(&path) }
    });
    trees.filter(|tree| !state_dir.starts_with(tree)).collect()
}

/// The whole that a file belongs to: at least the file itself, never a directory of the top or a home.
fn around(file: &Path) -> Vec<PathBuf> {
    if outside(file).is_none() {
        return Vec::new();
    }
    // A package of npm finds what it needs beside itself, in any `node_modules` above it.
    let modules = file.ancestors().filter(|dir| dir.ends_with("node_modules"));
    if let Some(whole) = modules.last().filter(|dir| allowed(dir)) {
        return vec![whole.to_owned()];
    }
    if let Some(package) = file.ancestors().find(|dir| dir.parent() == Some(Path::new(PACKAGES))) {
        return vec![package.to_owned()];
    }
    let marked = |dir: &&Path| allowed(dir) && MARKS.iter().any(|mark| dir.join(mark).is_file());
    if let Some(whole) = file.ancestors().skip(1).take(HEIGHT).find(marked) {
        return vec![whole.to_owned()];
    }
    let Some(dir) = file.parent().filter(|dir| allowed(dir)) else {
        return vec![file.to_owned()];
    };
    let mut whole = vec![dir.to_owned()];
    // Not all that is beside a `bin`: beside `~/.local/bin` are keyrings, beside `~/.cargo/bin` tokens.
    if matches!(dir.file_name().and_then(OsStr::to_str), Some("bin" | "sbin")) {
        let beside = LIBRARIES.iter().map(|name| dir.with_file_name(name));
        whole.extend(beside.filter(|dir| dir.is_dir()));
    }
    whole
}

/// Not what everybody reads anyway.
fn outside(path: &Path) -> Option<PathBuf> {
    let system = SYSTEM.iter().any(|system| path.starts_with(system));
    (!system).then(|| path.to_owned())
}

/// Small enough to be somebody's program: not the root, not its directories, not a home.
fn allowed(dir: &Path) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let depth = dir.components().count();
    let own = home.is_some_and(|home| home.starts_with(dir));
    let homes = dir.parent() == Some(Path::new("/home"));
    depth > 2 && !own && !homes
}

fn real_parent(path: &Path, link: &Path) -> Option<PathBuf> {
    path.parent().map(|dir| dir.join(link))
}

/// What the first line of a script names.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    let program = words.next()?;
    if program.ends_with("/env") {
        let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        return in_path(OsStr::new(name));
    }
    Some(program.into())
}

/// A virtual environment borrows the rest of Python from where it was made.
fn base_of_environment(tree: &Path) -> Vec<PathBuf> {
    let file = tree.join("pyvenv.cfg");
    // A link of a package may lead to a device without an end.
    let read = || io::read_to_string(File::open(&file)?.take(LONGEST));
    let text = if file.is_file() { read().unwrap_or_default() } else { String::new() };
    let mut lines = text.lines();
    let home = lines.find_map(|line| line.strip_prefix("home")?.trim().strip_prefix('='));
    home.map(|home| around(&Path::new(home.trim()).join("python"))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
