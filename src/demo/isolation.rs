//! Which isolation the demo asks for: the highest walls that can be built here, and user ids that nobody has.

use nix::unistd::geteuid;

use super::Error;
use crate::process::walls::Form;
use crate::process::{Deadlines, Program, Spawner, probe, uids};

/// How many user ids a demo takes: more than it has users.
const IDS: u32 = 10;
/// Where ranges of them begin, and how many ranges there are; containers often have none above 65535.
const RANGES: [(u32, u32); 2] = [(1_879_500_000, 2_000), (30_000, 300)];

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

/// The first id of a range that this system has and keeps for nobody; two demos at once rarely share one.
fn unused_ids() -> Result<u32, Error> {
    for (start, count) in RANGES {
        let chance = getrandom::u32().map_err(|cause| Error::Random { cause })?;
        for offset in 0..count {
            let first = start + (chance.wrapping_add(offset) % count) * IDS;
            if uids::is_free(&(first..=first + IDS - 1)) {
                return Ok(first);
            }
        }
    }
    Ok(RANGES[0].0)
}
