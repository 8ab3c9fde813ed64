//! What no child may see, wherever it lies: secrets and what leads to them. Knows no configuration.
//!
//! Where there is a mount namespace, a directory that must be seen is shown entry by entry, without what is hidden in
//! it. Nothing can be left out of what is shown as a whole, and Landlock alone leaves nothing out.

use std::path::{Path, PathBuf};

use super::Form;
use super::ways::Ways;

/// Stands for any text within one name of a path.
const ANY: char = '*';

/// A file or directory that no child may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// What it is, as the operator calls it.
    pub what: String,
    /// Where it is; a name with `*` in it stands for many, like those of all users.
    pub path: PathBuf,
}

/// How something is shown to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// To be read; with a mount namespace some of it may be left out.
    Read,
    /// To be written to, always as a whole.
    Write,
}

// === impl Hidden ===

impl Hidden {
    /// What is kept from the child: the path itself, or the directory that holds all those for which it stands. By its
    /// name, because the links on the way may mean something else tomorrow.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        let one = |name: &std::path::Component<'_>| {
            !name.as_os_str().as_encoded_bytes().contains(&(ANY as u8))
        };
        let place: PathBuf = self.path.components().take_while(one).collect();
        std::path::absolute(&place).unwrap_or(place)
    }

    /// Whether a child that is shown this path would see what is hidden.
    #[must_use]
    pub fn is_exposed_by(&self, shown: &Path, showing: Showing, form: Form) -> bool {
        let (shown, ways) = (real(shown), Ways::to(&self.place()));
        let whole = |hidden: &PathBuf| {
            shown.starts_with(hidden) || hidden.starts_with(&shown) && !masks(showing, form)
        };
        if ways.volumes.iter().any(whole) {
            return true;
        }
        if self.path.components().count() == place_length(&self.path) {
            return ways.names.iter().any(whole);
        }
        ways.names.iter().any(|place| self.is_one_of_many_by(place, &shown, showing, form))
    }

    /// The same, where the path stands for many in this place.
    fn is_one_of_many_by(&self, place: &Path, shown: &Path, showing: Showing, form: Form) -> bool {
        let Ok(further) = shown.strip_prefix(place) else {
            return place.starts_with(shown) && !masks(showing, form);
        };
        // What lies deeper than a secret is no secret, and what is named otherwise neither.
        let mut rest = self.path.components().skip(place_length(&self.path)).peekable();
        let same = further.components().all(|name| {
            rest.next().is_some_and(|wanted| {
                wanted.as_os_str().as_encoded_bytes().contains(&(ANY as u8)) || wanted == name
            })
        });
        same && (rest.peek().is_some() || shown.is_file())
    }
}

/// How many names come before the first that stands for many.
fn place_length(path: &Path) -> usize {
    let many = |name: &std::path::Component<'_>| {
        name.as_os_str().as_encoded_bytes().contains(&(ANY as u8))
    };
    path.components().take_while(|name| !many(name)).count()
}

fn masks(showing: Showing, form: Form) -> bool {
    showing == Showing::Read && matches!(form, Form::Uid | Form::Namespaces)
}

/// The path without links, as far as it is there.
pub fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in absolute.ancestors() {
        if let Ok(real) = there.canonicalize() {
            let rest = absolute.strip_prefix(there).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn hidden(path: PathBuf) -> Hidden {
        Hidden { what: "a secret".to_owned(), path }
    }

    #[test]
    fn what_must_be_seen_may_hold_a_secret_only_where_it_can_be_masked() {
        let dir = Scratch::new();
        std::fs::create_dir_all(dir.join("app/secrets")).unwrap();
        let secret = hidden(dir.join("app/secrets/*"));
        assert_eq!(secret.place(), dir.join("app/secrets"));
        for (form, exposed) in [
            (Form::Uid, false),
            (Form::Namespaces, false),
            (Form::UidAlone, true),
            (Form::Basic, true),
        ] {
            let by = |showing| secret.is_exposed_by(&dir.join("app"), showing, form);
            assert_eq!(by(Showing::Read), exposed, "{form:?}");
            assert!(by(Showing::Write), "{form:?}");
            let itself = secret.is_exposed_by(&dir.join("app/secrets"), Showing::Read, form);
            assert!(itself, "{form:?}");
            assert!(!secret.is_exposed_by(&dir.join("other"), Showing::Read, form), "{form:?}");
        }
    }

    #[test]
    fn a_place_of_many_secrets_may_hold_what_is_none_of_them() {
        let dir = Scratch::new();
        std::fs::create_dir_all(dir.join("app/bin")).unwrap();
        std::fs::write(dir.join("file"), "").unwrap();
        let exposed = |pattern: &str, shown: &str| {
            hidden(dir.join(pattern)).is_exposed_by(&dir.join(shown), Showing::Read, Form::Uid)
        };
        assert!(!exposed("*/token", "app/bin"));
        assert!(exposed("*/token", "app"));
        assert!(!exposed("*", "app"));
        assert!(exposed("*", "file"));
        assert!(exposed("file", "file"));
        assert!(!exposed("file-*", "app"));
        assert!(exposed("app/x-*", "app"));
    }

    #[test]
    fn a_link_hides_nothing_from_the_comparison() {
        let dir = Scratch::new();
        std::fs::create_dir(dir.join("app")).unwrap();
        std::os::unix::fs::symlink(dir.join("app"), dir.join("link")).unwrap();
        let secret = hidden(dir.join("link/not-there-yet"));
        assert!(secret.is_exposed_by(&dir.join("app"), Showing::Read, Form::Basic));
        let through = hidden(dir.join("app/x"));
        assert!(through.is_exposed_by(&dir.join("link"), Showing::Read, Form::Basic));
    }
}
