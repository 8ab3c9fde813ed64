//! The usual variables (`VAULT_ADDR`, `VAULT_TOKEN`, …) as typed settings.
//!
//! Secrets that stand in files are read anew at each login, because agents replace them.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::outbound::{self, Authorities, Beside};
use crate::private_file::{self, MAX_CERTIFICATES, Readers};

/// Where the vault's own program leaves a token, beneath the home.
const TOKEN_FILE: &str = ".vault-token";

/// Where the vault is and how to log in.
#[derive(Clone, Debug)]
pub struct VaultSettings {
    pub(super) address: Url,
    pub(super) namespace: Option<String>,
    pub(super) authorities: Option<Authorities>,
    pub(super) login: Login,
}

/// The ways to log in.
#[derive(Clone, Debug)]
pub enum Login {
    /// A token that somebody else made.
    Token(ValueOrFile),
    /// A role and its secret.
    AppRole {
        /// Which role.
        role_id: ValueOrFile,
        /// The role's secret.
        secret_id: ValueOrFile,
    },
}

/// A secret, or the file that holds it.
#[derive(Clone, Debug)]
pub enum ValueOrFile {
    /// The secret itself.
    Value(SecretString),
    /// A file that only its owner may change.
    File(PathBuf),
}

/// What is wrong with the variables.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no address.
    #[error("VAULT_ADDR is not set")]
    NoAddress,
    /// The address is no https URL, nor http on loopback.
    #[error("VAULT_ADDR is not an https url")]
    Address,
    /// There is no way to log in.
    #[error("no VAULT_TOKEN, no ~/.vault-token, and no VAULT_ROLE_ID with VAULT_SECRET_ID")]
    NoLogin,
    /// A token and a role are both set.
    #[error("VAULT_TOKEN and VAULT_ROLE_ID are both set")]
    TwoLogins,
    /// One half of a role is missing.
    #[error("VAULT_ROLE_ID and VAULT_SECRET_ID (or their _FILE) belong together")]
    HalfRole,
    /// The namespace cannot stand in a header.
    #[error("VAULT_NAMESPACE is not a namespace")]
    Namespace,
    /// The file with the vault's authority does not hold any.
    #[error("read the certificates of VAULT_CACERT")]
    Certificates {
        /// What is wrong with them.
        #[source]
        cause: outbound::Error,
    },
    /// A file cannot be read.
    #[error("read {variable}")]
    File {
        /// The variable that names the file.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        cause: private_file::Error,
    },
}

// === impl VaultSettings ===

impl VaultSettings {
    /// Reads the variables through `get`, which is `std::env::var(..).ok()` but for tests.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let address = get("VAULT_ADDR").ok_or(SettingsError::NoAddress)?;
        let address = Url::parse(&address).map_err(|_| SettingsError::Address)?;
        let bare = address.query().is_none()
            && address.fragment().is_none()
            && address.username().is_empty()
            && address.password().is_none();
        if !bare || outbound::check(&address).is_err() {
            return Err(SettingsError::Address);
        }
        let namespace = get("VAULT_NAMESPACE");
        if namespace.as_ref().is_some_and(|text| !text.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(SettingsError::Namespace);
        }
        let authorities = get("VAULT_CACERT")
            .map(|path| {
                let variable = "VAULT_CACERT";
                let pem =
                    private_file::read_given(path.as_ref(), Readers::Others, MAX_CERTIFICATES)
                        .map_err(|cause| SettingsError::File { variable, cause })?;
                Authorities::of(&pem, Beside::Nobody)
                    .map_err(|cause| SettingsError::Certificates { cause })
            })
            .transpose()?;
        Ok(Self { address, namespace, authorities, login: Login::from_env(&get)? })
    }
}

// === impl Login ===

impl Login {
    /// The files that the variables name for a login, whether they are there or not.
    #[must_use]
    pub fn files(get: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
        let named = ["VAULT_ROLE_ID_FILE", "VAULT_SECRET_ID_FILE"].into_iter().filter_map(&get);
        let home = get("HOME").map(|home| PathBuf::from(home).join(TOKEN_FILE));
        named.filter(|path| !path.is_empty()).map(PathBuf::from).chain(home).collect()
    }

    fn from_env(get: &impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let place = |value: &str, file: &str| {
            get(value)
                .map(|text| ValueOrFile::Value(SecretString::from(text)))
                .or_else(|| get(file).map(|path| ValueOrFile::File(path.into())))
        };
        let role_id = place("VAULT_ROLE_ID", "VAULT_ROLE_ID_FILE");
        let secret_id = place("VAULT_SECRET_ID", "VAULT_SECRET_ID_FILE");
        let token = get("VAULT_TOKEN").map(|text| ValueOrFile::Value(SecretString::from(text)));
        match (token, role_id, secret_id) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(SettingsError::TwoLogins),
            (Some(token), None, None) => Ok(Self::Token(token)),
            (None, Some(role_id), Some(secret_id)) => Ok(Self::AppRole { role_id, secret_id }),
            (None, None, None) => get("HOME")
                .map(|home| PathBuf::from(home).join(TOKEN_FILE))
                .filter(|path| path.exists())
                .map(|path| Self::Token(ValueOrFile::File(path)))
                .ok_or(SettingsError::NoLogin),
            (None, _, _) => Err(SettingsError::HalfRole),
        }
    }
}

// === impl ValueOrFile ===

impl ValueOrFile {
    pub(super) fn read(&self) -> Result<SecretString, SettingsError> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => private_file::read_secret(path, Readers::Others).map_err(|cause| {
                SettingsError::File { variable: "the file with the vault's login", cause }
            }),
        }
    }
}
