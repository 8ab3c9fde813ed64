//! One installation into a tree below the state directory, once for a command line, kept for later starts.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Error, Installer, Package, Resolved, frozen, survivors, tree};
use crate::hex;
use crate::process::home::{self, Home, Whose};
use crate::process::walls::{Identity, Paths, Walls};
use crate::process::{ChildCommand, Environment, Exit, Spawner, environment, removal};

/// Large packages over slow lines, compilers included.
const WITHIN: Duration = Duration::from_secs(600);
/// How much of what an installer says is kept for an error.
const SAID: usize = 2048;
/// Where installations are, beneath the state directory.
const PROGRAMS: &str = "programs";
/// Where an installation's program is noted, which also says that it is complete.
const NOTE: &str = "resolved.json";
/// Where to install from and how to get there; taken over unless there is a password in it.
const SOURCES: &[&str] = &[
    "NPM_CONFIG_REGISTRY",
    "npm_config_registry",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_PYTHON_INSTALL_MIRROR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What was found, for the next start.
#[derive(Serialize, Deserialize)]
struct Note {
    program: PathBuf,
}

/// Installs a package, unless that has been done, and yields its real program.
pub(super) async fn install(
    spawner: &Spawner,
    package: &Package,
    state_dir: &Path,
    identity: Option<Identity>,
    hidden: &[PathBuf],
) -> Result<Resolved, Error> {
    let digest = digest(package);
    let ids = identity.and_then(Identity::ids);
    let name = format!("installer-{digest}");
    let whose = Whose { user: &name, tenant: None, authority: None };
    let scratch = home::prepare(state_dir, whose, ids).map_err(|source| Error::Home { source })?;
    let dir = scratch.state_dir.join(PROGRAMS).join(&digest);
    let note = dir.join(NOTE);
    let kept = fs::read(&note).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
    let program = match kept.filter(|note| note.program.is_file()) {
        Some(note) => note.program,
        None => {
            let tree = prepare(&dir, ids)?;
            let ran = run(spawner, package, &tree, &scratch, identity, hidden).await;
            // What was started under an id of its own and got away from its supervisor could still write.
            if let Some((uid, _)) = ids {
                let left = |count| Error::Survivors { package: package.specs.join(" "), count };
                survivors::end(spawner, uid).await.map_err(left)?;
            }
            ran?;
            let program = find(package, &tree)?;
            let writer = ids.map_or(geteuid().as_raw(), |(uid, _)| uid);
            frozen::freeze(&tree, writer).map_err(failed(&tree))?;
            let bytes = serde_json::to_vec(&Note { program: program.clone() });
            fs::write(&note, bytes.unwrap_or_default()).map_err(failed(&note))?;
            program
        }
    };
    removal::remove(&scratch.root).map_err(failed(&scratch.root))?;
    let elsewhere = |path| Error::Elsewhere { package: package.specs.join(" "), path };
    let mut trees = tree::of_installed(&program, &dir.join("tree")).map_err(elsewhere)?;
    trees.extend(tree::of_arguments(&package.args, state_dir));
    trees.retain(|tree| !scratch.state_dir.starts_with(tree));
    Ok(Resolved { program, args: package.args.clone(), trees: tree::fewest(trees) })
}

fn digest(package: &Package) -> String {
    let mut hash = Sha256::new();
    let program = package.program.iter();
    for part in package.specs.iter().chain(&package.options).chain(program) {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.update(package.installer.name());
    hex::encode(&hash.finalize()[..16])
}

/// An empty tree that the installer owns; whatever an attempt before left is removed.
fn prepare(dir: &Path, ids: Option<(u32, u32)>) -> Result<PathBuf, Error> {
    if dir.exists() {
        frozen::thaw(dir).map_err(failed(dir))?;
        removal::remove(dir).map_err(failed(dir))?;
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(dir).map_err(failed(dir))?;
    let tree = dir.join("tree");
    fs::create_dir(&tree).map_err(failed(&tree))?;
    if let Some((uid, gid)) = ids {
        lchown(&tree, Some(uid), Some(gid)).map_err(failed(&tree))?;
    }
    for path in [dir.parent().unwrap_or(dir), dir, &tree] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(failed(path))?;
    }
    Ok(tree)
}

async fn run(
    spawner: &Spawner,
    package: &Package,
    tree: &Path,
    scratch: &Home,
    identity: Option<Identity>,
    hidden: &[PathBuf],
) -> Result<(), Error> {
    let named = || package.specs.join(" ");
    let (name, args) = installer(package, tree);
    let mut tried = Vec::new();
    for program in tree::all_in_path(OsStr::new(name)) {
        let command = |args: Vec<OsString>| {
            behind_walls(package, program.clone(), args, tree, scratch, (identity, hidden))
        };
        // A wrapper that looks around in somebody's home works for him and not behind walls.
        match finished(spawner, package, command(vec!["--version".into()])).await {
            Ok((Exit::Code(0), _)) => {
                let (exit, said) = finished(spawner, package, command(args)).await?;
                return match exit {
                    Exit::Code(0) => Ok(()),
                    exit => Err(Error::Install { package: named(), exit, said }),
                };
            }
            Ok((exit, said)) => tried.push(format!("{} {exit}: {said}", program.display())),
            Err(Error::Start { source, .. }) => {
                let cause = std::error::Error::source(&source)
                    .map_or_else(|| source.to_string(), ToString::to_string);
                tried.push(format!("{}: {cause}", program.display()));
            }
            Err(error) => return Err(error),
        }
    }
    if tried.is_empty() {
        return Err(Error::NotFound { program: name.into() });
    }
    Err(Error::Installer { installer: name, tried: tried.join("; ") })
}

/// One run of the installer, in walls of its own.
fn behind_walls(
    package: &Package,
    program: PathBuf,
    args: Vec<OsString>,
    tree: &Path,
    scratch: &Home,
    (identity, hidden): (Option<Identity>, &[PathBuf]),
) -> ChildCommand {
    let mut paths = Paths::for_home(scratch, &tree::of_program(&program));
    // A package may be a file, and that is all that an installer sees of the rest of the machine.
    let files = package.specs.iter().map(PathBuf::from);
    paths.readable.extend(files.filter(|path| path.is_absolute() && path.is_file()));
    paths.writable.push(tree.to_owned());
    paths.hidden.extend_from_slice(hidden);
    let walls = match identity {
        Some(identity) => Walls::Strict { identity, paths },
        None => Walls::Basic { paths },
    };
    ChildCommand {
        program: program.into_os_string(),
        args,
        env: surroundings(package, tree, scratch),
        cwd: None,
        name: format!("installer of {}", package.specs.join(" ")),
        walls,
    }
}

/// Runs a command to its end; yields how it ended and the last that it said.
async fn finished(
    spawner: &Spawner,
    package: &Package,
    command: ChildCommand,
) -> Result<(Exit, String), Error> {
    let named = || package.specs.join(" ");
    let mut process =
        spawner.spawn(command).await.map_err(|source| Error::Start { package: named(), source })?;
    drop(process.stdin);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = async {
        tokio::join!(read(&mut process.stdout, &mut out), read(&mut process.stderr, &mut err));
        process.handle.exited().await
    };
    let Ok(exit) = tokio::time::timeout(WITHIN, ended).await else {
        process.handle.kill().await;
        return Err(Error::Deadline { package: named(), within: WITHIN });
    };
    let said = if err.is_empty() { out } else { err };
    Ok((exit, String::from_utf8_lossy(&said).trim().replace('\n', " · ")))
}

/// Reads to the end and keeps the last of it.
async fn read(from: &mut (impl AsyncRead + Unpin), kept: &mut Vec<u8>) {
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..count]);
        kept.drain(..kept.len().saturating_sub(SAID));
    }
}

