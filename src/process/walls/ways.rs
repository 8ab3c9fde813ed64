//! All names that lead to a file, links and what they mean now, and where such links are replaced together.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links are followed on one way as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;
/// How the names begin that Kubernetes writes into a volume beside what is mounted there: each version of all files has
/// a directory of its own, complete before `..data` leads to it.
const VERSIONS: &[u8] = b"..";

/// The ways to a file or directory, as the links on them are now.
#[derive(Debug, Default)]
pub struct Ways {
    /// Each name that it has: with every link on the way, with the first of them followed, and so on. None has a link
    /// but at its end or in what comes after one; the last has none at all.
    pub names: Vec<PathBuf>,
    /// Volumes whose versions come and go: what is in them is theirs as a whole.
    pub volumes: Vec<PathBuf>,
}

// === impl Ways ===

impl Ways {
    /// The ways to this path, whether or not it is there.
    #[must_use]
    pub fn to(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut ways = Self::default();
        let mut rest: VecDeque<OsString> = names(&absolute);
        let mut there = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                there.pop();
                continue;
            }
            let next = there.join(&name);
            let Some(target) = std::fs::read_link(&next).ok().filter(|_| links < MOST_LINKS) else {
                there = next;
                continue;
            };
            links += 1;
            ways.names.push(rest.iter().fold(next, |path, name| path.join(name)));
            if name.as_encoded_bytes().starts_with(VERSIONS) {
                ways.volumes.push(there.clone());
            }
            if target.is_absolute() {
                there = PathBuf::from("/");
            }
            let mut followed = names(&target);
            followed.append(&mut rest);
            rest = followed;
        }
        ways.names.push(there);
        ways
    }

    /// All that must not be shown, so that none of these paths is seen: their names, and the volumes on the way.
    pub fn to_all(paths: &[PathBuf]) -> Vec<PathBuf> {
        let each = paths.iter().map(|path| Self::to(path));
        each.flat_map(|ways| ways.names.into_iter().chain(ways.volumes)).collect()
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    let named = |component: Component<'_>| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn each_name_on_the_way_is_found_and_what_is_not_there_too() {
        let dir = Scratch::new();
        let at = dir.join("").canonicalize().unwrap();
        std::fs::create_dir_all(at.join("conf/..v1")).unwrap();
        symlink("..v1", at.join("conf/..data")).unwrap();
        symlink("..data/token", at.join("conf/token")).unwrap();
        symlink(at.join("conf"), at.join("way")).unwrap();
        symlink("loop", at.join("loop")).unwrap();
        let ways = Ways::to(&at.join("other/../way/token"));
        let names = ["way/token", "conf/token", "conf/..data/token", "conf/..v1/token"];
        assert_eq!(ways.names, names.map(|name| at.join(name)));
        assert_eq!(ways.volumes, [at.join("conf")]);
        assert_eq!(Ways::to(&at.join("no/file")).names, [at.join("no/file")]);
        assert_eq!(Ways::to(&at.join("loop")).names.last().unwrap(), &at.join("loop"));
    }
}
