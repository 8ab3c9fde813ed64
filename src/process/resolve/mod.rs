//! What a command really runs: `npx` and `uvx` are resolved once, at start-up, so that no child ever downloads anything.
//!
//! The installer runs behind walls of its own, with a cleared environment and no credential; what it leaves is made
//! read-only. Every other program is looked up in `PATH` once. Knows no users.

mod frozen;
mod install;
mod options;
mod survivors;
mod tree;
mod words;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::walls::Identity;
use super::{Exit, Spawner, home};

pub use options::Installer;
pub use words::Package;

/// A command without anything left to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments, as they were given but for what was resolved.
    pub args: Vec<OsString>,
    /// What it reads beside the system, for [`Paths::for_home`](super::walls::Paths::for_home).
    pub trees: Vec<PathBuf>,
}

/// Why a command could not be resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to run.
    #[error("the command is empty")]
    Empty,
    /// No such program.
    #[error("the program {program:?} is neither a path nor in PATH")]
    NotFound {
        /// As given.
        program: OsString,
    },
    /// An option of `npx` or `uvx` that we do not know, so that we cannot know what it would run.
    #[error("the option {option:?} of {installer} is not understood")]
    Option {
        /// Which program.
        installer: &'static str,
        /// The option.
        option: OsString,
    },
    /// No package is named.
    #[error("{installer} names no package")]
    NoPackage {
        /// Which program.
        installer: &'static str,
    },
    /// The state directory could not be used.
    #[error("{path} cannot be prepared for an installation")]
    Directory {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The installer's own home could not be prepared.
    #[error("the home of the installer cannot be prepared")]
    Home {
        /// Why not.
        #[source]
        source: home::Error,
    },
    /// The installer could not be started.
    #[error("the installation of {package} cannot be started")]
    Start {
        /// What was to be installed.
        package: String,
        /// Why not.
        #[source]
        source: super::Error,
    },
    /// The installer failed.
    #[error("the installation of {package} {exit}: {said}")]
    Install {
        /// What was to be installed.
        package: String,
        /// How it ended.
        exit: Exit,
        /// The last it said.
        said: String,
    },
    /// It is there, and does not run where it is to run.
    #[error("{installer} does not run behind the walls ({tried})")]
    Installer {
        /// Which.
        installer: &'static str,
        /// Each that is in `PATH`, and what it said.
        tried: String,
    },
    /// It left processes behind that cannot be ended, and that could change what is installed.
    #[error("the installation of {package} left {count} processes that cannot be ended")]
    Survivors {
        /// What was to be installed.
        package: String,
        /// How many.
        count: usize,
    },
    /// It took too long.
    #[error("the installation of {package} did not end within {within:?}")]
    Deadline {
        /// What was to be installed.
        package: String,
        /// The deadline.
        within: Duration,
    },
    /// It is installed, and would have every child see what is no part of it.
    #[error(
        "the installation of {package} leads to {path}, which belongs neither to it nor to an interpreter in PATH"
    )]
    Elsewhere {
        /// What was installed.
        package: String,
        /// What it leads to.
        path: PathBuf,
    },
    /// It is installed, but has no such program.
    #[error("{package} has no program {program:?}; it has {found:?}")]
    NoProgram {
        /// What was installed.
        package: String,
        /// What was looked for.
        program: String,
        /// What is there.
        found: Vec<String>,
    },
}

/// Resolves a command; `identity` is what an installer runs as, [`Walls::Basic`](super::walls::Walls::Basic) without;
/// `hidden` is what it may not see.
///
/// # Errors
///
/// If there is no such program, or its package cannot be installed.
pub async fn program(
    spawner: &Spawner,
    argv: &[OsString],
    state_dir: &Path,
    identity: Option<Identity>,
    hidden: &[PathBuf],
) -> Result<Resolved, Error> {
    let (name, args) = argv.split_first().ok_or(Error::Empty)?;
    if let Some(package) = words::package(argv)? {
        return install::install(spawner, &package, state_dir, identity, hidden).await;
    }
    let program = look_up(name)?;
    let args: Vec<OsString> = absolute_script(&program, args);
    let mut trees = tree::of_program(&program);
    trees.extend(tree::of_arguments(&args, state_dir));
    Ok(Resolved { program, args, trees: tree::fewest(trees) })
}

/// What the program of `npx` or `uvx` is called, a version included; nothing for a command of another kind.
#[must_use]
pub fn installed_name(argv: &[OsString]) -> Option<String> {
    words::name(argv)
}

/// A path, or a name that is looked up in our own `PATH`, which is also the child's.
fn look_up(name: &OsStr) -> Result<PathBuf, Error> {
    let missing = || Error::NotFound { program: name.to_owned() };
    let path = Path::new(name);
    if name.as_encoded_bytes().contains(&b'/') {
        let absolute = std::path::absolute(path).map_err(|_| missing())?;
        return if absolute.is_file() { Ok(absolute) } else { Err(missing()) };
    }
    tree::in_path(name).ok_or_else(missing)
}

/// An interpreter's script, named from here, is not there where the child starts.
fn absolute_script(program: &Path, args: &[OsString]) -> Vec<OsString> {
    let mut args = args.to_vec();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
    if ["node", "python", "deno", "bun", "ruby", "perl", "sh", "bash"].contains(&stem) {
        let options =
            args.iter().take_while(|arg| arg.as_encoded_bytes().starts_with(b"-")).count();
        if let Some(script) = args.get_mut(options).filter(|script| Path::new(script).is_file())
            && let Ok(path) = std::path::absolute(&*script)
        {
            *script = path.into_os_string();
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_or_named() {
        assert!(look_up(OsStr::new("sh")).unwrap().is_absolute());
        assert!(matches!(look_up(OsStr::new("no-such-program")), Err(Error::NotFound { .. })));
        assert!(matches!(look_up(OsStr::new("./nowhere")), Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_script_is_named_from_the_root() {
        let args: Vec<OsString> = ["-u", "Cargo.toml", "Cargo.toml"].map(OsString::from).into();
        let absolute = absolute_script(Path::new("/usr/bin/python3.12"), &args);
        assert!(Path::new(&absolute[1]).is_absolute());
        assert_eq!(absolute[2], "Cargo.toml");
        assert_eq!(absolute_script(Path::new("/usr/bin/cat"), &args), args);
    }
}
