//! Authenticated encryption of small values, with named keys so that keys can be rotated.
//!
//! It owns the keys and the envelope: version, key id, nonce, ciphertext. What is sealed, and what it is
//! bound to, only the caller knows; the binding goes into the associated data.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::private_file;

mod keyfile;

/// The only envelope so far; another algorithm would be another number.
const VERSION: u8 = 1;
const ID_LEN: usize = 4;
const HEADER_LEN: usize = 1 + ID_LEN;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
/// How many bytes sealing adds.
pub const OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;
/// Rotation stops here: what an older key sealed would become unreadable without a word.
pub const MAX_KEYS: usize = 64;

/// The keys of this state directory; a clone shares them.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` for keys that live in memory alone or come from elsewhere.
    file: Option<PathBuf>,
    keys: RwLock<Keys>,
}

/// Never empty; the first key is the current one, the newest.
#[derive(Clone)]
struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
}

/// Names a key without telling anything about it that helps to guess it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyId([u8; ID_LEN]);

/// Why a value could not be sealed or opened, or the keys not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file or its directory cannot be used, or others can use it too.
    #[error("use the key file")]
    File {
        /// Which, and why not.
        #[source]
        cause: private_file::Error,
    },
    /// The key file is not one of ours, or was damaged.
    #[error("{} is not a key file", path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// There are [`MAX_KEYS`] keys already.
    #[error("rotate the keys: there are {limit} already")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// The keys are held in memory or come from outside, so there is no file to rotate.
    #[error("rotate the keys: they are not kept in a file")]
    NotOurs,
    /// The system gave no random bytes.
    #[error("get random bytes")]
    Random {
        /// What the system said.
        #[source]
        cause: getrandom::Error,
    },
    /// Wrong key, wrong binding or a changed value; deliberately not told apart.
    #[error("open a sealed value")]
    Refused,
}

// === impl Keyring ===

impl Keyring {
    /// Reads the keys of a state directory, or makes the first one.
    ///
    /// Several processes may do this at once; all of them get the same keys.
    ///
    /// # Errors
    /// Everything but [`Error::Full`], [`Error::NotOurs`] and [`Error::Refused`].
    pub fn load_or_create(state_dir: &Path) -> Result<Self, Error> {
        let file = keyfile::path(state_dir);
        let keys = keyfile::load_or_create(state_dir)?;
        Ok(Self::with(Some(file), keys))
    }

    /// One key that is gone with the process.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn ephemeral() -> Result<Self, Error> {
        Ok(Self::with(None, Keys(vec![Key::random()?])))
    }

    /// One key that the operator keeps elsewhere.
    #[must_use]
    pub fn from_key(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self::with(None, Keys(vec![Key::new(bytes)]))
    }

    fn with(file: Option<PathBuf>, keys: Keys) -> Self {
        Self { inner: Arc::new(Inner { file, keys: RwLock::new(keys) }) }
    }

    /// Makes a new current key; what older keys sealed stays readable.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::NotOurs`] for keys without a file, and what writing the file can meet.
    pub fn rotate(&self) -> Result<KeyId, Error> {
        let file = self.inner.file.as_deref().ok_or(Error::NotOurs)?;
        let keys = keyfile::add(file, Key::random()?)?;
        let id = keys.current().id;
        self.replace(keys);
        Ok(id)
    }

    /// The key that seals now.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.read(|keys| keys.current().id)
    }

    /// Encrypts `plain` and binds it to `aad`.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal_with(aad, |_| Vec::new(), plain)
    }

    /// Like [`seal`](Self::seal), with a part of the associated data that depends on the key's id.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn seal_with(
        &self,
        aad: &[u8],
        more: impl Fn(KeyId) -> Vec<u8>,
        plain: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let key = self.read(|keys| keys.current().clone());
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|cause| Error::Random { cause })?;
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id.0);
        let aad = bound(&sealed, &[aad, &more(key.id)]);
        let payload = Payload { msg: plain, aad: &aad };
        let ciphertext =
            key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Refused)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made for the same `aad`.
    ///
    /// # Errors
    /// [`Error::Refused`] for everything else, whatever it is.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.open_with(aad, |_| Vec::new(), sealed)
    }

    /// Decrypts what [`seal_with`](Self::seal_with) made.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn open_with(
        &self,
        aad: &[u8],
        more: impl Fn(KeyId) -> Vec<u8>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let id = sealed_by(sealed).ok_or(Error::Refused)?;
        let (header, rest) = sealed.split_at(HEADER_LEN);
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Refused)?;
        let key = self.find(id).ok_or(Error::Refused)?;
        let aad = bound(header, &[aad, &more(id)]);
        let payload = Payload { msg: ciphertext, aad: &aad };
        key.cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| Error::Refused)
    }

    /// [`seal`](Self::seal) as text that fits in a URL, a header or JSON.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn seal_text(&self, aad: &[u8], plain: &[u8]) -> Result<String, Error> {
        Ok(URL_SAFE_NO_PAD.encode(self.seal(aad, plain)?))
    }

    /// Opens what [`seal_text`](Self::seal_text) made.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn open_text(&self, aad: &[u8], sealed: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Error::Refused)?;
        self.open(aad, &sealed)
    }

    /// Another process may have rotated: an unknown id is worth one look at the file.
    fn find(&self, id: KeyId) -> Option<Key> {
        if let Some(key) = self.read(|keys| keys.find(id)) {
            return Some(key);
        }
        let keys = keyfile::load(self.inner.file.as_deref()?).ok()?;
        let key = keys.find(id)?;
        self.replace(keys);
        Some(key)
    }

    fn read<T>(&self, look: impl FnOnce(&Keys) -> T) -> T {
        // A poisoned lock still holds whole keys: they are replaced in one assignment.
        look(&self.inner.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, keys: Keys) {
        *self.inner.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("current", &self.current()).finish_non_exhaustive()
    }
}

// === impl Keys ===

impl Keys {
    fn current(&self) -> &Key {
        &self.0[0]
    }

    fn find(&self, id: KeyId) -> Option<Key> {
        self.0.iter().find(|key| key.id == id).cloned()
    }
}

// === impl Key ===

impl Key {
    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let hash =
            Sha256::new().chain_update(b"mcpwrap key id").chain_update(bytes.as_slice()).finalize();
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&hash[..ID_LEN]);
        Self { id: KeyId(id), bytes }
    }

    fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|cause| Error::Random { cause })?;
        Ok(Self::new(bytes))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

// === impl KeyId ===

impl KeyId {
    /// The id as it stands in an envelope.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The key that an envelope names; `None` when it is no envelope of ours.
#[must_use]
pub fn sealed_by(sealed: &[u8]) -> Option<KeyId> {
    let (version, rest) = sealed.split_first()?;
    let (id, _) = rest.split_first_chunk::<ID_LEN>()?;
    (*version == VERSION && sealed.len() >= OVERHEAD).then_some(KeyId(*id))
}

/// Each part with its length, so that two different lists never give the same bytes.
#[must_use]
pub fn bound(header: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut bound = header.to_vec();
    for part in parts {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}

#[cfg(test)]
mod tests;
