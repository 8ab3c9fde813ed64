//! Delivers a credential as a file that the child reads, again and again if it likes.
//!
//! The directory belongs to us; the walls around the child let it read there but not write.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::variable::is_variable;
use crate::private_file::{self, Draft};

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name would be no plain file name.
    #[error("{name} is not a name for a credential file")]
    Name {
        /// The name.
        name: String,
    },
    /// It could not be written.
    #[error("write the credential file {name}")]
    File {
        /// The credential's name.
        name: String,
        /// Why not.
        #[source]
        cause: private_file::Error,
    },
}

/// Writes the file, owned by `owner` or by us, in place of an older one, so that a reader sees either the old value or the new one. Blocks.
///
/// # Errors
/// [`Error`].
pub fn write(
    dir: &Path,
    name: &str,
    value: &SecretString,
    owner: Option<(u32, u32)>,
) -> Result<PathBuf, Error> {
    if !is_variable(name) {
        return Err(Error::Name { name: name.to_owned() });
    }
    let path = dir.join(name);
    let value = value.expose_secret().as_bytes();
    private_file::make_directory(dir)
        .and_then(|()| Draft::write(&path, value, owner))
        .and_then(|draft| draft.replace(&path))
        .map_err(|cause| Error::File { name: name.to_owned(), cause })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = Scratch::new();
        for value in ["old and longer", "new"] {
            let path = write(&dir, "TOKEN", &SecretString::from(value), None).unwrap();
            assert_eq!(path, dir.join("TOKEN"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), value);
        }
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn only_plain_names_are_taken() {
        for name in ["", "..", "a/b", "../x", ".x", "a b"] {
            let secret = SecretString::from("s");
            let written = write(Path::new("/nonexistent"), name, &secret, None);
            assert!(matches!(written, Err(Error::Name { .. })), "{name}");
        }
    }
}
