//! The specification that stage 2 reads: what to execute, with the secrets. Never in argv, never in an environment.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::open_files::given_open_files;
use super::pid_namespace::PidNamespace;
use crate::process::walls::{Walls, Ways, real};
use crate::process::{ChildCommand, Error};

/// Everything that stage 2 has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spec<'a> {
    pub(super) program: Text<'a>,
    pub(super) args: Vec<Text<'a>>,
    pub(super) env: Vec<(Text<'a>, Text<'a>)>,
    pub(super) cwd: Text<'a>,
    pub(super) walls: Cow<'a, Walls>,
    pub(super) purpose: Purpose<'a>,
    /// The soft limit of descriptors, where mcpwrap raised its own.
    pub(super) open_files: Option<u64>,
}

/// What stage 2 does when the walls stand.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Purpose<'a> {
    /// Becomes the command.
    Execute,
    /// Looks whether it could, and which of these paths the command would find.
    Look(Vec<Text<'a>>),
    /// Becomes nothing, but ends every process of this user id.
    EndAllOf(u32),
}

/// A string of the system, which need not be UTF-8: a JSON string where it is, else a list of bytes.
pub(super) struct Text<'a>(pub(super) Cow<'a, OsStr>);

/// Counts what is written, so that the buffer that holds secrets is never moved while it grows.
struct Count(usize);

// === impl Spec ===

impl<'a> Spec<'a> {
    /// The encoded specification of a command; the buffer is wiped when dropped.
    pub(super) fn encode(
        command: &'a ChildCommand,
        purpose: Purpose<'a>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let root = command.walls.ids().is_some_and(|(uid, gid)| uid == 0 || gid == 0);
        if root || matches!(purpose, Purpose::EndAllOf(0)) {
            return Err(Error::RootIdentity);
        }
        if let Some(path) = exposed(&command.walls) {
            return Err(Error::Exposed { path });
        }
        let start = command.walls.paths().and_then(|paths| paths.start.as_ref());
        let cwd = match command.cwd.as_ref().or(start) {
            Some(path) => Cow::Borrowed(path.as_os_str()),
            None => {
                let path =
                    std::env::current_dir().map_err(|source| Error::CurrentDirectory { source })?;
                Cow::Owned(path.into_os_string())
            }
        };
        let set = command.env.assignments()?;
        let inherited = command.env.inheritance().into_iter();
        let env = inherited
            .filter(|(name, _)| !set.contains_key(name.as_os_str()))
            .map(|(name, value)| (Text(Cow::Owned(name)), Text(Cow::Owned(value))))
            .chain(set.iter().map(|(name, value)| {
                (Text(Cow::Borrowed(*name)), Text(Cow::Borrowed(OsStr::new(*value))))
            }))
            .collect();
        let spec = Spec {
            program: Text(Cow::Borrowed(&command.program)),
            args: command.args.iter().map(|arg| Text(Cow::Borrowed(arg.as_os_str()))).collect(),
            env,
            cwd: Text(cwd),
            walls: Cow::Borrowed(&command.walls),
            purpose,
            open_files: given_open_files(),
        };
        if spec.args.iter().chain([&spec.program, &spec.cwd]).any(Text::holds_zero) {
            return Err(Error::ZeroByte);
        }
        let mut count = Count(0);
        serde_json::to_writer(&mut count, &spec).map_err(|_| Error::PathText)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(count.0));
        serde_json::to_writer(&mut *bytes, &spec).map_err(|_| Error::PathText)?;
        Ok(bytes)
    }
}

/// A path that must stay hidden but cannot be: Landlock alone cannot deny what lies beneath something allowed.
fn exposed(walls: &Walls) -> Option<PathBuf> {
    let paths = walls.paths()?;
    if PidNamespace::of(walls) != PidNamespace::Shared {
        return None;
    }
    let allowed: Vec<PathBuf> =
        paths.readable.iter().chain(&paths.writable).map(|path| real(path)).collect();
    let beneath = |hidden: &PathBuf| allowed.iter().any(|path| hidden.starts_with(path));
    Ways::to_all(&paths.hidden).into_iter().find(beneath)
}

// === impl Text ===

impl<'a> Text<'a> {
    pub(super) fn of(path: &'a Path) -> Self {
        Self(Cow::Borrowed(path.as_os_str()))
    }
}

impl Text<'_> {
    fn holds_zero(&self) -> bool {
        self.0.as_bytes().contains(&0)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrBytes;

        impl<'de> Visitor<'de> for StringOrBytes {
            type Value = OsString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of bytes")
            }

            fn visit_str<E>(self, text: &str) -> Result<OsString, E> {
                Ok(text.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OsString, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = list.next_element()? {
                    bytes.push(byte);
                }
                Ok(OsString::from_vec(bytes))
            }
        }

        deserializer.deserialize_any(StringOrBytes).map(|text| Text(Cow::Owned(text)))
    }
}

// === impl Count ===

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Environment;
    use crate::process::walls::{Identity, Paths};

    #[test]
    fn any_string_of_the_system_survives() {
        let odd = OsString::from_vec(vec![b'a', 0xff, b'"']);
        let command = ChildCommand {
            program: "prog".into(),
            args: vec![odd.clone(), "ü\n".into()],
            env: Environment::cleared().with("TOKEN", "s\"ecret"),
            cwd: Some("/tmp".into()),
            name: "test".into(),
            walls: Walls::None,
        };
        let bytes = Spec::encode(&command, Purpose::Execute).unwrap();
        assert_eq!(bytes.len(), bytes.capacity());
        let spec: Spec<'_> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(spec.args[0].0, odd.as_os_str());
        assert_eq!(spec.args[1].0, OsStr::new("ü\n"));
        assert_eq!(spec.env[0].1.0, OsStr::new("s\"ecret"));
        assert!(!format!("{spec:?}").contains("ecret"));
    }

    #[test]
    fn what_lies_beneath_something_allowed_cannot_be_hidden_without_namespaces() {
        let paths = Paths {
            readable: vec!["/opt".into()],
            hidden: vec!["/opt/mcpwrap/state".into()],
            ..Paths::default()
        };
        let basic = Walls::Basic { paths: paths.clone() };
        assert_eq!(exposed(&basic), Some(PathBuf::from("/opt/mcpwrap/state")));
        let strict = Walls::Strict { identity: Identity::Namespaces, paths };
        assert_eq!(exposed(&strict), None);
        assert_eq!(exposed(&Walls::None), None);
    }
}
