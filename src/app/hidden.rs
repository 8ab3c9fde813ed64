//! What of the configuration no child may see: every file with a secret in it, and what leads to one.

use std::path::Path;

use crate::config::{Audit, Serve};
use crate::credentials::Login;
use crate::process::walls::Hidden;
use crate::store::keys::KeySource;

/// Where the service manager puts credentials for mcpwrap itself (systemd.exec(5)).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Everything of mcpwrap's own; `variable` is its environment.
pub(super) fn of(config: &Serve, variable: impl Fn(&str) -> Option<String>) -> Vec<Hidden> {
    let mut all = Vec::new();
    let mut hide = |what: &str, path: &Path| {
        // An empty or relative rest of a pattern starts where mcpwrap does.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        all.push(Hidden { what: what.to_owned(), path });
    };
    hide("the state directory", &config.state_dir);
    if let Audit::File(path) = &config.audit {
        hide("the audit log", path);
    }
    if let Some(path) = &config.file {
        hide("the configuration file", path);
    }
    if let Some(KeySource::File(path)) = &config.credentials.master_key {
        hide("the master key", path);
    }
    for spec in config.child.credentials.iter().chain(&config.credentials.files) {
        if let Some(path) = spec.files() {
            hide(&format!("the source of {}", spec.name()), &path);
        }
    }
    for client in config.auth.issuers.iter().flat_map(|issuer| &issuer.clients) {
        if let Some(path) = &client.secret_file {
            hide("the secret of a client", path);
        }
    }
    if let Some(introspection) = &config.auth.introspection {
        hide("the secret for introspection", &introspection.client_secret_file);
    }
    for path in Login::files(&variable) {
        hide("the login of the vault", &path);
    }
    if let Some(path) = variable(CREDENTIALS).filter(|path| !path.is_empty()) {
        hide("mcpwrap's own credentials", path.as_ref());
    }
    all
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Typed, serve};

    #[test]
    fn every_file_with_a_secret_is_hidden() {
        let mut typed = Typed::default();
        for (name, value) in [
            ("oidc", "https://idp.test"),
            ("client", "c"),
            ("client-secret-file", "/x/client"),
            ("introspection-client-id", "rs"),
            ("introspection-client-secret-file", "/x/introspection"),
            ("credential", "A=file:/x/tokens/{user}/a"),
            ("credential-file", "B=file:/x/b-{user}"),
            ("master-key", "file:/x/key"),
            ("audit", "/x/audit"),
            ("state-dir", "/x/state"),
            ("config", "/x/config.toml"),
            ("command", "/bin/true"),
        ] {
            typed.insert(name, [OsString::from(value)]);
        }
        let config = serve(&typed, |_| None, |_| Ok(String::new())).unwrap();
        let variables = [
            ("HOME", "/x/home"),
            ("VAULT_SECRET_ID_FILE", "/x/secret-id"),
            ("VAULT_ROLE_ID_FILE", "/x/role-id"),
            ("CREDENTIALS_DIRECTORY", "/x/systemd"),
        ];
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let mut found: Vec<PathBuf> =
            of(&config, variable).into_iter().map(|hidden| hidden.path).collect();
        found.sort();
        let expected = [
            "audit",
            "b-*",
            "client",
            "config.toml",
            "home/.vault-token",
            "introspection",
            "key",
            "role-id",
            "secret-id",
            "state",
            "systemd",
            "tokens/*/a",
        ];
        assert_eq!(found, expected.map(|name| Path::new("/x").join(name)));
    }
}
