//! Ids that the system keeps for others, and a range that it keeps for nobody.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;

use nix::unistd::{Gid, Group, Uid, User};

/// Whom the system itself knows.
const KNOWN: &[&str] = &["/etc/passwd", "/etc/group"];
/// Which ids users may take in user namespaces of their own (subuid(5), subgid(5)).
const SUBORDINATE: &[&str] = &["/etc/subuid", "/etc/subgid"];
/// What systemd gives to services while they run (systemd.exec(5), `DynamicUser=`).
const DYNAMIC: RangeInclusive<u32> = 61_184..=65_519;
/// Which ids of the machine there are in this user namespace (`user_namespaces(7)`).
const MAPS: &[&str] = &["/proc/self/uid_map", "/proc/self/gid_map"];
/// How many ids a range that is chosen holds.
const MANY: u32 = 65_536;
/// Fewer, where no more are mapped, as in many containers.
const FEW: u32 = 16_384;
/// The first of what no registry of systemd gives to anybody (systemd's UIDS-GIDS: "unused").
const UNUSED: u32 = 1_879_048_192;
/// Where ranges start, each right after the one before, and how many ids they hold.
const STARTS: [(u32, u32); 3] = [(UNUSED, MANY), (200_000, MANY), (10_000, FEW)];
/// How many places are tried.
const TRIED: u32 = 64;

/// Ids that are somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    first: u32,
    last: u32,
    whose: String,
}

// === impl Reserved ===

impl Reserved {
    pub(super) fn overlaps(&self, range: &RangeInclusive<u32>) -> bool {
        self.first <= *range.end() && self.last >= *range.start()
    }
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first} is {}", self.whose),
            (first, last) => write!(f, "{first} to {last} are {}", self.whose),
        }
    }
}

/// Everything that this system keeps for somebody. Whoever gets an id gets the group of the same number with it.
pub(super) fn all() -> Vec<Reserved> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut all: Vec<Reserved> = KNOWN.iter().flat_map(|path| known(path, &read(path))).collect();
    all.extend(SUBORDINATE.iter().flat_map(|path| subordinate(path, &read(path))));
    let whose = "what systemd gives to services with DynamicUser=".to_owned();
    all.push(Reserved { first: *DYNAMIC.start(), last: *DYNAMIC.end(), whose });
    all
}

/// `name:password:id:…`
fn known(path: &str, text: &str) -> Vec<Reserved> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?.parse().ok()?;
        Some(Reserved { first: id, last: id, whose: format!("{name}'s in {path}") })
    });
    lines.collect()
}

/// `name:first:count`
fn subordinate(path: &str, text: &str) -> Vec<Reserved> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let first: u32 = fields.next()?.trim().parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        let last = first.saturating_add(count.checked_sub(1)?);
        Some(Reserved { first, last, whose: format!("{name}'s in {path}") })
    });
    lines.collect()
}

/// The ids that exist here, for users and for groups.
pub(super) fn mapped() -> [Vec<RangeInclusive<u32>>; 2] {
    [MAPS[0], MAPS[1]].map(|path| map(&fs::read_to_string(path).unwrap_or_default()))
}

/// `inside outside count`
fn map(text: &str) -> Vec<RangeInclusive<u32>> {
    let lines = text.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
        let (first, _, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(first..=first.saturating_add(count.checked_sub(1)?))
    });
    lines.collect()
}

/// Whose the first or the last of a range is for the name service: SSSD and LDAP have users that no local file names.
/// The many between cannot be asked for.
pub(super) fn named(range: &RangeInclusive<u32>) -> Option<Reserved> {
    [*range.start(), *range.end()].into_iter().find_map(|id| {
        let user = User::from_uid(Uid::from_raw(id)).ok().flatten().map(|user| user.name);
        let group = || Some(Group::from_gid(Gid::from_raw(id)).ok()??.name);
        let whose = format!("{}'s for the name service (nsswitch.conf)", user.or_else(group)?);
        Some(Reserved { first: id, last: id, whose })
    })
}

/// Whether a range is nobody's and exists.
pub(super) fn fits(
    range: &RangeInclusive<u32>,
    reserved: &[Reserved],
    mapped: &[Vec<RangeInclusive<u32>>; 2],
) -> bool {
    let inside = |map: &RangeInclusive<u32>| {
        map.start() <= range.start() && range.end() <= map.end() && *range.end() < u32::MAX
    };
    mapped.iter().all(|maps| maps.iter().any(inside))
        && !reserved.iter().any(|one| one.overlaps(range))
}

