//! Which isolation the demo asks for: the highest walls that can be built here, and user ids that nobody has.

use std::fs;

use nix::unistd::geteuid;

use super::Error;
use crate::process::walls::Form;
use crate::process::{Deadlines, Program, Spawner, probe};

/// How many user ids a demo takes: more than it has users.
const IDS: u32 = 10;
/// Where ranges of them begin, and how many ranges there are; containers often have none above 65535.
const RANGES: [(u32, u32); 2] = [(240_000, 2_000), (61_000, 300)];

/// What the children are given.
pub(super) struct Isolation {
    /// `strict` or `basic`, as `--isolation` takes it.
    pub(super) level: &'static str,
    /// The range for `--uid-range`, where children get ids of their own.
    pub(super) uids: Option<String>,
    /// What the walls are, for the terminal.
    pub(super) described: String,
}

// === impl Isolation ===

impl Isolation {
    /// Tries what this machine permits.
    pub(super) async fn highest() -> Result<Self, Error> {
        let root = geteuid().is_root();
        let first = if root { Some(unused_ids()?) } else { None };
        let spawner = Spawner::new(Program::Own, Deadlines::default())
            .map_err(|cause| Error::Processes { cause })?;
        let findings = probe(&spawner, first).await;
        let strict = findings.strict();
        let described = match strict {
            Some(Form::Uid) => "strict: user ids and namespaces, Landlock, seccomp".to_owned(),
            Some(Form::Namespaces) => "strict: user namespaces, Landlock, seccomp".to_owned(),
            Some(Form::UidAlone) => {
                "strict, without namespaces: user ids, Landlock, seccomp".to_owned()
            }
            Some(Form::Basic) | None => {
                let reasons: Vec<String> = findings
                    .refusals
                    .iter()
                    .map(|refusal| format!("{:?}: {}", refusal.form, refusal.reason))
                    .collect();
                format!("BASIC, for this machine permits no higher ones ({})", reasons.join("; "))
            }
        };
        let uids = first.map(|first| format!("{first}-{}", first + IDS - 1));
        let level = if strict.is_some() { "strict" } else { "basic" };
        Ok(Self { level, uids: uids.filter(|_| strict.is_some()), described })
    }
}

/// The first id of a range that this system has and that no account has; two demos at once rarely share one.
fn unused_ids() -> Result<u32, Error> {
    let maps = ["/proc/self/uid_map", "/proc/self/gid_map"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for (start, count) in RANGES {
        let chance = getrandom::u32().map_err(|cause| Error::Random { cause })?;
        for offset in 0..count {
            let first = start + (chance.wrapping_add(offset) % count) * IDS;
            let mapped = maps.iter().all(|map| is_mapped(map, first, first + IDS - 1));
            if mapped && !is_taken(&passwd, first, first + IDS - 1) {
                return Ok(first);
            }
        }
    }
    Ok(RANGES[0].0)
}

fn is_mapped(map: &str, first: u32, last: u32) -> bool {
    let inside = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(from)), Some(Ok(_)), Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        from <= u64::from(first) && u64::from(last) < from + count
    };
    map.lines().any(inside)
}

fn is_taken(passwd: &str, first: u32, last: u32) -> bool {
    let uid = |line: &str| line.split(':').nth(2)?.parse::<u32>().ok();
    passwd.lines().filter_map(uid).any(|uid| (first..=last).contains(&uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_must_be_mapped_and_nobodys() {
        assert!(is_mapped("         0          0 4294967295\n", 240_000, 240_009));
        assert!(!is_mapped("         0     100000      65536\n", 240_000, 240_009));
        assert!(is_mapped("         0     100000      65536\n", 61_000, 61_009));
        assert!(!is_mapped("", 1, 2));
        let passwd = "root:x:0:0::/:/bin/sh\nx:x:240005:1::/:/bin/sh\n";
        assert!(is_taken(passwd, 240_000, 240_009));
        assert!(!is_taken(passwd, 240_010, 240_019));
    }
}
