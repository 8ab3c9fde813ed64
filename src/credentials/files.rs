//! Delivers a credential as a file that the child reads, again and again if it likes.
//!
//! The directory belongs to us; the walls around the child let it read there but not write.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::spec::is_variable;

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
    #[error("write the credential file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The system gave no random bytes.
    #[error("get random bytes")]
    Random {
        /// What the system said.
        #[source]
        cause: getrandom::Error,
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
    let io = |cause| Error::Io { path: path.clone(), cause };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        builder.mode(0o700);
        options.mode(0o600);
    }
    builder.create(dir).map_err(io)?;
    let suffix = getrandom::u64().map_err(|cause| Error::Random { cause })?;
    let draft = dir.join(format!(".{name}.{suffix:016x}"));
    let done = options
        .open(&draft)
        .and_then(|mut file| {
            give(&file, owner)?;
            file.write_all(value.expose_secret().as_bytes())
        })
        .and_then(|()| fs::rename(&draft, &path));
    if let Err(cause) = done {
        let _ = fs::remove_file(&draft);
        return Err(io(cause));
    }
    Ok(path)
}

/// Gives the file to its user, where users have ids of their own.
fn give(file: &fs::File, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::fchown(file, Some(uid), Some(gid))?;
    }
    #[cfg(not(unix))]
    let _ = (file, owner);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::tests::Scratch;

    #[test]
    fn a_file_is_private_and_replaced_whole() {
        let dir = Scratch::new();
        for value in ["old and longer", "new"] {
            let path = write(&dir.0, "TOKEN", &SecretString::from(value), None).unwrap();
            assert_eq!(path, dir.0.join("TOKEN"));
            assert_eq!(fs::read_to_string(&path).unwrap(), value);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
                assert_eq!((mode(&path), mode(&dir.0)), (0o600, 0o700));
            }
        }
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_replaced_not_followed() {
        let dir = Scratch::new();
        fs::create_dir(&dir.0).unwrap();
        let victim = dir.0.join("victim");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, dir.0.join("TOKEN")).unwrap();
        write(&dir.0, "TOKEN", &SecretString::from("s"), None).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
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
