//! One credential: what it is called, how the child gets it, and where it comes from.

use std::path::PathBuf;

use super::source::{Facts, Source, SourceError, Users};
use crate::problem::Problem;

/// One credential, as an operator asked for it.
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

// === impl CredentialSpec ===

impl CredentialSpec {
    /// The credential for the variable `name` from a source for these users.
    ///
    /// # Errors
    /// [`SourceError`] where the text is no such source.
    pub fn new(
        name: &str,
        source: &str,
        delivery: Delivery,
        users: Users,
    ) -> Result<Self, SourceError> {
        let label = source.to_owned();
        let source = Source::parse(source, users)?;
        Ok(Self { name: name.to_owned(), delivery, source, label })
    }

    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The source as it was written; it holds no secret.
    #[must_use]
    pub fn source_label(&self) -> &str {
        &self.label
    }

    /// The files of this machine that hold its values, with `*` for what differs between users.
    #[must_use]
    pub fn files(&self) -> Option<PathBuf> {
        self.source.files()
    }

    /// Whether a [`Vault`](super::Vault) is needed to fetch it.
    #[must_use]
    pub fn needs_vault(&self) -> bool {
        matches!(self.source, Source::Vault(_))
    }

    /// Whether a [`Store`](crate::store::Store) is needed to fetch it.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        matches!(self.source, Source::Store(_))
    }

    fn shared(&self, facts: &Facts) -> Option<Problem> {
        let wrong = self.source.per_user(facts).err()?;
        let key = match self.delivery {
            Delivery::Env => "credential",
            Delivery::File => "credential-file",
        };
        let what = format!("{}: the source {} {}", self.name, self.label, wrong.what);
        Some(Problem::new(key, what, wrong.hint))
    }
}

/// Refuses sources that would give several users one value, but for the names that are shared on purpose.
#[must_use]
pub fn check_per_user(
    specs: &[CredentialSpec],
    facts: &Facts,
    allow_shared: &[String],
) -> Vec<Problem> {
    let judged = specs.iter().filter(|spec| !allow_shared.contains(&spec.name));
    judged.filter_map(|spec| spec.shared(facts)).collect()
}
