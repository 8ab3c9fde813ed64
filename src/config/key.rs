//! The names of all settings: one name is the flag, the environment variable and the key of the file.
//!
//! It does not know what a value means; that is the business of the group that owns the setting.

/// A setting's name and how many values it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The flag without dashes, which is also the key of the file.
    pub name: &'static str,
    /// How several values are written.
    pub values: Values,
}

/// How several values of one setting are written, and how layers combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A single value; the last one typed wins.
    One,
    /// Repeatable; a flag and an environment variable may separate by commas. The highest layer replaces the list.
    Commas,
    /// Repeatable; an environment variable separates by lines. The highest layer replaces the list.
    Lines,
    /// The words after `--`, an array in the file; no environment variable sets them.
    Words,
    /// Repeatable `NAME=VALUE`, a table in the file; layers combine by NAME.
    Pairs,
}

macro_rules! keys {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $values:ident;)*) => {
        $($(#[$doc])* #[doc = concat!("`--", $name, "`")]
        pub const $id: Key = Key {
            name: $name,
            values: Values::$values,
        };)*
        #[cfg(test)]
        const ALL: &[Key] = &[$($id),*];
    };
}

keys! {
    LISTEN = "listen", One;
    PATH = "path", One;
    NAME = "name", One;
    ALLOW_ORIGIN = "allow-origin", Commas;
    ALLOW_HOST = "allow-host", Commas;
    LEGACY_SSE = "legacy-sse", One;
    MAX_BODY = "max-body", One;
    MEMORY = "memory", One;
    KEEP_ALIVE = "keep-alive", One;
    SESSION_IDLE = "session-idle", One;
    SEALED_TTL = "sealed-ttl", One;
    ENV = "env", Pairs;
    CREDENTIAL = "credential", Pairs;
    CWD = "cwd", One;
    CHILD_SCOPE = "child-scope", One;
    CHILD_ERA = "child-era", One;
    START_TIMEOUT = "start-timeout", One;
    START_WAIT = "start-wait", One;
    CALL_TIMEOUT = "call-timeout", One;
    HOLD_LIMIT = "hold-limit", One;
    CHILD_IDLE = "child-idle", One;
    GRACE = "grace", One;
    MAX_LINE = "max-line", One;
    ROOTS = "roots", Lines;
    STATE_DIR = "state-dir", One;
    THREADS = "threads", One;
    AUDIT = "audit", One;
    AUDIT_DURABILITY = "audit-durability", One;
    LOG_FORMAT = "log-format", One;
    VERBOSE = "verbose", One;
    TRACE = "trace", One;
    WATCH = "watch", Lines;
    PRINT_CONFIG = "print-config", One;
    CONFIG = "config", One;
    PUBLIC_URL = "public-url", One;
    TRUSTED_PROXY = "trusted-proxy", Commas;
    OIDC = "oidc", Commas;
    IDP = "idp", Commas;
    CLIENT = "client", Commas;
    CLIENT_SECRET_FILE = "client-secret-file", Lines;
    API_URL = "api-url", Commas;
    TOKEN_TYPE = "token-type", Commas;
    KEYS_COOL_DOWN = "keys-cool-down", One;
    CA_FILE = "ca-file", One;
    AUDIENCE = "audience", Commas;
    ALGORITHM = "algorithm", Commas;
    REQUIRED_SCOPE = "required-scope", Commas;
    OFFER_SCOPE = "offer-scope", Commas;
    USER_CLAIM = "user-claim", One;
    TENANT_CLAIM = "tenant-claim", One;
    GROUPS_CLAIM = "groups-claim", One;
    ALLOW_TENANT = "allow-tenant", Lines;
    ALLOW_USER = "allow-user", Lines;
    ALLOW_GROUP = "allow-group", Lines;
    ALLOW_DOMAIN = "allow-domain", Commas;
    MACHINES = "machines", One;
    INTROSPECTION_WHEN = "introspection-when", One;
    INTROSPECTION_CACHE = "introspection-cache", One;
    INTROSPECTION_ENDPOINT = "introspection-endpoint", One;
    INTROSPECTION_CLIENT_ID = "introspection-client-id", One;
    INTROSPECTION_CLIENT_SECRET_FILE = "introspection-client-secret-file", One;
    CREDENTIAL_FILE = "credential-file", Pairs;
    ALLOW_SHARED_CREDENTIAL = "allow-shared-credential", Commas;
    MASTER_KEY = "master-key", One;
    MAX_CHILDREN = "max-children", One;
    MAX_CHILDREN_PER_USER = "max-children-per-user", One;
    MAX_STARTS = "max-starts", One;
    MEMORY_PER_USER = "memory-per-user", One;
    ISOLATION = "isolation", One;
    UID_RANGE = "uid-range", One;
    ALLOW_READ = "allow-read", Lines;
    ALLOW_WRITE = "allow-write", Lines;
    HOME_SCOPE = "home-scope", One;
    HOME_SIZE = "home-size", One;
    COMMAND = "command", Words;
}

