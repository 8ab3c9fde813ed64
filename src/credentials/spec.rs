//! `NAME=scheme:rest`, as an operator writes it.
//!
//! It turns text into types that cannot be wrong; it fetches nothing.

use super::template::{ParseError, Template};

/// One credential: what it is called and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSpec {
    pub(super) name: String,
    pub(super) delivery: Delivery,
    pub(super) source: Source,
    label: String,
}

/// How the child gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The variable holds the value.
    Env,
    /// The variable holds the path of a file that holds the value.
    File,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Vault { path: Template, field: Template },
    Store { name: String },
    File { path: Template },
    Keyring { service: Template, account: Template },
    Env { variable: String },
}

/// Why a text is no credential.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is no `NAME=`.
    #[error("a credential is written NAME=SOURCE")]
    NoName,
    /// The name is no name of a variable.
    #[error("{name} is not a name for an environment variable")]
    Name {
        /// The name.
        name: String,
    },
    /// The scheme is unknown or missing; the text itself may be a secret and is not repeated.
    #[error("the source of {name} has no known scheme")]
    Scheme {
        /// The credential's name.
        name: String,
    },
    /// The scheme is reserved.
    #[error("the source {scheme}: of {name} is not available yet")]
    Later {
        /// The credential's name.
        name: String,
        /// The reserved scheme.
        scheme: &'static str,
    },
    /// The rest does not have the scheme's form.
    #[error("the source of {name} is not of the form {form}")]
    Form {
        /// The credential's name.
        name: String,
        /// The form.
        form: &'static str,
    },
    /// The rest holds a wrong placeholder.
    #[error("read the source of {name}")]
    Template {
        /// The credential's name.
        name: String,
        /// What is wrong with it.
        #[source]
        cause: ParseError,
    },
}

// === impl CredentialSpec ===

impl CredentialSpec {
    /// Reads `NAME=SOURCE` of `--credential`.
    ///
    /// # Errors
    /// [`SpecError`].
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        Self::parse_for(text, Delivery::Env)
    }

    /// Reads `NAME=SOURCE` of `--credential-file`.
    ///
    /// # Errors
    /// [`SpecError`].
    pub fn parse_file(text: &str) -> Result<Self, SpecError> {
        Self::parse_for(text, Delivery::File)
    }

    /// Reads it for either way of delivery.
    ///
    /// # Errors
    /// [`SpecError`].
    pub fn parse_for(text: &str, delivery: Delivery) -> Result<Self, SpecError> {
        let (name, source) = text.split_once('=').ok_or(SpecError::NoName)?;
        if !is_variable(name) {
            return Err(SpecError::Name { name: name.to_owned() });
        }
        Ok(Self {
            name: name.to_owned(),
            delivery,
            source: Source::parse(name, source)?,
            label: source.to_owned(),
        })
    }

    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the child gets it.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// The source as it was written; it holds no secret.
    #[must_use]
    pub fn source_label(&self) -> &str {
        &self.label
    }

    /// Whether a [`Vault`](super::Vault) is needed to fetch it.
    #[must_use]
    pub fn needs_vault(&self) -> bool {
        matches!(self.source, Source::Vault { .. })
    }

    /// Whether a [`Store`](crate::store::Store) is needed to fetch it.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        matches!(self.source, Source::Store { .. })
    }
}

// === impl Delivery ===

impl Delivery {
    /// The setting that asks for it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Env => "credential",
            Self::File => "credential-file",
        }
    }
}

// === impl Source ===

impl Source {
    fn parse(name: &str, text: &str) -> Result<Self, SpecError> {
        let form = |form| SpecError::Form { name: name.to_owned(), form };
        let template = |text: &str| {
            Template::parse(text)
                .map_err(|cause| SpecError::Template { name: name.to_owned(), cause })
        };
        let later = |scheme| SpecError::Later { name: name.to_owned(), scheme };
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme {
            "vault" => {
                const FORM: &str = "vault:MOUNT/PATH#FIELD";
                let (path, field) = rest.rsplit_once('#').ok_or(form(FORM))?;
                let (path, field) = (template(path)?, template(field)?);
                if field.sketch().is_empty() || !is_secret_path(&path.sketch()) {
                    return Err(form(FORM));
                }
                Ok(Self::Vault { path, field })
            }
            "store" if is_entry(rest) => Ok(Self::Store { name: rest.to_owned() }),
            "store" => Err(form("store:NAME")),
            "file" => {
                let path = template(rest)?;
                let sketch = path.sketch();
                if sketch.is_empty()
                    || sketch.ends_with('/')
                    || sketch.contains('\0')
                    || sketch.split('/').any(|segment| segment == "..")
                {
                    return Err(form("file:PATH"));
                }
                Ok(Self::File { path })
            }
            "keyring" => {
                const FORM: &str = "keyring:SERVICE/ACCOUNT";
                let (service, account) = rest.split_once('/').ok_or(form(FORM))?;
                if service.is_empty() || account.is_empty() {
                    return Err(form(FORM));
                }
                Ok(Self::Keyring { service: template(service)?, account: template(account)? })
            }
            "env" if is_variable(rest) => Ok(Self::Env { variable: rest.to_owned() }),
            "env" => Err(form("env:VAR")),
            "exchange" => Err(later("exchange")),
            "account" => Err(later("account")),
            "exec" => Err(later("exec")),
            _ => Err(SpecError::Scheme { name: name.to_owned() }),
        }
    }

