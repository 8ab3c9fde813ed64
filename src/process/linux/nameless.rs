//! Files that processes hold open and that have no name any more: they use the disk, and no directory shows them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::tree::descendants;

/// Of so many descriptors and mappings it is asked what they lead to.
const MOST: usize = 262_144;
/// The system's unit of what a file occupies.
const BLOCK: u64 = 512;

/// A process with everything that descends from it; by default none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tree(pub(super) i32);

// === impl Tree ===

impl Tree {
    /// How many bytes its nameless files use of the file system that holds `place`; nothing, where there is too much to
    /// look at. What is only mapped is seen by root alone, what is on its way in a socket by nobody. Blocks.
    #[must_use]
    pub fn nameless(self, place: &Path) -> Option<u64> {
        let Ok(place) = fs::metadata(place) else {
            return Some(0);
        };
        let (mut seen, mut left, mut bytes) = (HashSet::new(), MOST, 0_u64);
        for pid in descendants(self.0) {
            for kind in ["fd", "map_files"] {
                let links = fs::read_dir(format!("/proc/{pid}/{kind}")).into_iter().flatten();
                for link in links.flatten() {
                    left = left.checked_sub(1)?;
                    // To the file itself, whatever it was called.
                    let Ok(found) = fs::metadata(link.path()) else {
                        continue;
                    };
                    if found.nlink() == 0 && found.dev() == place.dev() && seen.insert(found.ino())
                    {
                        bytes = bytes.saturating_add(found.blocks().saturating_mul(BLOCK));
                    }
                }
            }
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_without_a_name_is_counted_once() {
        let dir = Scratch::new();
        let (file, kept) = (dir.join("file"), dir.join("kept"));
        let hold =
            "exec 8> $0 9> $1; rm $0; head -c 1000000 /dev/zero >&8; head -c 1000000 /dev/zero >&9";
        let script = format!("({hold}; exec 7>&8; (echo; read x) & echo; read x); true");
        let mut child = Command::new("sh")
            .args([OsStr::new("-c"), script.as_ref(), file.as_os_str(), kept.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.by_ref().take(2).for_each(|line| drop(line.unwrap()));
        let tree = Tree(child.id().cast_signed());
        let found = tree.nameless(&dir).unwrap();
        let elsewhere = tree.nameless(Path::new("/proc")).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!((1_000_000..1_100_000).contains(&found), "{found}");
        assert_eq!(elsewhere, 0);
    }
}
