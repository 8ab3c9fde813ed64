//! A tree that somebody else has written, made unchangeable: every step by a descriptor that no link can lead astray.

use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{fchown, fchownat, getegid, geteuid};

/// What lies deeper is refused; each level holds a descriptor meanwhile.
const DEPTH: usize = 128;
/// Never a link, and no waiting for whoever has the other end of a pipe.
const OPEN: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// Takes a tree over from `writer` and takes away every right to write. A link stays a link. What belongs to neither of
/// us, or is no file, directory or link, is an error: it may have been put here to be opened to everybody.
///
/// # Errors
///
/// If there is such a thing, the tree is too deep, or the system refuses.
pub(super) fn freeze(tree: &Path, writer: u32) -> io::Result<()> {
    frozen(&open_root(tree)?, writer, DEPTH)
}

/// Makes the directories of a tree ours to remove things from; follows no link.
///
/// # Errors
///
/// If the tree is too deep or the system refuses.
pub(super) fn thaw(tree: &Path) -> io::Result<()> {
    thawed(&open_root(tree)?, DEPTH)
}

fn open_root(tree: &Path) -> io::Result<File> {
    Ok(open(tree, OPEN | OFlag::O_DIRECTORY, Mode::empty())?.into())
}

fn frozen(this: &File, writer: u32, depth: usize) -> io::Result<()> {
    let found = this.metadata()?;
    let own = geteuid();
    if found.uid() != writer && found.uid() != own.as_raw() {
        return Err(refused("something in it belongs to somebody else than the installer"));
    }
    if !found.is_file() && !found.is_dir() {
        return Err(refused("something in it is neither a file nor a directory nor a link"));
    }
    fchown(this, Some(own), Some(getegid()))?;
    if found.is_dir() {
        // From here on it is ours alone, so that what is found in it is what is opened.
        this.set_permissions(Permissions::from_mode(0o700))?;
        for (name, kind) in entries(this)? {
            if kind == SFlag::S_IFLNK {
                let ids = (Some(own), Some(getegid()));
                fchownat(this, name.as_c_str(), ids.0, ids.1, AtFlags::AT_SYMLINK_NOFOLLOW)?;
                continue;
            }
            let inner = File::from(openat(this, name.as_c_str(), OPEN, Mode::empty())?);
            frozen(&inner, writer, depth.checked_sub(1).ok_or_else(|| refused("it is too deep"))?)?;
        }
    }
    let runs = found.is_dir() || found.mode() & 0o100 != 0;
    this.set_permissions(Permissions::from_mode(if runs { 0o555 } else { 0o444 }))
}

fn thawed(this: &File, depth: usize) -> io::Result<()> {
    this.set_permissions(Permissions::from_mode(0o700))?;
    for (name, kind) in entries(this)? {
        if kind == SFlag::S_IFDIR {
            let inner = openat(this, name.as_c_str(), OPEN | OFlag::O_DIRECTORY, Mode::empty())?;
            let depth = depth.checked_sub(1).ok_or_else(|| refused("it is too deep"))?;
            thawed(&File::from(inner), depth)?;
        }
    }
    Ok(())
}

/// What is in a directory, by name, and what each is.
fn entries(this: &File) -> io::Result<Vec<(CString, SFlag)>> {
    let mut list = Dir::from_fd(this.as_fd().try_clone_to_owned()?)?;
    let mut entries = Vec::new();
    for entry in list.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            let found = fstatat(this, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
            entries.push((name, SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT));
        }
    }
    Ok(entries)
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{chown, symlink};

    use super::*;
    use crate::scratch::Scratch;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn nothing_in_it_can_be_written_and_nothing_outside_is_touched() {
        let (dir, victim) = (Scratch::new(), Scratch::new());
        fs::write(victim.join("secret"), "").unwrap();
        fs::set_permissions(victim.join("secret"), Permissions::from_mode(0o600)).unwrap();
        fs::create_dir_all(dir.join("tree/a/b")).unwrap();
        for (name, bits) in [("run", 0o4777), ("read", 0o666)] {
            fs::write(dir.join("tree/a").join(name), "").unwrap();
            fs::set_permissions(dir.join("tree/a").join(name), Permissions::from_mode(bits))
                .unwrap();
        }
        symlink(&*victim, dir.join("tree/a/dir")).unwrap();
        symlink(victim.join("secret"), dir.join("tree/a/file")).unwrap();
        let before = mode(&victim);
        freeze(&dir.join("tree"), geteuid().as_raw()).unwrap();
        let tree = dir.join("tree");
        assert_eq!((mode(&tree), mode(&tree.join("a/b"))), (0o555, 0o555));
        assert_eq!((mode(&tree.join("a/run")), mode(&tree.join("a/read"))), (0o555, 0o444));
        assert_eq!((mode(&victim), mode(&victim.join("secret"))), (before, 0o600));
        thaw(&tree).unwrap();
        assert_eq!((mode(&victim), mode(&victim.join("secret"))), (before, 0o600));
        fs::remove_dir_all(&tree).unwrap();
    }

    /// A directory that has been looked at and is a link when it is opened is what a survivor of the installer tries.
    #[test]
    fn a_link_in_the_place_of_the_tree_is_refused() {
        let (dir, victim) = (Scratch::new(), Scratch::new());
        symlink(&*victim, dir.join("tree")).unwrap();
        let before = mode(&victim);
        assert!(freeze(&dir.join("tree"), geteuid().as_raw()).is_err());
        assert!(thaw(&dir.join("tree")).is_err());
        assert_eq!(mode(&victim), before);
    }

    #[test]
    fn what_is_somebody_elses_or_no_file_is_refused() {
        let dir = Scratch::new();
        nix::unistd::mkfifo(&dir.join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(freeze(&dir, geteuid().as_raw()).is_err());
        fs::remove_file(dir.join("pipe")).unwrap();
        if geteuid().is_root() {
            let file = dir.join("of-another");
            fs::write(&file, "").unwrap();
            chown(&file, Some(300_007), Some(300_007)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            assert!(freeze(&dir, 300_006).is_err());
            assert_eq!((mode(&file), fs::metadata(&file).unwrap().uid()), (0o600, 300_007));
            freeze(&dir, 300_007).unwrap();
            assert_eq!((mode(&file), fs::metadata(&file).unwrap().uid()), (0o444, 0));
        }
    }
}
