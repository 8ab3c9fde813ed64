//! How a child is walled in, as its owner chooses it. Knows neither how the walls are built nor who the user is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::home::Home;

/// The walls around a child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Walls {
    /// None: the child may do what mcpwrap may do. For the developer's own server.
    #[default]
    None,
    /// The same user id for all, then Landlock and seccomp; see [`OPEN_IN_BASIC`].
    Basic {
        /// What of the file system the child may use.
        paths: Paths,
    },
    /// An identity of its own, then no capabilities, Landlock and seccomp.
    Strict {
        /// What makes the child somebody else than its siblings.
        identity: Identity,
        /// What of the file system the child may use, and with namespaces all that it sees.
        paths: Paths,
    },
}

/// What makes a child somebody else than its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// A user id of its own in mount, pid and ipc namespaces of its own: for root.
    Uid {
        /// The user id.
        uid: u32,
        /// The group id, the only one.
        gid: u32,
    },
    /// A user id of its own alone, where root may not make namespaces; see [`OPEN_WITHOUT_NAMESPACES`].
    UidAlone {
        /// The user id.
        uid: u32,
        /// The group id, the only one.
        gid: u32,
    },
    /// User, mount, pid and ipc namespaces of its own: for everybody but root.
    Namespaces,
}

/// What a child may use of the file system. Whatever is not named is denied, and in a namespace not even there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// Read and executed: the system and the tree of the program.
    pub readable: Vec<PathBuf>,
    /// Read, written and executed: what belongs to the user.
    pub writable: Vec<PathBuf>,
    /// What the child sees as `/tmp`, where it has a mount namespace.
    pub tmp: Option<PathBuf>,
    /// Where a child without a directory of its own starts.
    pub start: Option<PathBuf>,
    /// Never seen, even beneath something readable, but for what is named above: the state directory.
    pub hidden: Vec<PathBuf>,
}

/// Which namespaces the supervisor has to make before the first process of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(super) enum Room {
    /// None.
    Shared,
    /// A pid namespace.
    Pids,
    /// A user namespace, and a pid namespace in it.
    UserAndPids,
}

/// What `basic` leaves open on every kernel: sentences for `check` and start-up.
pub const OPEN_IN_BASIC: &[&str] = &[
    "children of two users see each other's process list, command lines and resource usage",
    "children can change the mode and the times of files that mcpwrap's user owns, although not their contents",
    "children can change each other's scheduling priority",
    "children can use each other's System V shared memory, semaphores and message queues",
    "one user's children can exhaust the number of processes that mcpwrap's user may have",
    "a hostile child that forks faster than it is killed can outlive its reason",
];

/// What an own user id without namespaces leaves open on every kernel.
pub const OPEN_WITHOUT_NAMESPACES: &[&str] = &[
    "children of two users see each other's process list and command lines",
    "children can connect to listening sockets in the file system whose permissions allow everybody",
    "a hostile child that forks faster than it is killed can outlive its reason",
];

/// The system, without what mcpwrap's own user could read there but a stranger should not.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/sbin",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/sys/devices/system/cpu",
    "/run/systemd/resolve/stub-resolv.conf",
];

/// Of `/etc` only what programs need: the rest is where operators keep secrets, mcpwrap's configuration among them.
const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "openssl",
    "os-release",
    "passwd",
    "pki/ca-trust",
    "pki/java",
    "pki/nssdb",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];

// === impl Walls ===

impl Walls {
    /// What of the file system is allowed; nothing is said where there are no walls.
    #[must_use]
    pub fn paths(&self) -> Option<&Paths> {
        match self {
            Self::None => None,
            Self::Basic { paths } | Self::Strict { paths, .. } => Some(paths),
        }
    }

    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn room(&self) -> Room {
        match self {
            Self::Strict { identity: Identity::Uid { .. }, .. } => Room::Pids,
            Self::Strict { identity: Identity::Namespaces, .. } => Room::UserAndPids,
            Self::Strict { identity: Identity::UidAlone { .. }, .. }
            | Self::Basic { .. }
            | Self::None => Room::Shared,
        }
    }

    /// A path that must stay hidden but cannot be: Landlock alone cannot deny what lies beneath something allowed.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn exposed(&self) -> Option<&Path> {
        let paths = self.paths()?;
        let allowed = || paths.readable.iter().chain(&paths.writable);
        let beneath = |hidden: &&PathBuf| allowed().any(|path| hidden.starts_with(path));
        (self.room() == Room::Shared).then(|| paths.hidden.iter().find(beneath))?.map(PathBuf::as_path)
    }
}

// === impl Identity ===

impl Identity {
    /// The user and group id that the child gets; its own namespace keeps those of mcpwrap.
    #[must_use]
    pub fn ids(self) -> Option<(u32, u32)> {
        match self {
            Self::Uid { uid, gid } | Self::UidAlone { uid, gid } => Some((uid, gid)),
            Self::Namespaces => None,
        }
    }
}

// === impl Paths ===

impl Paths {
    /// The system, the trees of the program, and the user's home; the state directory is hidden.
    #[must_use]
    pub fn for_home(home: &Home, trees: &[PathBuf]) -> Self {
        let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
        let system = SYSTEM.iter().map(PathBuf::from);
        Self {
            readable: system.chain(etc).chain(trees.iter().cloned()).collect(),
            writable: home.writable().map(Path::to_owned).into(),
            tmp: Some(home.tmp.clone()),
            start: Some(home.home.clone()),
            hidden: vec![home.state_dir.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beneath_something_allowed_cannot_be_hidden_without_namespaces() {
        let paths = Paths {
            readable: vec!["/opt".into()],
            hidden: vec!["/opt/mcpwrap/state".into()],
            ..Paths::default()
        };
        let basic = Walls::Basic { paths: paths.clone() };
        assert_eq!(basic.exposed(), Some(Path::new("/opt/mcpwrap/state")));
        let strict = Walls::Strict { identity: Identity::Namespaces, paths };
        assert_eq!(strict.exposed(), None);
        assert_eq!(Walls::None.exposed(), None);
    }
}