    /// Everything that a user's claims fill in.
    pub(super) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Vault { path, field } => vec![path, field],
            Self::File { path } => vec![path],
            Self::Keyring { service, account } => vec![service, account],
            Self::Store { .. } | Self::Env { .. } => Vec::new(),
        }
    }
}

// === impl SpecError ===

impl SpecError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoName => "for example GITHUB_TOKEN=vault:secret/mcp/{user}#token",
            Self::Name { .. } => "use letters, digits and _, not starting with a digit",
            Self::Scheme { .. } => {
                "use vault:, store:, keyring: or file: (env: in dev); a value itself never stands here"
            }
            Self::Later { scheme, .. } => match *scheme {
                "exchange" => "token exchange comes later; use vault: or store: until then",
                "account" => {
                    "linking accounts in the browser comes later; use vault: or store: until then"
                }
                _ => "credential helpers come later; use vault: or store: until then",
            },
            Self::Form { .. } => {
                "no part may be empty, and no . or .. may stand between slashes; check the spelling"
            }
            Self::Template { .. } => {
                "placeholders are {user} {sub} {iss} {tenant} {tenant_id} {email} {claim:NAME}"
            }
        }
    }
}

/// Whether a text may name an environment variable.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_entry(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// At least a mount and a name; nothing that a server or a URL parser could fold or cut.
fn is_secret_path(sketch: &str) -> bool {
    sketch.contains('/')
        && sketch.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && !segment
                    .contains(|c: char| c.is_control() || matches!(c, '%' | '?' | '#' | '\\'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_of_the_table_is_read() {
        for text in [
            "A=vault:secret/mcp/{user}#token",
            "A=vault:kv/{tenant}/{sub}#{claim:team}",
            "_a1=store:github",
            "A=keyring:mcpwrap/{user}",
            "A=file:/run/secrets/{user}/token",
            "A=file:tokens/{sub}.json",
            "A=env:GITHUB_TOKEN",
        ] {
            let spec = CredentialSpec::parse(text).unwrap();
            assert_eq!(Some(spec.source_label()), text.split_once('=').map(|pair| pair.1));
        }
        let spec = CredentialSpec::parse_file("A=store:x").unwrap();
        assert_eq!(spec.delivery(), Delivery::File);
    }

    #[test]
    fn wrong_sources_are_refused_with_a_hint() {
        for text in [
            "",
            "A",
            "=store:x",
            "1A=store:x",
            "A-B=store:x",
            "A=",
            "A=ghp_value",
            "A=s3:x",
            "A=vault:secret",
            "A=vault:secret#f",
            "A=vault:secret/x",
            "A=vault:secret/x#",
            "A=vault:/x#f",
            "A=vault:a//b#f",
            "A=vault:a/../b#f",
            "A=vault:a/./b#f",
            "A=vault:a/%2e%2e/b#f",
            "A=vault:a/b?x#f",
            "A=vault:a/b#c#f",
            "A=vault:a/{nobody}#f",
            "A=store:",
            "A=store:a/b",
            "A=store:{user}",
            "A=file:",
            "A=file:/a/../b",
            "A=file:/a/",
            "A=keyring:a",
            "A=keyring:/a",
            "A=keyring:a/",
            "A=env:",
            "A=env:A B",
            "A=exchange:audience=x",
            "A=account:github",
            "A=exec:helper x",
        ] {
            let error = CredentialSpec::parse(text).unwrap_err();
            assert!(!error.hint().is_empty());
            assert!(!error.to_string().contains("ghp_value"));
        }
    }

    #[test]
    fn later_sources_say_so() {
        let error = CredentialSpec::parse("T=exchange:audience=a").unwrap_err();
        assert_eq!(error.to_string(), "the source exchange: of T is not available yet");
        assert!(error.hint().contains("comes later"));
    }
}
