//! The file that holds the keys: readable by its owner alone, never seen half-written.
//!
//! One key per line, the current one first. It knows nothing of what the keys seal.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Error, Key, Keys, MAX_KEYS};

const NAME: &str = "keys";
const TITLE: &str = "mcpwrap-keys-1";
/// [`MAX_KEYS`] lines are shorter than this.
const MAX_FILE: u64 = 8 * 1024;

/// Where the keys of a state directory are.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

pub(super) fn load_or_create(state_dir: &Path) -> Result<Keys, Error> {
    make_directory(state_dir)?;
    let path = path(state_dir);
    match load(&path) {
        Err(Error::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {}
        other => return other,
    }
    let keys = Keys(vec![Key::random()?]);
    let draft = write_draft(&path, &keys)?;
    // A link, unlike a rename, fails when somebody else was first; then his keys are ours too.
    let linked = fs::hard_link(&draft, &path);
    let _ = fs::remove_file(&draft);
    match linked {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => Err(Error::Io { path, cause }),
        _ => {
            sync(state_dir)?;
            load(&path)
        }
    }
}

pub(super) fn load(path: &Path) -> Result<Keys, Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let file = open(path).map_err(io)?;
    if !is_private(&file.metadata().map_err(io)?) {
        return Err(Error::Exposed { path: path.to_owned() });
    }
    // The whole size at once: a buffer that grows leaves copies of keys behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(io)?;
    parse(&text).ok_or_else(|| Error::Malformed { path: path.to_owned() })
}

/// Puts a key before the others. A lock keeps two rotations from losing one another's key.
pub(super) fn add(path: &Path, key: Key) -> Result<Keys, Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let lock =
        private().create(true).truncate(false).open(path.with_extension("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let mut keys = load(path)?;
    if keys.0.len() >= MAX_KEYS {
        return Err(Error::Full { limit: MAX_KEYS });
    }
    keys.0.insert(0, key);
    let draft = write_draft(path, &keys)?;
    fs::rename(&draft, path).map_err(io)?;
    sync(path.parent().unwrap_or(Path::new(".")))?;
    Ok(keys)
}

fn parse(text: &str) -> Option<Keys> {
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return None;
    }
    let keys: Option<Vec<Key>> = lines
        .map(|line| {
            let mut bytes = Zeroizing::new([0; 32]);
            let decoded = Zeroizing::new(STANDARD.decode(line).ok()?);
            if decoded.len() != bytes.len() {
                return None;
            }
            bytes.copy_from_slice(&decoded);
            Some(Key::new(bytes))
        })
        .collect();
    keys.filter(|keys| !keys.is_empty() && keys.len() <= MAX_KEYS).map(Keys)
}

fn write_draft(path: &Path, keys: &Keys) -> Result<PathBuf, Error> {
    let suffix = getrandom::u64().map_err(|cause| Error::Random { cause })?;
    let draft = path.with_extension(format!("{suffix:016x}"));
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    text.push_str(TITLE);
    text.push('\n');
    for key in &keys.0 {
        STANDARD.encode_string(key.bytes.as_slice(), &mut text);
        text.push('\n');
    }
    let write = || -> std::io::Result<()> {
        let mut file = private().create_new(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|cause| {
        let _ = fs::remove_file(&draft);
        Error::Io { path: draft.clone(), cause }
    })?;
    Ok(draft)
}

fn make_directory(path: &Path) -> Result<(), Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io)?;
    if is_ours_to_write(&fs::metadata(path).map_err(io)?) {
        Ok(())
    } else {
        Err(Error::Exposed { path: path.to_owned() })
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // A link could point at a file that others fill; a pipe would make us wait for ever.
        options
            .custom_flags((nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK).bits());
    }
    options.open(path)
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.is_file() && metadata.mode() & 0o077 == 0 && owned(metadata)
}

/// Others may look into the directory, but not replace what is in it.
#[cfg(unix)]
fn is_ours_to_write(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.is_dir() && metadata.mode() & 0o022 == 0 && owned(metadata)
}

#[cfg(unix)]
fn owned(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid() == nix::unistd::geteuid().as_raw() || metadata.uid() == 0
}

#[cfg(not(unix))]
fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.is_file()
}

#[cfg(not(unix))]
fn is_ours_to_write(metadata: &fs::Metadata) -> bool {
    metadata.is_dir()
}

/// A name is durable only when its directory is.
fn sync(directory: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|cause| Error::Io { path: directory.to_owned(), cause })?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}
