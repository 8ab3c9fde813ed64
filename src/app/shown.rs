//! What every child sees of the file system: decided once, compared with what must stay hidden, and tried as a child.

use std::path::{Path, PathBuf};

use crate::config::Serve;
use crate::problem::{Problem, chain};
use crate::process::resolve::Resolved;
use crate::process::walls::{Form, Hidden, Identity, Paths, Showing, Walls, real};
use crate::process::{ChildCommand, Environment, Spawner};

/// Where installed packages are, beneath the state directory: the one part of it that children see.
const PROGRAMS: &str = "programs";

/// What all children are shown. Whatever cannot be shown without a secret is a problem that names both.
pub(super) fn paths(
    config: &Serve,
    command: &Resolved,
    secrets: &[Hidden],
    form: Form,
    problems: &mut Vec<Problem>,
) -> Paths {
    let isolation = &config.isolation;
    let mut paths = Paths::system();
    let system = paths.readable.iter().map(|path| ("isolation", path, Showing::Read));
    let trees = command.trees.iter().map(|path| ("command", path, Showing::Read));
    let readable = isolation.readable.iter().map(|path| ("allow-read", path, Showing::Read));
    let writable = isolation.writable.iter().map(|path| ("allow-write", path, Showing::Write));
    let installed = real(&config.state_dir.join(PROGRAMS));
    for (key, path, showing) in system.chain(trees).chain(readable).chain(writable) {
        let ours = key == "command" && real(path).starts_with(&installed);
        let exposed = secrets.iter().find(|hidden| hidden.is_exposed_by(path, showing, form));
        if let Some(hidden) = exposed.filter(|_| !ours) {
            problems.push(conflict(key, path, hidden));
        }
    }
    for (key, path) in [("allow-read", &isolation.readable), ("allow-write", &isolation.writable)]
        .iter()
        .flat_map(|(key, paths)| paths.iter().map(move |path| (*key, path)))
        .filter(|(_, path)| !path.exists())
    {
        let what = format!("{} is not there", path.display());
        problems.push(Problem::new(key, what, "name a file or directory that exists"));
    }
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    paths.readable.extend(command.trees.iter().cloned());
    paths.readable.extend(isolation.readable.iter().map(absolute));
    paths.writable.extend(isolation.writable.iter().map(absolute));
    paths.hidden.extend(secrets.iter().map(Hidden::place));
    paths
}

fn conflict(key: &str, path: &Path, hidden: &Hidden) -> Problem {
    let (shown, secret) = (path.display(), hidden.path.display());
    Problem::new(
        key,
        format!("children see {shown}, and {} ({secret}) cannot be hidden from them", hidden.what),
        format!("move {secret} to where no child looks, like a directory of its own in /etc"),
    )
}

/// Tries to reach the program as a child would; yields what else a child would miss.
pub(super) async fn look(
    config: &Serve,
    spawner: &Spawner,
    command: &Resolved,
    shown: &Paths,
    identity: Option<Identity>,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let paths = shown.clone();
    let walls = match identity {
        Some(identity) => Walls::Strict { identity, paths },
        None => Walls::Basic { paths },
    };
    let attempt = ChildCommand {
        program: command.program.clone().into(),
        args: Vec::new(),
        env: Environment::cleared(),
        cwd: Some(config.child.cwd.clone().unwrap_or_else(|| "/".into())),
        name: config.name.clone(),
        walls,
    };
    let named: Vec<PathBuf> = command.args.iter().filter_map(|arg| named(arg.to_str()?)).collect();
    let isolation = &config.isolation;
    let wanted: Vec<PathBuf> =
        named.iter().chain(&isolation.readable).chain(&isolation.writable).cloned().collect();
    match spawner.look(&attempt, &wanted).await {
        Ok(denied) => denied.iter().map(|path| missed(path, &named)).collect(),
        Err(error) => {
            problems.push(Problem::new(
                "command",
                format!("a child could not be started: {}", chain(&error)),
                "children see the system, the program's own directory and what --allow-read names, \
                 as far as permissions let them in",
            ));
            Vec::new()
        }
    }
}

/// A file or directory of this machine that an argument names.
fn named(arg: &str) -> Option<PathBuf> {
    let text = arg.split_once('=').map_or(arg, |(_, value)| value);
    let path = std::path::absolute(text).ok().filter(|_| text.contains('/'))?;
    (path.is_file() || path.is_dir()).then_some(path)
}

fn missed(path: &Path, named: &[PathBuf]) -> String {
    let shown = path.display();
    if named.iter().any(|one| one == path) {
        return format!(
            "the command names {shown}, which a child cannot open; if it should, give --allow-read {shown} or \
             --allow-write {shown}, and permissions that let it in"
        );
    }
    format!(
        "{shown} is allowed, but its permissions or those of a directory above it keep children out"
    )
}

/// What a child sees, a line each: how, and the path.
pub(super) fn listed(paths: &Paths, form: Form) -> Vec<String> {
    let there = |path: &&PathBuf| path.exists();
    let line = |word: &'static str| move |path: &PathBuf| format!("{word} {}", path.display());
    let read = paths.readable.iter().filter(there).map(line("read"));
    let write = paths.writable.iter().filter(there).map(line("write"));
    let home = [
        "write the user's own home".to_owned(),
        match form {
            Form::Uid | Form::Namespaces => "write a /tmp and a /dev/shm of its own".to_owned(),
            Form::UidAlone | Form::Basic => "read /proc".to_owned(),
        },
    ];
    let mut places: Vec<&PathBuf> = paths.hidden.iter().collect();
    places.sort();
    places.dedup();
    read.chain(write).chain(home).chain(places.into_iter().map(line("never"))).collect()
}