/// A range that is nobody's and exists; the one that starts with the lowest and holds the highest of what was `given`
/// before, if any was.
pub(super) fn free(
    given: Option<(u32, u32)>,
    reserved: &[Reserved],
    mapped: &[Vec<RangeInclusive<u32>>; 2],
    named: impl Fn(&RangeInclusive<u32>) -> Option<Reserved>,
) -> Option<RangeInclusive<u32>> {
    let of = |first: u32, count: u32| Some(first..=first.checked_add(count - 1)?);
    let fits =
        |range: &RangeInclusive<u32>| fits(range, reserved, mapped) && named(range).is_none();
    if let Some((first, last)) = given {
        let ranges = [MANY, FEW].into_iter().filter_map(|count| of(first, count));
        // A range that was chosen by hand before may have been wider.
        let whole = ranges.map(|range| first..=last.max(*range.end()));
        return whole.chain([first..=last]).find(fits);
    }
    let places = STARTS.into_iter().flat_map(|(first, count)| {
        (0..TRIED).filter_map(move |nth| of(first.checked_add(count.checked_mul(nth)?)?, count))
    });
    places.into_iter().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> [Vec<RangeInclusive<u32>>; 2] {
        [map("0 0 4294967295"), map("         0          0 4294967295\n")]
    }

    #[test]
    fn whoever_the_system_knows_is_no_stranger() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        let all = known("/etc/passwd", passwd);
        let taken = |range: RangeInclusive<u32>| all.iter().find(|one| one.overlaps(&range));
        assert_eq!(taken(900..=1100).unwrap().to_string(), "1000 is alice's in /etc/passwd");
        assert_eq!(taken(200_000..=300_000), None);
        let all = subordinate("/etc/subuid", "alice:100000:65536\nbob:4294967290:65536\nodd\n");
        let taken = |range: RangeInclusive<u32>| all.iter().find(|one| one.overlaps(&range));
        let said = taken(165_535..=165_540).unwrap().to_string();
        assert_eq!(said, "100000 to 165535 are alice's in /etc/subuid");
        assert_eq!(taken(165_536..=300_000), None);
        assert!(taken(4_294_967_294..=4_294_967_294).is_some());
    }

    #[test]
    fn services_of_systemd_are_no_strangers() {
        let dynamic = |range| super::all().iter().any(|one| one.overlaps(&range));
        assert!(dynamic(61_000..=61_184));
        assert!(dynamic(65_519..=65_519));
    }

    #[test]
    fn a_free_range_is_found_and_found_again() {
        let nobody = |_: &RangeInclusive<u32>| None;
        let first = free(None, &[], &whole(), nobody).unwrap();
        assert_eq!(first, UNUSED..=UNUSED + MANY - 1);
        let taken = Reserved { first: UNUSED + 5, last: UNUSED + 5, whose: String::new() };
        let second = free(None, std::slice::from_ref(&taken), &whole(), nobody).unwrap();
        assert_eq!(*second.start(), UNUSED + MANY);
        let again = |given| free(Some(given), &[], &whole(), nobody).unwrap();
        assert_eq!(again((300_000, 300_000)), 300_000..=365_535);
        assert_eq!(again((300_000, 900_000)), 300_000..=900_000, "nobody loses what he was given");
        // Whose files would these be, if others were chosen?
        assert_eq!(free(Some((UNUSED, UNUSED + 7)), &[taken], &whole(), nobody), None);
    }

    #[test]
    fn only_ids_that_exist_here_are_chosen() {
        let container = [map("0 100000 65536"), map("0 100000 65536")];
        assert_eq!(free(None, &[], &container, |_| None).unwrap(), 10_000..=26_383);
        let one = [map("1000 1000 1"), map("0 0 4294967295")];
        assert_eq!(free(None, &[], &one, |_| None), None);
    }

    #[test]
    fn whoever_the_name_service_knows_is_no_stranger() {
        let root = named(&(0..=4_000_000_001)).unwrap();
        assert_eq!(root.to_string(), "0 is root's for the name service (nsswitch.conf)");
        assert_eq!(named(&(4_000_000_000..=4_000_000_001)), None);
        let directory = |range: &RangeInclusive<u32>| {
            let id = *range.end();
            (id == UNUSED + MANY - 1).then(|| Reserved {
                first: id,
                last: id,
                whose: String::new(),
            })
        };
        let found = free(None, &[], &whole(), directory).unwrap();
        assert_eq!(*found.start(), UNUSED + MANY);
    }
}
