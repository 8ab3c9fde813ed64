//! Where the store's master key comes from when it is not kept beside the store.
//!
//! It knows the three places and the two spellings of 32 bytes; what the key seals is not its business.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::os_keyring;
use crate::hex;
use crate::private_file::{self, Readers};
use crate::seal::Keyring;

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
    /// The file cannot be read, or others can read it too.
    #[error("read the master key")]
    File {
        /// Why not.
        #[source]
        cause: private_file::Error,
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

    /// Fetches the key; `variable` knows the wrapper's own environment.
    ///
    /// # Errors
    /// Everything but [`Error::Unknown`].
    pub async fn load(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Keyring, Error> {
        let text = match self {
            Self::Keyring { service, account } => os_keyring::get(service, account)
                .await
                .map_err(|cause| Error::Keyring { cause })?
                .ok_or_else(|| Error::Absent { place: format!("keyring:{service}/{account}") })?,
            Self::File(path) => private_file::read_secret(path, Readers::Owner)
                .map_err(|cause| Error::File { cause })?,
            Self::Env(name) => variable(name)
                .map(SecretString::from)
                .ok_or_else(|| Error::Absent { place: format!("env:{name}") })?,
        };
        decode(text.expose_secret().trim()).map(Keyring::from_key)
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let bytes = if text.len() == 64 {
        hex::decode(text)
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
