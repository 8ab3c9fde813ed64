//! How a child is walled in, as its owner chooses it. Knows neither how the walls are built nor who the user is.

#[cfg(unix)]
mod denied;
#[cfg(unix)]
mod hidden;
#[cfg(unix)]
mod ways;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[cfg(unix)]
pub use denied::{Denied, Looks};
#[cfg(unix)]
pub use hidden::{Hidden, Showing, real};
#[cfg(unix)]
pub use ways::Ways;

#[cfg(unix)]
use super::home::Home;

/// The walls around a child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Walls {
    /// None: the child may do what mcpwrap may do. For the developer's own server.
    #[default]
    None,
    /// The same user id for all, then Landlock and seccomp; see [`Findings::open`].
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
    /// A user id of its own alone, where root may not make namespaces; see [`Findings::open`].
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
    /// Never seen, even beneath something readable, but for what is named above: the state directory, and whatever
    /// else holds a secret. By their names: where those lead is looked up at each start.
    pub hidden: Vec<PathBuf>,
    /// How many bytes the largest file has that the child may write; no limit of ours, where absent.
    pub largest_file: Option<u64>,
}

/// The kinds of walls that a machine may permit, from the highest to the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Strict, by [`Identity::Uid`].
    Uid,
    /// Strict, by [`Identity::Namespaces`].
    Namespaces,
    /// Strict, by [`Identity::UidAlone`].
    UidAlone,
    /// [`Walls::Basic`].
    Basic,
}

/// What this machine permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// What can be built, best first.
    pub possible: Vec<Form>,
    /// What cannot, and why.
    pub refusals: Vec<Refusal>,
    /// The kernel's version of Landlock, 0 where there is none.
    pub landlock: i32,
}

/// A form of walls that cannot be built here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub form: Form,
    /// What the first step that failed said.
    pub reason: String,
}

/// What a form leaves open: from which version of Landlock on it is closed, for whom it is open, and what it is.
const OPEN: &[(i32, &[Form], &str)] = &[
    (
        i32::MAX,
        ALL,
        "children share the network, loopback and its ports included, and see its connections in /proc/net",
    ),
    (i32::MAX, ALONE, "children see what is mounted on the machine, and where"),
    (6, ALL, "children can connect to each other's abstract sockets"),
    (6, &[Form::Basic], "children can signal each other and mcpwrap"),
    (i32::MAX, ALONE, "children see each other's processes and command lines"),
    (
        i32::MAX,
        ALONE,
        "children see size and times of files in the state directory whose names they know",
    ),
    (i32::MAX, ALONE, "a hostile child that forks faster than it is killed can outlive its reason"),
    (
        i32::MAX,
        ALONE,
        "children have no shared memory: System V calls, message queues and /dev/shm are denied",
    ),
    (
        9,
        ALONE,
        "children can connect to sockets in the file system whose permissions let their user id",
    ),
    (
        i32::MAX,
        &[Form::Basic],
        "children can change mode and times of files of mcpwrap's user, though not read or write them",
    ),
    (
        i32::MAX,
        &[Form::Basic],
        "children see which descriptors each other and mcpwrap have open, though not what they are",
    ),
    (
        i32::MAX,
        &[Form::Basic],
        "one user's children can use up the number of processes that mcpwrap's user may have",
    ),
];
const ALL: &[Form] = &[Form::Uid, Form::Namespaces, Form::UidAlone, Form::Basic];
const ALONE: &[Form] = &[Form::UidAlone, Form::Basic];

/// The system, without what mcpwrap's own user could read there but a stranger should not.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/sbin",
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

    /// The user and group id that the child gets; elsewhere it keeps those of mcpwrap.
    #[must_use]
    pub fn ids(&self) -> Option<(u32, u32)> {
        if let Self::Strict { identity, .. } = self { identity.ids() } else { None }
    }
}

// === impl Findings ===

impl Findings {
    /// The best strict form, if there is one.
    #[must_use]
    pub fn strict(&self) -> Option<Form> {
        self.possible.iter().copied().filter(|form| *form != Form::Basic).min()
    }

    /// What a form leaves open on this kernel, as sentences without an end.
    #[must_use]
    pub fn open(&self, form: Form) -> Vec<&'static str> {
        let open = OPEN
            .iter()
            .filter(|(closed, forms, _)| self.landlock < *closed && forms.contains(&form));
        open.map(|(_, _, sentence)| *sentence).collect()
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
    /// The system and nothing else.
    #[must_use]
    pub fn system() -> Self {
        let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
        let system = SYSTEM.iter().map(PathBuf::from);
        Self { readable: system.chain(etc).collect(), ..Self::default() }
    }

    #[cfg(unix)]
    /// The system, the trees of the program, and the user's home; the state directory is hidden.
    #[must_use]
    pub fn for_home(home: &Home, trees: &[PathBuf]) -> Self {
        let mut paths = Self::system();
        paths.readable.extend_from_slice(trees);
        paths.in_home(home)
    }

    #[cfg(unix)]
    /// With the user's home; the state directory around it is hidden.
    #[must_use]
    pub fn in_home(mut self, home: &Home) -> Self {
        self.writable.extend(home.writable().map(Path::to_owned));
        self.tmp = Some(home.tmp.clone());
        self.start = Some(home.home.clone());
        self.hidden.push(home.state_dir.clone());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_depends_on_the_form_and_the_kernel() {
        let on =
            |landlock| Findings { possible: vec![Form::Basic], refusals: Vec::new(), landlock };
        let count = |landlock, form| on(landlock).open(form).len();
        assert_eq!(count(7, Form::Uid), 1, "the network alone");
        assert_eq!(count(7, Form::Namespaces), 1, "the network alone");
        assert_eq!(count(5, Form::Namespaces), 2);
        assert!(count(7, Form::UidAlone) < count(7, Form::Basic));
        assert!(count(9, Form::Basic) < count(6, Form::Basic));
        assert_eq!(on(0).strict(), None);
        let all = vec![Form::Basic, Form::UidAlone, Form::Uid, Form::Namespaces];
        let highest = Findings { possible: all.clone(), ..on(7) };
        assert_eq!(highest.strict(), Some(Form::Uid));
        let further = all.into_iter().filter(|form| *form != Form::Uid).collect();
        assert_eq!(Findings { possible: further, ..on(7) }.strict(), Some(Form::Namespaces));
    }
}
