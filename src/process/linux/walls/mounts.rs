//! The file system as a child sees it: a new root with what it may use, at the places where it always was.
//!
//! Nothing is hidden one by one; what is not named is not there. The old root is detached in the end.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{chdir, pivot_root};

use super::holes;
use crate::process::linux::step::Step;
use crate::process::walls::{Paths, Ways};

/// A directory that is there on every system; covered only while the new root is built.
const BASE: &str = "/tmp";
/// The device files that programs expect.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// The links that programs expect beside them.
const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// Directories, links and empty files; nothing is ever stored here.
const ROOT_OPTIONS: &str = "mode=0755,size=1m";
/// Shared memory counts as the machine's memory.
const SHM_OPTIONS: &str = "mode=1777,size=64m";

/// The first process of the namespace lives among the mounts of the machine, and its `mountinfo` is open to whoever sees
/// it: only processes that the child may trace are there (proc(5), hidepid; by this number since Linux 5.8).
const PROC_OPTIONS: &str = "hidepid=4";
const OLDER_PROC_OPTIONS: &str = "hidepid=2";

/// Something of the new root.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// Where it appears.
    at: PathBuf,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// A file or a directory of the old root, by its real path.
    Read(PathBuf),
    Write(PathBuf),
    Link(PathBuf),
    /// A directory, without what is hidden in it.
    Around(PathBuf, Vec<PathBuf>),
    /// Nothing, to begin with; gone with the child.
    Scratch,
}

/// Moves the calling process into mount and ipc namespaces of its own, with a new root and a fresh `/proc`.
pub(super) fn build(paths: &Paths) -> Result<(), Step> {
    let entries = plan(paths)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)
        .map_err(Step::of("make mount and ipc namespaces"))?;
    mount_at(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    let new = Path::new("/new");
    // Whoever comes with another user id has to pass through, however private the operator's own files are.
    let own = umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let made =
        enter_base().and_then(|()| entries.iter().try_for_each(place)).and_then(|()| special(new));
    umask(own);
    made?;
    umount2("/old", MntFlags::MNT_DETACH).map_err(Step::of("detach the old root"))?;
    chdir(new).map_err(Step::of("enter the new root"))?;
    pivot_root(".", ".").map_err(Step::of("make the new root the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(Step::of("detach the base"))?;
    chdir("/").map_err(Step::of("enter the root"))?;
    seal(Path::new("/"))
}

/// What is to be placed, parents first. Paths that are not there are left out.
fn plan(paths: &Paths) -> Result<Vec<Entry>, Step> {
    let reals: Vec<PathBuf> = paths.readable.iter().map(|path| real(path)).collect();
    // Looked up for each child: a secret that is replaced by another version lies elsewhere then.
    let all_hidden = Ways::to_all(&paths.hidden);
    let mut entries = Vec::new();
    for path in &paths.readable {
        let at = path.clone();
        match fs::read_link(path) {
            // `/bin` is a link to `usr/bin` on most systems, and programs compare paths.
            Ok(link)
                if reals
                    .iter()
                    .any(|other| other != &real(path) && real(path).starts_with(other)) =>
            {
                entries.push(Entry { at, what: What::Link(link) });
            }
            _ if path.exists() => {
                let (source, hidden) = (real(path), holes::within(&real(path), &all_hidden));
                let what = match &hidden[..] {
                    [] => What::Read(source),
                    all if all.contains(&source) => return Err(exposed(&source)),
                    _ => What::Around(source, hidden),
                };
                entries.push(Entry { at, what });
            }
            _ => {}
        }
    }
    for path in &paths.writable {
        let source = real(path);
        // A directory that is put together entry by entry takes no new ones.
        if let Some(hidden) = holes::within(&source, &all_hidden).first() {
            return Err(exposed(hidden));
        }
        entries.push(Entry { at: path.clone(), what: What::Write(source) });
    }
    let occupied = entries.iter().any(|entry| entry.at.starts_with(BASE));
    let temporary = match &paths.tmp {
        Some(tmp) if !occupied => What::Write(real(tmp)),
        _ => What::Scratch,
    };
    entries.push(Entry { at: BASE.into(), what: temporary });
    entries.sort_by_key(|entry| entry.at.components().count());
    entries.dedup_by(|second, first| second.at == first.at && second.what == first.what);
    // A former child may have left links in what it could write, and the way to a mount would follow them.
    let writable = |entry: &Entry| matches!(entry.what, What::Write(_));
    let unsafe_at = |inner: &&Entry| {
        let around = |outer: &Entry| {
            writable(outer) && outer.at != inner.at && inner.at.starts_with(&outer.at)
        };
        entries.iter().any(around)
    };
    match entries.iter().find(unsafe_at) {
        Some(entry) => {
            let step = format!("place {} in something writable", entry.at.display());
            Err(Step::new(step, Errno::EINVAL))
        }
        None => Ok(entries),
    }
}

fn exposed(hidden: &Path) -> Step {
    Step::new(format!("hide {}", hidden.display()), Errno::EINVAL)
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Makes a scratch root with the old one in `/old` and the new one in `/new`.
fn enter_base() -> Result<(), Step> {
    let base = Path::new(BASE);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(Some(Path::new("tmpfs")), base, Some("tmpfs"), flags, Some(ROOT_OPTIONS))?;
    for name in ["old", "new"] {
        fs::create_dir(base.join(name)).map_err(Step::io("prepare a new root"))?;
    }
    chdir(base).map_err(Step::of("enter the base"))?;
    pivot_root(".", "old").map_err(Step::of("make the base the root"))?;
    chdir("/").map_err(Step::of("enter the base"))?;
    let new = Path::new("/new");
    mount_at(Some(Path::new("tmpfs")), new, Some("tmpfs"), flags, Some(ROOT_OPTIONS))
}

fn place(entry: &Entry) -> Result<(), Step> {
    let at = beneath("/new", &entry.at);
    let said = || format!("place {}", entry.at.display());
    if let Some(parent) = at.parent() {
        directory(parent).map_err(Step::io(said()))?;
    }
    match &entry.what {
        What::Link(link) => match symlink(link, &at) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(Step::io(said())(error))
            }
            _ => Ok(()),
        },
        What::Around(source, hidden) => {
            holes::show(Path::new("/old"), source, &at, hidden, &|source, at| {
                bind(source, at)?;
                seal(at)
            })
        }
        What::Scratch => {
            directory(&at).map_err(Step::io(said()))?;
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount_at(Some(Path::new("tmpfs")), &at, Some("tmpfs"), flags, Some(SHM_OPTIONS))
        }
        What::Read(source) => {
            bind(source, &at)?;
            seal(&at)
        }
        What::Write(source) => {
            bind(source, &at)?;
            remount(&at, MsFlags::MS_NOSUID | MsFlags::MS_NODEV)
        }
    }
}

fn bind(source: &Path, at: &Path) -> Result<(), Step> {
    let source = beneath("/old", source);
    let place = || format!("show {}", source.display());
    if source.is_dir() {
        directory(at).map_err(Step::io(place()))?;
    } else if !at.exists() {
        File::create(at).map_err(Step::io(place()))?;
    }
    mount_at(Some(&source), at, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)
}

/// Makes a mount read-only.
fn seal(at: &Path) -> Result<(), Step> {
    remount(at, MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV)
}

/// Adds flags to a mount; those that it has must be repeated, because a user namespace may not take them away.
fn remount(at: &Path, more: MsFlags) -> Result<(), Step> {
    let has = statvfs(at).map_err(Step::of("look at a mount"))?.flags();
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | more;
    for (had, flag) in [
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if has.contains(had) {
            flags |= flag;
        }
    }
    mount_at(None, at, None, flags, None)
}

/// `/proc` of the new pid namespace, and a `/dev` with nothing of the machine in it.
fn special(new: &Path) -> Result<(), Step> {
    let made = |name: &str| {
        let path = new.join(name);
        directory(&path).map_err(Step::io(format!("make /{name}")))?;
        Ok(path)
    };
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let at = made("proc")?;
    let proc = |hiding| mount_at(Some(Path::new("proc")), &at, Some("proc"), quiet, Some(hiding));
    proc(PROC_OPTIONS).or_else(|_| proc(OLDER_PROC_OPTIONS))?;
    let dev = made("dev")?;
    for name in DEVICES {
        let source = Path::new("/old/dev").join(name);
        if source.exists() {
            let at = dev.join(name);
            File::create(&at).map_err(Step::io(format!("make /dev/{name}")))?;
            mount_at(Some(&source), &at, None, MsFlags::MS_BIND, None)?;
        }
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name)).map_err(Step::io(format!("make /dev/{name}")))?;
    }
    let tmpfs = Some(Path::new("tmpfs"));
    mount_at(tmpfs, &made("dev/shm")?, Some("tmpfs"), quiet, Some(SHM_OPTIONS))?;
    Ok(())
}