/// Everything that both modes understand.
const SHARED: &[Key] = &[
    LISTEN,
    PATH,
    NAME,
    ALLOW_ORIGIN,
    ALLOW_HOST,
    LEGACY_SSE,
    MAX_BODY,
    MEMORY,
    KEEP_ALIVE,
    SESSION_IDLE,
    SEALED_TTL,
    ENV,
    CREDENTIAL,
    CWD,
    CHILD_SCOPE,
    CHILD_ERA,
    START_TIMEOUT,
    START_WAIT,
    CALL_TIMEOUT,
    HOLD_LIMIT,
    CHILD_IDLE,
    GRACE,
    MAX_LINE,
    ROOTS,
    STATE_DIR,
    THREADS,
    AUDIT,
    AUDIT_DURABILITY,
    LOG_FORMAT,
    VERBOSE,
    COMMAND,
];

const DEV_ONLY: &[Key] = &[TRACE, WATCH, PRINT_CONFIG];

const SERVE_ONLY: &[Key] = &[
    CONFIG,
    PUBLIC_URL,
    TRUSTED_PROXY,
    OIDC,
    IDP,
    CLIENT,
    CLIENT_SECRET_FILE,
    API_URL,
    TOKEN_TYPE,
    KEYS_COOL_DOWN,
    CA_FILE,
    AUDIENCE,
    ALGORITHM,
    REQUIRED_SCOPE,
    OFFER_SCOPE,
    USER_CLAIM,
    TENANT_CLAIM,
    GROUPS_CLAIM,
    ALLOW_TENANT,
    ALLOW_USER,
    ALLOW_GROUP,
    ALLOW_DOMAIN,
    MACHINES,
    INTROSPECTION_WHEN,
    INTROSPECTION_CACHE,
    INTROSPECTION_ENDPOINT,
    INTROSPECTION_CLIENT_ID,
    INTROSPECTION_CLIENT_SECRET_FILE,
    CREDENTIAL_FILE,
    ALLOW_SHARED_CREDENTIAL,
    MASTER_KEY,
    MAX_CHILDREN,
    MAX_CHILDREN_PER_USER,
    MAX_STARTS,
    MEMORY_PER_USER,
    ISOLATION,
    UID_RANGE,
    ALLOW_READ,
    ALLOW_WRITE,
    HOME_SCOPE,
    HOME_SIZE,
];

// === impl Key ===

impl Key {
    /// The flag, with its dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name)
    }

    /// The environment variable.
    #[must_use]
    pub fn env_var(&self) -> String {
        format!("MCPWRAP_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// The settings of `dev`.
pub fn dev() -> impl Iterator<Item = &'static Key> {
    SHARED.iter().chain(DEV_ONLY)
}

/// The settings of `serve` and `check`.
pub fn serve() -> impl Iterator<Item = &'static Key> {
    SHARED.iter().chain(SERVE_ONLY)
}

/// The setting of `serve` with this name.
#[must_use]
pub fn of_serve(name: &str) -> Option<&'static Key> {
    serve().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_belongs_to_a_mode() {
        for key in ALL {
            assert!(dev().chain(serve()).any(|known| known == key), "{} is nobody's", key.name);
        }
    }

    #[test]
    fn one_name_gives_flag_and_variable() {
        assert_eq!(CALL_TIMEOUT.flag(), "--call-timeout");
        assert_eq!(CALL_TIMEOUT.env_var(), "MCPWRAP_CALL_TIMEOUT");
    }
}
