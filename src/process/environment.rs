//! What an isolated child finds in its environment before any credential is added.

use std::ffi::OsString;

use super::{Environment, home::Home};

/// What is passed on from mcpwrap's own environment: nothing that says who the operator is or what he may do.
const PASSED_ON: &[&str] =
    &["PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];
/// The categories of a locale.
const LOCALE: &str = "LC_";
/// Where programs are looked for if mcpwrap itself has no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The environment of an isolated child: an allow-list, his own directories, and who he is.
#[must_use]
pub fn isolated(home: &Home, user: &str, tenant: Option<&str>) -> Environment {
    let mut env = from(std::env::vars_os());
    for (name, path) in [
        ("HOME", &home.home),
        ("TMPDIR", &home.tmp),
        ("XDG_CACHE_HOME", &home.cache),
        ("XDG_CONFIG_HOME", &home.config),
        ("XDG_DATA_HOME", &home.data),
        ("XDG_STATE_HOME", &home.state),
        ("XDG_RUNTIME_DIR", &home.runtime),
    ] {
        env.set(name, path.to_string_lossy().into_owned());
    }
    env.set("MCPWRAP_USER", user);
    if let Some(tenant) = tenant {
        env.set("MCPWRAP_TENANT", tenant);
    }
    env
}

/// What the allow-list leaves of an environment; a value that is no text is left out.
pub(super) fn from(vars: impl Iterator<Item = (OsString, OsString)>) -> Environment {
    let mut env = Environment::cleared().with("PATH", PATH);
    for (name, value) in vars {
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else {
            continue;
        };
        if PASSED_ON.contains(&name.as_str()) || name.starts_with(LOCALE) {
            env.set(name, value);
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_but_what_is_listed() {
        let vars = [
            ("PATH", "/bin"),
            ("LC_TIME", "C"),
            ("TZ", "UTC"),
            ("GITHUB_TOKEN", "hunter2"),
            ("HOME", "/root"),
            ("LD_PRELOAD", "/tmp/evil.so"),
            ("NODE_OPTIONS", "--require=/tmp/evil.js"),
            ("MCPWRAP_VAULT_TOKEN", "hunter2"),
            ("SSH_AUTH_SOCK", "/run/agent"),
        ];
        let env = from(vars.iter().map(|(name, value)| (name.into(), value.into())));
        let names: Vec<_> = env.assignments().unwrap().into_keys().map(ToOwned::to_owned).collect();
        assert_eq!(names, ["LC_TIME", "PATH", "TZ"]);
    }
}
