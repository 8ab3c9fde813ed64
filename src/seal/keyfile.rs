//! The file that holds the keys, never seen half-written.
//!
//! One key per line, the current one first. It knows nothing of what the keys seal.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Error, Key, Keys, MAX_KEYS};
use crate::private_file::{self, Draft};

const NAME: &str = "keys";
const TITLE: &str = "mcpwrap-keys-1";
/// [`MAX_KEYS`] lines are shorter than this.
const MAX_FILE: u64 = 8 * 1024;

/// Where the keys of a state directory are.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

pub(super) fn load_or_create(state_dir: &Path) -> Result<Keys, Error> {
    private_file::make_directory(state_dir).map_err(unusable)?;
    let path = path(state_dir);
    match load(&path) {
        Err(Error::File { cause: private_file::Error::Absent { .. } }) => {}
        other => return other,
    }
    // When somebody else was first, his keys are ours too.
    let draft = draft(&path, &Keys(vec![Key::random()?]))?;
    draft.place(&path).and_then(|()| private_file::sync_directory(state_dir)).map_err(unusable)?;
    load(&path)
}

pub(super) fn load(path: &Path) -> Result<Keys, Error> {
    let file = private_file::open(path).map_err(unusable)?;
    // The whole size at once: a buffer that grows leaves copies of keys behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    let io = |cause| unusable(private_file::Error::Io { path: path.to_owned(), cause });
    file.take(MAX_FILE).read_to_string(&mut text).map_err(io)?;
    parse(&text).ok_or_else(|| Error::Malformed { path: path.to_owned() })
}

/// Puts a key before the others. A lock keeps two rotations from losing one another's key.
pub(super) fn add(path: &Path, key: Key) -> Result<Keys, Error> {
    let lock = path.with_extension("lock");
    let locked = private_file::open_or_create(&lock).map_err(unusable)?;
    locked.lock().map_err(|cause| unusable(private_file::Error::Io { path: lock, cause }))?;
    let mut keys = load(path)?;
    if keys.0.len() >= MAX_KEYS {
        return Err(Error::Full { limit: MAX_KEYS });
    }
    keys.0.insert(0, key);
    let directory = path.parent().unwrap_or(Path::new("."));
    let replaced = draft(path, &keys)?.replace(path);
    replaced.and_then(|()| private_file::sync_directory(directory)).map_err(unusable)?;
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

fn draft(path: &Path, keys: &Keys) -> Result<Draft, Error> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    text.push_str(TITLE);
    text.push('\n');
    for key in &keys.0 {
        STANDARD.encode_string(key.bytes.as_slice(), &mut text);
        text.push('\n');
    }
    let draft = Draft::write(path, text.as_bytes(), None).map_err(unusable)?;
    draft.sync().map_err(unusable)?;
    Ok(draft)
}

fn unusable(cause: private_file::Error) -> Error {
    Error::File { cause }
}
