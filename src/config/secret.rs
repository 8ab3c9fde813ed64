//! What `mcpwrap secret` needs: which secret, whose, and where it is kept.

use std::ffi::OsString;
use std::path::PathBuf;

use super::state::{self, Store};
use super::{Typed, value};
use crate::credentials::{Source, Users};
use crate::problem::{Origin, Problem};

/// A change or a look at the kept secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What to do.
    pub action: SecretAction,
    /// The embedded store, for those that are kept there.
    pub store: Store,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretAction {
    /// Keep a value.
    Set {
        /// Where.
        location: SecretLocation,
        /// The value's origin, which is never the command line.
        value: SecretInput,
    },
    /// Name the secrets in the store, without values.
    List {
        /// Whose; off means everybody's.
        owner: Option<Owner>,
    },
    /// Forget a value.
    Remove {
        /// Where.
        location: SecretLocation,
    },
}

/// Where a secret's value is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretInput {
    /// Our stdin, to its end.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Where one secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretLocation {
    /// In the OS keyring.
    Keyring {
        /// The service.
        service: String,
        /// The account.
        account: String,
    },
    /// In the embedded encrypted store.
    Store {
        /// The secret's name.
        name: String,
        /// Whose it is.
        owner: Owner,
    },
}

/// A user, named as his tokens name him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The issuer's identifier.
    pub issuer: String,
    /// The tenant, where one is configured.
    pub tenant: Option<String>,
    /// The subject.
    pub subject: String,
}

/// The user as typed, each part or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedOwner {
    /// `--issuer`
    pub issuer: Option<String>,
    /// `--tenant`
    pub tenant: Option<String>,
    /// `--subject`
    pub subject: Option<String>,
}

/// What was asked of `secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedSecret {
    /// `secret set SOURCE`
    Set {
        /// `store:NAME` or `keyring:SERVICE/ACCOUNT`.
        source: String,
        /// `--from-file`, else stdin.
        value: SecretInput,
    },
    /// `secret list`
    List,
    /// `secret rm SOURCE`
    Remove {
        /// `store:NAME` or `keyring:SERVICE/ACCOUNT`.
        source: String,
    },
}

/// What `secret` needs, from what was typed and the environment.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn secret(
    asked: TypedSecret,
    owner: TypedOwner,
    typed: &Typed,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Secret, Vec<Problem>> {
    let (store, mut problems) = match state::store(typed, env) {
        Ok(store) => (Some(store), Vec::new()),
        Err(problems) => (None, problems),
    };
    let action = match asked {
        TypedSecret::Set { source, value } => {
            location(&source, owner).map(|location| SecretAction::Set { location, value })
        }
        TypedSecret::Remove { source } => {
            kept(&source, owner).map(|location| SecretAction::Remove { location })
        }
        TypedSecret::List if owner == TypedOwner::default() => {
            Ok(SecretAction::List { owner: None })
        }
        TypedSecret::List => owner.named().map(|owner| SecretAction::List { owner: Some(owner) }),
    };
    match (action, store) {
        (Ok(action), Some(store)) => Ok(Secret { action, store }),
        (action, _) => {
            problems.extend(action.err());
            Err(problems)
        }
    }
}

// === impl TypedOwner ===

impl TypedOwner {
    /// Whoever may get a secret.
    fn resolve(self) -> Result<Owner, Problem> {
        let owner = self.named()?;
        match value::secure_url(&owner.issuer) {
            Ok(_) => Ok(owner),
            Err(wrong) => {
                Err(problem("issuer", Origin::Flag, &wrong.what, "write it as in --oidc"))
            }
        }
    }

    /// Whoever may have had one, under whatever rules.
    fn named(self) -> Result<Owner, Problem> {
        let (Some(issuer), Some(subject)) = (self.issuer, self.subject) else {
            let what = "a secret in the store belongs to one user";
            let hint = "say who: --issuer URL --subject SUB, as his tokens do, and --tenant where one is configured";
            return Err(problem("subject", Origin::Default, what, hint));
        };
        Ok(Owner { issuer, tenant: self.tenant, subject })
    }
}

/// Where a secret may be kept already: what the store lists can be removed, whether or not it could be set today.
fn kept(source: &str, owner: TypedOwner) -> Result<SecretLocation, Problem> {
    match source.strip_prefix("store:") {
        Some(name) if !name.is_empty() => {
            let owner = owner.named()?;
            Ok(SecretLocation::Store { name: name.to_owned(), owner })
        }
        _ => location(source, owner),
    }
}

fn location(source: &str, owner: TypedOwner) -> Result<SecretLocation, Problem> {
    let location = match Source::parse(source, Users::Many) {
        Ok(Source::Store(entry)) => {
            let (name, owner) = (entry.name().to_owned(), owner.resolve()?);
            Some(SecretLocation::Store { name, owner })
        }
        Ok(Source::Keyring(entry)) => {
            entry.literal().map(|(service, account)| SecretLocation::Keyring { service, account })
        }
        _ => None,
    };
    location.ok_or_else(|| {
        // The text is not repeated: it may be the secret itself.
        let hint = "write store:NAME or keyring:SERVICE/ACCOUNT; the value is read from stdin";
        problem("source", Origin::Flag, "not a place where secrets are kept", hint)
    })
}

fn problem(key: &str, origin: Origin, what: &str, hint: &str) -> Problem {
    Problem { key: key.to_owned(), origin, what: what.to_owned(), hint: Some(hint.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(source: &str, owner: TypedOwner) -> Result<SecretAction, Vec<Problem>> {
        let asked = TypedSecret::Set { source: source.to_owned(), value: SecretInput::Stdin };
        secret(asked, owner, &Typed::default(), |_| None).map(|secret| secret.action)
    }

    fn alice() -> TypedOwner {
        TypedOwner {
            issuer: Some("https://login.example.com".to_owned()),
            tenant: None,
            subject: Some("alice".to_owned()),
        }
    }

    #[test]
    fn a_secret_in_the_store_has_an_owner() {
        assert!(set("store:github", alice()).is_ok());
        let problems = set("store:github", TypedOwner::default()).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "--subject (not set): a secret in the store belongs to one user"
        );
    }

    #[test]
    fn what_the_store_lists_can_be_removed() {
        let remove = |source: &str, owner| {
            let asked = TypedSecret::Remove { source: source.to_owned() };
            secret(asked, owner, &Typed::default(), |_| None).map(|secret| secret.action)
        };
        let old = TypedOwner { issuer: Some("http://idp.example".to_owned()), ..alice() };
        for (source, owner) in [
            ("store:github", alice()),
            ("store:an old name/of ours", alice()),
            ("store:github", old),
        ] {
            assert!(remove(source, owner.clone()).is_ok(), "{source}");
            let could_be_set = source == "store:github" && owner == alice();
            assert_eq!(set(source, owner).is_ok(), could_be_set, "{source}");
        }
        assert!(remove("store:github", TypedOwner::default()).is_err());
        for source in ["store:", "vault:x", "keyring:github"] {
            assert!(remove(source, alice()).is_err(), "{source}");
        }
    }

    #[test]
    fn the_keyring_needs_service_and_account() {
        assert!(set("keyring:github/me", TypedOwner::default()).is_ok());
        for source in ["keyring:github", "keyring:/x", "vault:x", "ghp_0123"] {
            let problems = set(source, alice()).unwrap_err();
            assert!(!problems[0].to_string().contains("ghp_"));
        }
    }
}
