//! Properties of the envelope, and what the key file refuses.

use super::*;
use crate::scratch::Scratch;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_sealed_opens_exactly(aad: Vec<u8>, plain: Vec<u8>) {
        let keys = Keyring::ephemeral().unwrap();
        let sealed = keys.seal(&aad, &plain).unwrap();
        prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        prop_assert_eq!(&*keys.open(&aad, &sealed).unwrap(), &plain);
        let text = keys.seal_text(&aad, &plain).unwrap();
        prop_assert_eq!(&*keys.open_text(&aad, &text).unwrap(), &plain);
    }

    #[test]
    fn any_flipped_bit_is_refused(aad: Vec<u8>, plain: Vec<u8>, at: prop::sample::Index) {
        let keys = Keyring::ephemeral().unwrap();
        let mut sealed = keys.seal(&aad, &plain).unwrap();
        let bit = at.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(keys.open(&aad, &sealed).is_err());
    }

    #[test]
    fn another_binding_is_refused(aad: Vec<u8>, other: Vec<u8>, plain: Vec<u8>) {
        prop_assume!(aad != other);
        let keys = Keyring::ephemeral().unwrap();
        let sealed = keys.seal(&aad, &plain).unwrap();
        prop_assert!(keys.open(&other, &sealed).is_err());
    }

    #[test]
    fn arbitrary_input_is_refused_without_panic(mut noise: Vec<u8>, text: String) {
        let keys = Keyring::ephemeral().unwrap();
        prop_assert!(keys.open(b"", &noise).is_err());
        prop_assert!(keys.open_text(b"", &text).is_err());
        let mut ours = vec![VERSION];
        ours.extend_from_slice(keys.current().as_bytes());
        ours.append(&mut noise);
        prop_assert!(keys.open(b"", &ours).is_err());
    }

    #[test]
    fn every_truncation_is_refused(plain: Vec<u8>, at: prop::sample::Index) {
        let keys = Keyring::ephemeral().unwrap();
        let sealed = keys.seal(b"a", &plain).unwrap();
        prop_assert!(keys.open(b"a", &sealed[..at.index(sealed.len())]).is_err());
    }
}

/// A nonce that comes twice tells which values are equal, and more.
#[test]
fn the_same_value_is_sealed_differently_each_time() {
    let keys = Keyring::ephemeral().unwrap();
    let nonces: std::collections::HashSet<Vec<u8>> = (0..100)
        .map(|_| keys.seal(b"a", b"the same").unwrap()[HEADER_LEN..][..NONCE_LEN].to_vec())
        .collect();
    assert_eq!(nonces.len(), 100);
    let (one, two) = (keys.seal(b"a", b"the same").unwrap(), keys.seal(b"a", b"the same").unwrap());
    assert_ne!(one[HEADER_LEN + NONCE_LEN..], two[HEADER_LEN + NONCE_LEN..]);
}

#[test]
fn another_keyring_opens_nothing() {
    let sealed = Keyring::ephemeral().unwrap().seal(b"", b"x").unwrap();
    assert!(Keyring::ephemeral().unwrap().open(b"", &sealed).is_err());
}

#[test]
fn keys_survive_the_process_and_a_rotation() {
    let dir = Scratch::new();
    let first = Keyring::load_or_create(&dir).unwrap();
    let second = Keyring::load_or_create(&dir).unwrap();
    let old = first.seal(b"a", b"old").unwrap();
    let before = first.current();
    assert_ne!(first.rotate().unwrap(), before);
    let new = first.seal(b"a", b"new").unwrap();
    assert_ne!(sealed_by(&old), sealed_by(&new));
    // The second keyring learns of the rotation from the envelope.
    for keys in [&first, &second] {
        assert_eq!(&**keys.open(b"a", &old).unwrap(), b"old");
        assert_eq!(&**keys.open(b"a", &new).unwrap(), b"new");
    }
    assert_eq!(second.current(), first.current());
}

#[test]
fn many_at_once_agree_on_one_key() {
    let dir = Scratch::new();
    let ids: Vec<KeyId> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Keyring::load_or_create(&dir).unwrap().current()))
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn rotation_stops_before_a_key_is_lost() {
    let dir = Scratch::new();
    let keys = Keyring::load_or_create(&dir).unwrap();
    for _ in 1..MAX_KEYS {
        keys.rotate().unwrap();
    }
    assert!(matches!(keys.rotate(), Err(Error::Full { .. })));
    assert!(Keyring::load_or_create(&dir).is_ok());
    assert!(matches!(Keyring::ephemeral().unwrap().rotate(), Err(Error::NotOurs)));
}

#[test]
fn nothing_printed_tells_a_key() {
    let keys = Keyring::from_key(Zeroizing::new([7; 32]));
    assert!(!format!("{keys:?}").contains("7, 7"));
}

#[cfg(unix)]
#[test]
fn files_that_others_can_touch_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Scratch::new();
    Keyring::load_or_create(&dir).unwrap();
    let file = keyfile::path(&dir);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
    for wrong in [0o640, 0o604, 0o620, 0o602] {
        chmod(&file, wrong);
        assert!(matches!(
            Keyring::load_or_create(&dir),
            Err(Error::File { cause: private_file::Error::Exposed { .. } })
        ));
    }
    chmod(&file, 0o600);
    chmod(&dir, 0o777);
    assert!(matches!(
        Keyring::load_or_create(&dir),
        Err(Error::File { cause: private_file::Error::Exposed { .. } })
    ));
    chmod(&dir, 0o700);
    let moved = dir.join("elsewhere");
    std::fs::rename(&file, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &file).unwrap();
    assert!(matches!(Keyring::load_or_create(&dir), Err(Error::File { .. })));
}

#[test]
fn a_damaged_file_is_refused_and_not_replaced() {
    let dir = Scratch::new();
    Keyring::load_or_create(&dir).unwrap();
    let file = keyfile::path(&dir);
    for text in ["", "mcpwrap-keys-1\n", "mcpwrap-keys-1\nAAAA\n", "\u{fffd}"] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(Keyring::load_or_create(&dir), Err(Error::Malformed { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}
