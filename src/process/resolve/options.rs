//! The options of `npx` and `uvx` that say how to install, not what runs: from `npm config ls -l` and `uv tool run --help`.
//!
//! What is not here is refused, because it may change what runs or name a file that the installer must not see:
//! `--call`, `--workspace`, `--prefix`, `--env-file`, `--with-editable`, `--project`.

/// Who installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    /// Node packages.
    Npm,
    /// Python packages.
    Uv,
}

/// What an option means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Makes no difference here.
    Ignored,
    /// Makes no difference here, and has a value.
    IgnoredValue,
    /// Names a package to run from.
    From,
    /// Names a further package.
    With,
    /// Is passed on.
    Passed,
    /// Is passed on with its value.
    PassedValue,
}

type Table = &'static [(Known, &'static [&'static str])];

const NPM: Table = &[
    (
        Known::Ignored,
        &[
            "-y",
            "--yes",
            "-q",
            "--quiet",
            "-s",
            "--silent",
            "-d",
            "-dd",
            "-ddd",
            "--verbose",
            "--prefer-online",
            "--prefer-offline",
            "--progress",
            "--no-progress",
            "--audit",
            "--no-audit",
            "--fund",
            "--no-fund",
            "--update-notifier",
            "--no-update-notifier",
            "--timing",
            "--no-timing",
            "--unicode",
            "--no-unicode",
        ],
    ),
    (Known::IgnoredValue, &["--loglevel", "--logs-dir", "--logs-max", "--cache"]),
    (Known::From, &["-p", "--package"]),
    (
        Known::Passed,
        &[
            "-f",
            "--force",
            "--ignore-scripts",
            "--legacy-peer-deps",
            "--strict-peer-deps",
            "--engine-strict",
            "--offline",
            "--no-optional",
            "--strict-ssl",
            "--no-strict-ssl",
        ],
    ),
    (
        Known::PassedValue,
        &[
            "--registry",
            "--reg",
            "--replace-registry-host",
            "--proxy",
            "--https-proxy",
            "--noproxy",
            "--fetch-retries",
            "--fetch-retry-factor",
            "--fetch-retry-mintimeout",
            "--fetch-retry-maxtimeout",
            "--fetch-timeout",
            "--maxsockets",
            "--before",
            "--min-release-age",
            "--tag",
            "--omit",
            "--include",
            "--os",
            "--cpu",
            "--libc",
            "--install-strategy",
        ],
    ),
];

const UV: Table = &[
    (
        Known::Ignored,
        &["-q", "--quiet", "-v", "--verbose", "--isolated", "--no-progress", "--no-env-file"],
    ),
    (Known::IgnoredValue, &["--color", "--cache-dir", "--link-mode"]),
    (Known::From, &["--from"]),
    (Known::With, &["-w", "--with"]),
    (
        Known::Passed,
        &[
            "--no-index",
            "-U",
            "--upgrade",
            "--reinstall",
            "--refresh",
            "--no-sources",
            "--compile-bytecode",
            "--no-build-isolation",
            "--no-build",
            "--no-binary",
            "-n",
            "--no-cache",
            "--managed-python",
            "--no-managed-python",
            "--no-python-downloads",
            "--offline",
            "--system-certs",
            "--native-tls",
            "--no-config",
            "--lfs",
        ],
    ),
    (
        Known::PassedValue,
        &[
            "-p",
            "--python",
            "--index",
            "--default-index",
            "-i",
            "--index-url",
            "--extra-index-url",
            "-f",
            "--find-links",
            "--index-strategy",
            "--keyring-provider",
            "--resolution",
            "--prerelease",
            "--fork-strategy",
            "--exclude-newer",
            "--exclude-newer-package",
            "-P",
            "--upgrade-package",
            "--reinstall-package",
            "--refresh-package",
            "-C",
            "--config-setting",
            "--no-build-package",
            "--no-binary-package",
            "--no-build-isolation-package",
            "--allow-insecure-host",
            "--python-platform",
            "--torch-backend",
        ],
    ),
];

/// What an option of an installer means, if it is known.
pub(super) fn known(installer: Installer, option: &str) -> Option<Known> {
    let table = match installer {
        Installer::Npm => NPM,
        Installer::Uv => UV,
    };
    table.iter().find(|(_, names)| names.contains(&option)).map(|(known, _)| *known)
}

// === impl Installer ===

impl Installer {
    /// How an operator calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Npm => "npx",
            Self::Uv => "uvx",
        }
    }
}