fn mount_at(
    source: Option<&Path>,
    at: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: Option<&str>,
) -> Result<(), Step> {
    mount(source, at, kind, flags, options).map_err(|errno: Errno| {
        let shown = at.strip_prefix("/new").map_or(at.to_owned(), |path| Path::new("/").join(path));
        Step::new(format!("mount {}", shown.display()), errno)
    })
}

fn directory(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// An absolute path moved below another root, without anything that could climb out.
fn beneath(root: &str, path: &Path) -> PathBuf {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    std::iter::once(root.as_ref()).chain(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_go_around_the_hidden() {
        let paths = Paths {
            readable: vec!["/usr/bin".into(), "/usr".into(), "/nowhere".into()],
            writable: vec!["/usr/state/home".into()],
            hidden: vec!["/usr/state".into(), "/elsewhere".into()],
            ..Paths::default()
        };
        let entries = plan(&paths).unwrap();
        let around = What::Around("/usr".into(), vec!["/usr/state".into()]);
        assert!(entries.iter().any(|entry| entry.what == around), "{entries:?}");
        let order: Vec<_> = entries.into_iter().map(|entry| entry.at).collect();
        assert_eq!(order, ["/usr", "/tmp", "/usr/bin", "/usr/state/home"].map(PathBuf::from));
        let whole = Paths { hidden: vec!["/usr".into()], ..paths.clone() };
        assert!(plan(&whole).is_err(), "it is hidden itself");
        let open = Paths { writable: vec!["/usr".into()], ..paths };
        assert!(plan(&open).is_err(), "what is writable cannot be shown in part");
    }

    #[test]
    fn nothing_is_placed_where_a_child_could_have_left_a_link() {
        let paths = Paths {
            readable: vec!["/usr/bin".into()],
            writable: vec!["/usr".into()],
            ..Paths::default()
        };
        assert_eq!(plan(&paths).unwrap_err().errno, Errno::EINVAL);
        let paths = Paths {
            writable: vec!["/tmp/state/home".into()],
            tmp: Some("/tmp/state/tmp".into()),
            ..Paths::default()
        };
        assert!(plan(&paths).unwrap().iter().any(|entry| entry.what == What::Scratch));
    }
}
