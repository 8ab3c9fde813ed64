//! Homes as they are made, and what is refused in their place.

use super::*;
use crate::scratch::Scratch;

fn of(user: &str) -> Whose<'_> {
    Whose { user, tenant: None, authority: None }
}

#[test]
fn every_directory_is_for_its_owner_alone() {
    let dir = Scratch::new();
    let whose = Whose { tenant: Some("t1"), ..of("abc") };
    let home = prepare(&dir, whose, None).unwrap();
    for path in [&home.root, &home.home, &home.tmp, &home.runtime, &home.state_dir] {
        let mode = std::fs::metadata(path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
    assert_eq!(prepare(&dir, whose, None).unwrap(), home);
    assert_ne!(prepare(&dir, of("abc"), None).unwrap().root, home.root);
}

#[test]
fn two_authorities_of_a_user_share_nothing_that_is_written() {
    let dir = Scratch::new();
    let with = |authority| prepare(&dir, Whose { authority, ..of("abc") }, None).unwrap();
    let homes = [with(None), with(Some("0123456789abcdef-reads")), with(Some("fedcba9876543210"))];
    for (at, home) in homes.iter().enumerate() {
        assert_eq!(home.root, homes[0].root, "there is one root for the user");
        let others = homes.iter().enumerate().filter(|(other, _)| *other != at);
        for (other, path) in
            others.flat_map(|(_, other)| other.writable().map(|path| (other, path)))
        {
            let apart = |own: &Path| !own.starts_with(path) && !path.starts_with(own);
            assert!(home.writable().into_iter().all(apart), "{other:?}");
        }
    }
    assert_eq!(with(Some("fedcba9876543210")), homes[2], "it is there again at the next start");
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let dir = Scratch::new();
    for name in ["", ".", "..", "a/b", "_", "a\0", "ä", &"x".repeat(DIGEST + 1)] {
        for whose in [
            of(name),
            Whose { tenant: Some(name), ..of("a") },
            Whose { authority: Some(name), ..of("a") },
        ] {
            assert!(matches!(prepare(&dir, whose, None), Err(Error::Digest { .. })));
        }
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn a_symbolic_link_is_refused() {
    let (dir, victim) = (Scratch::new(), Scratch::new());
    let home = prepare(&dir, of("abc"), None).unwrap();
    std::fs::remove_dir(&home.tmp).unwrap();
    std::os::unix::fs::symlink(&*victim, &home.tmp).unwrap();
    assert!(matches!(prepare(&dir, of("abc"), None), Err(Error::Directory { .. })));
}

/// What another user's child, or a backup that was restored, put in its place.
#[test]
fn a_home_of_another_owner_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let dir = Scratch::new();
    let (alice, bob) = (Some((300_001, 300_001)), (300_002, 300_002));
    let home = prepare(&dir, of("alice"), alice).unwrap();
    assert_eq!(prepare(&dir, of("alice"), alice).unwrap(), home);
    std::fs::write(home.home.join("of-bob"), "").unwrap();
    for (uid, gid) in [(bob.0, bob.0), (300_001, bob.1), (0, 0)] {
        std::os::unix::fs::chown(&home.home, Some(uid), Some(gid)).unwrap();
        let refused = prepare(&dir, of("alice"), alice);
        let expected = (300_001, 300_001);
        assert!(
            matches!(&refused, Err(Error::Owner { found, expected: wanted, .. })
                if *found == (uid, gid) && *wanted == expected),
            "{refused:?}"
        );
    }
}

#[test]
fn a_home_is_measured_with_all_that_is_in_it() {
    let dir = Scratch::new();
    let home = prepare(&dir, of("abc"), None).unwrap();
    let holds = |bytes: u64| home.exceeds(bytes - 1) && !home.exceeds(bytes);
    assert!(!home.exceeds(0), "empty");
    let deep = home.data.join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("file"), vec![7; 1 << 20]).unwrap();
    let (file, place) = (deep.join("file"), |name| home.cache.join(name));
    let before = std::fs::metadata(&file).unwrap().blocks() * 512 + 2 * 4096;
    assert!(holds(before), "two directories and a file");
    std::fs::hard_link(&file, place("again")).unwrap();
    assert!(holds(before), "one file under two names");
    let victim = Scratch::new();
    std::fs::write(victim.join("large"), vec![7; 1 << 20]).unwrap();
    std::os::unix::fs::symlink(&*victim, place("link")).unwrap();
    assert!(holds(before + 4096), "a link is its name alone");
    std::fs::write(place("empty"), "").unwrap();
    assert!(holds(before + 2 * 4096), "names count");
    // Whatever is there for a while only is given back, and what a link leads to is not touched.
    home.clear_scratch().unwrap();
    assert!(victim.join("large").exists() && file.exists());
    assert_eq!(std::fs::read_dir(&home.cache).unwrap().count(), 0, "the directory itself stays");
    assert!(holds(before));
}

#[test]
fn what_cannot_be_measured_exceeds() {
    let dir = Scratch::new();
    let home = prepare(&dir, of("abc"), None).unwrap();
    let mut deep = home.home.clone();
    for _ in 0..200 {
        deep.push("a");
        std::fs::create_dir(&deep).unwrap();
    }
    assert!(home.exceeds(1 << 40), "too deep");
}
