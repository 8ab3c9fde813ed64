//! Where the store's master key comes from when it is not kept beside the store.
//!
//! It knows the three places and the two spellings of 32 bytes; what the key seals is not its business.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::os_keyring;
use crate::seal::Keyring;

/// A key as text is shorter than this; the rest of a longer file is not read.
const MAX_TEXT: u64 = 256;

/// A place that holds one master key: `keyring:SERVICE/ACCOUNT`, `file:PATH` or `env:VAR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The OS keyring.
    Keyring {
        /// The entry's service.
        service: String,
        /// The entry's account.
        account: String,
    },
    /// A file of the operator.
    File(PathBuf),
    /// A variable of the wrapper's own environment.
    Env(String),
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text names no place.
    #[error("a master key is keyring:SERVICE/ACCOUNT, file:PATH or env:VAR")]
    Unknown,
    /// The keyring failed.
    #[error("read the master key")]
    Keyring {
        /// What the keyring said.
        #[source]
        cause: os_keyring::Error,
    },
    /// The file cannot be read.
    #[error("read the master key from {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Others than the owner may read or replace the file.
    #[error("the master key file {} is open to other users", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing at that place.
    #[error("there is no master key at {place}")]
    Absent {
        /// The place as it was written.
        place: String,
    },
    /// What is there is not a key.
    #[error("the master key must be 32 bytes in hex or base64")]
    Malformed,
}

// === impl KeySource ===

impl KeySource {
    /// Reads a place from its text.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("keyring", rest)) => match rest.split_once('/') {
                Some((service, account)) if !service.is_empty() && !account.is_empty() => {
                    Ok(Self::Keyring { service: service.to_owned(), account: account.to_owned() })
                }
                _ => Err(Error::Unknown),
            },
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            _ => Err(Error::Unknown),
        }
    }

    /// Fetches the key.
    ///
    /// # Errors
    /// Everything but [`Error::Unknown`].
    pub async fn load(&self) -> Result<Keyring, Error> {
        let text = match self {
            Self::Keyring { service, account } => os_keyring::get(service, account)
                .await
                .map_err(|cause| Error::Keyring { cause })?
                .ok_or_else(|| Error::Absent { place: format!("keyring:{service}/{account}") })?,
            Self::File(path) => read(path)?,
            Self::Env(name) => std::env::var(name)
                .map(SecretString::from)
                .map_err(|_| Error::Absent { place: format!("env:{name}") })?,
        };
        decode(text.expose_secret().trim()).map(Keyring::from_key)
    }
}

fn read(path: &std::path::Path) -> Result<SecretString, Error> {
    use std::io::Read as _;
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
    }
    let file = options.open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.mode() & 0o077 != 0 {
            return Err(Error::Exposed { path: path.to_owned() });
        }
    }
    if !metadata.is_file() {
        return Err(Error::Malformed);
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT as usize));
    file.take(MAX_TEXT).read_to_string(&mut text).map_err(io)?;
    Ok(SecretString::from(text.as_str()))
}

fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let bytes = if text.len() == 64 {
        hex(text)
    } else {
        [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
            .iter()
            .find_map(|engine| engine.decode(text).ok())
    };
    let bytes = Zeroizing::new(bytes.ok_or(Error::Malformed)?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(Error::Malformed);
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(*pair.first()?)?, digit(*pair.get(1)?)?);
            u8::try_from(high * 16 + low).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_hex_or_base64() {
        let key = [0xfb; 32];
        for text in
            ["fb".repeat(32), "FB".repeat(32), STANDARD.encode(key), URL_SAFE_NO_PAD.encode(key)]
        {
            assert_eq!(*decode(&text).unwrap(), key, "{text}");
        }
        for text in ["", "fb", &"fb".repeat(31), &"zz".repeat(32), "not a key"] {
            assert!(matches!(decode(text), Err(Error::Malformed)), "{text}");
        }
    }

    #[test]
    fn a_place_has_a_scheme() {
        assert_eq!(
            KeySource::parse("keyring:mcpwrap/master").unwrap(),
            KeySource::Keyring { service: "mcpwrap".into(), account: "master".into() }
        );
        for text in ["", "file:", "env:", "keyring:a", "keyring:/a", "s3:x", "fb"] {
            assert!(KeySource::parse(text).is_err(), "{text}");
        }
    }
}