fn installer(package: &Package, tree: &Path) -> (&'static str, Vec<OsString>) {
    let fixed: &[&str] = match package.installer {
        Installer::Npm => &[
            "install",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--loglevel=error",
            "--prefix",
        ],
        Installer::Uv => &["tool", "install", "--no-progress", "--link-mode=copy"],
    };
    let mut args: Vec<OsString> = fixed.iter().map(OsString::from).collect();
    match package.installer {
        Installer::Npm => {
            args.push(tree.into());
            args.extend(package.options.iter().map(OsString::from));
            args.push("--".into());
            args.extend(package.specs.iter().map(OsString::from));
            ("npm", args)
        }
        Installer::Uv => {
            args.extend(package.options.iter().map(OsString::from));
            let mut specs = package.specs.iter();
            let main = specs.next();
            for with in specs {
                args.extend(["--with".into(), with.into()]);
            }
            args.push("--".into());
            args.extend(main.map(OsString::from));
            ("uv", args)
        }
    }
}

/// The allow-list, the installer's own directories and where to fetch from: no credential of anybody.
fn surroundings(package: &Package, tree: &Path, scratch: &Home) -> Environment {
    let mut env = environment::isolated(scratch, "installer", None);
    for name in SOURCES {
        if let Ok(value) = std::env::var(name)
            && !value.contains('@')
        {
            env.set(*name, value);
        }
    }
    let set = |env: &mut Environment, name: &str, path: PathBuf| {
        env.set(name, path.to_string_lossy().into_owned());
    };
    match package.installer {
        Installer::Npm => set(&mut env, "npm_config_cache", scratch.cache.clone()),
        Installer::Uv => {
            set(&mut env, "UV_TOOL_DIR", tree.join("tools"));
            set(&mut env, "UV_TOOL_BIN_DIR", tree.join("bin"));
            set(&mut env, "UV_PYTHON_INSTALL_DIR", tree.join("python"));
            set(&mut env, "UV_CACHE_DIR", scratch.cache.clone());
        }
    }
    env
}

/// The program that the package runs by default, or the one that was named.
fn find(package: &Package, tree: &Path) -> Result<PathBuf, Error> {
    let bin = match package.installer {
        Installer::Npm => tree.join("node_modules/.bin"),
        Installer::Uv => tree.join("bin"),
    };
    let wanted = package.program.clone().or_else(|| node_program(tree)).unwrap_or_default();
    let path = bin.join(&wanted);
    if !wanted.is_empty() && !wanted.contains('/') && path.is_file() {
        // The real file, because a script finds its modules from where it lies.
        let real = path.canonicalize().map_err(failed(&path))?;
        let inside = real.starts_with(tree.canonicalize().map_err(failed(tree))?);
        return Ok(if inside && package.installer == Installer::Npm { real } else { path });
    }
    let list = fs::read_dir(&bin).into_iter().flatten().flatten();
    let found = list.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    Err(Error::NoProgram { package: package.specs.join(" "), program: wanted, found })
}

/// The rule of `npx`: the only program, else the one that is called like the package.
fn node_program(tree: &Path) -> Option<String> {
    let json = |path: PathBuf| -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    };
    let installed = json(tree.join("package.json"))?;
    let package = installed.get("dependencies")?.as_object()?.keys().next()?.clone();
    let short = package.rsplit('/').next()?.to_owned();
    let manifest = json(tree.join("node_modules").join(&package).join("package.json"))?;
    match manifest.get("bin")? {
        serde_json::Value::Object(programs) if programs.len() == 1 => {
            programs.keys().next().cloned()
        }
        serde_json::Value::Object(programs) => programs.contains_key(&short).then_some(short),
        _ => Some(short),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Directory { path, source }
}
