//! Which files are believed, and that what is made is for its owner alone.

use secrecy::ExposeSecret as _;

use super::*;
use crate::scratch::Scratch;

/// A file with this mode.
#[cfg(unix)]
fn file(dir: &Scratch, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[cfg(unix)]
fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn what_we_keep_is_for_nobody_else() {
    let dir = Scratch::new();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        let path = file(&dir, "kept", b"k", mode);
        for opened in [open(&path), open_or_create(&path)] {
            assert!(matches!(opened, Err(Error::Exposed { .. })), "{mode:o}");
        }
    }
    let path = file(&dir, "kept", b"k", 0o600);
    assert!(open(&path).is_ok() && open_or_create(&path).is_ok());
    let link = dir.join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(open(&link), Err(Error::Io { .. })));
    assert!(matches!(open(&dir.join("none")), Err(Error::Absent { .. })));
    assert!(matches!(open(&dir), Err(Error::Exposed { .. })));
}

#[cfg(unix)]
#[test]
fn what_we_make_is_for_nobody_else() {
    let dir = Scratch::new();
    let inner = dir.join("a/b");
    make_directory(&inner).unwrap();
    make_directory(&inner).unwrap();
    open_or_create(&inner.join("new")).unwrap().write_all(b"1").unwrap();
    open_or_create(&inner.join("new")).unwrap().write_all(b"2").unwrap();
    open_log(&inner.join("log")).unwrap();
    let modes = ["", "new", "log"].map(|name| mode_of(&inner.join(name)));
    assert_eq!((modes[0], modes[1], modes[2] & 0o137), (0o700, 0o600, 0));
    assert_eq!(fs::read(inner.join("new")).unwrap(), b"12");
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(make_directory(&inner), Err(Error::Exposed { .. })));
}

#[cfg(unix)]
#[test]
fn what_an_operator_gives_us_may_be_a_link_and_for_other_readers() {
    let dir = Scratch::new();
    let path = file(&dir, "given", b"s3cret\r\n", 0o644);
    let link = dir.join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        assert_eq!(read_secret(path, Readers::Others).unwrap().expose_secret(), "s3cret");
        let refused = read_secret(path, Readers::Owner);
        assert!(matches!(refused, Err(Error::Exposed { .. })));
    }
    let open = file(&dir, "open", b"s", 0o620);
    assert!(matches!(read_secret(&open, Readers::Others), Err(Error::Writable { .. })));
    let own = file(&dir, "own", b"s", 0o400);
    assert!(read_secret(&own, Readers::Owner).is_ok());
}

/// Its owner could change it, or make it readable for himself again.
#[cfg(unix)]
#[test]
fn what_belongs_to_somebody_else_is_not_believed() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = Scratch::new();
    let path = file(&dir, "given", b"s", 0o400);
    let own = fs::metadata(&path).unwrap();
    let root = nix::unistd::geteuid().is_root();
    assert!(is_ours(&own));
    // Only root can give a file away; everybody else finds one that is neither his nor root's nowhere for certain.
    if root {
        std::os::unix::fs::chown(&path, Some(own.uid() + 54_321), None).unwrap();
        for readers in [Readers::Owner, Readers::Others] {
            let read = read_secret(&path, readers);
            assert!(matches!(read, Err(Error::Foreign { .. })), "{readers:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_secret_is_refused() {
    let dir = Scratch::new();
    let long = vec![b'x'; MAX_SECRET + 1];
    for (name, bytes) in
        [("empty", b"\n".as_slice()), ("long", &long), ("zero", b"a\0b"), ("bytes", b"\xff")]
    {
        let path = file(&dir, name, bytes, 0o600);
        let read = read_secret(&path, Readers::Owner);
        assert!(matches!(read, Err(Error::Unfit { .. })), "{name}");
    }
    let pipe = dir.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for path in [&pipe, &dir.to_path_buf()] {
        assert!(matches!(read_secret(path, Readers::Others), Err(Error::Unfit { .. })));
    }
}

#[test]
fn a_draft_becomes_the_file_or_nothing() {
    let dir = Scratch::new();
    let path = dir.join("file");
    let names = || fs::read_dir(&dir).unwrap().count();
    drop(Draft::write(&path, b"dropped", None).unwrap());
    assert_eq!(names(), 0);
    Draft::write(&path, b"first", None).unwrap().place(&path).unwrap();
    Draft::write(&path, b"too late", None).unwrap().place(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"first");
    Draft::write(&path, b"second", None).unwrap().replace(&path).unwrap();
    assert_eq!((fs::read(&path).unwrap(), names()), (b"second".to_vec(), 1));
    #[cfg(unix)]
    assert_eq!(mode_of(&path), 0o600);
}

#[cfg(unix)]
#[test]
fn a_link_in_its_place_is_replaced_not_followed() {
    let dir = Scratch::new();
    let victim = file(&dir, "victim", b"untouched", 0o600);
    let path = dir.join("file");
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    Draft::write(&path, b"s", None).unwrap().replace(&path).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}
