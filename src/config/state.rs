//! Where state is kept, and what `mcpwrap secret` works on.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file::File;
use super::key;
use super::layers::{Layers, Typed};
use super::wrong::Wrong;
use crate::problem::Problem;
use crate::store::keys::KeySource;

/// Where the encrypted store is, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The directory with the store.
    pub state_dir: PathBuf,
    /// Where its key comes from; off means a key file in the state directory.
    pub master_key: Option<KeySource>,
}

/// Where the embedded store is, from what was typed and the environment.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn store(typed: &Typed, env: impl Fn(&str) -> Option<OsString>) -> Result<Store, Vec<Problem>> {
    let mut layers = Layers::new(typed, &env, File::default());
    let store = Store { state_dir: dir(&mut layers), master_key: master_key(&mut layers) };
    if layers.problems.is_empty() { Ok(store) } else { Err(layers.problems) }
}

/// Where the master key comes from; the text is not repeated, for people put the key itself there.
pub(super) fn master_key(layers: &mut Layers<'_>) -> Option<KeySource> {
    layers.maybe(&key::MASTER_KEY, |text| {
        let hint = "write keyring:SERVICE/ACCOUNT, file:PATH or env:VAR";
        KeySource::parse(text).map_err(|_| Wrong::new("not a place that holds a key").hint(hint))
    })
}

/// The service manager's directory, else the user's, else the machine's.
pub(super) fn dir(layers: &mut Layers<'_>) -> PathBuf {
    let given = layers.path(&key::STATE_DIR);
    if let Some(dir) = given.or_else(|| layers.variable("STATE_DIRECTORY").map(Into::into)) {
        return dir;
    }
    if let Some(dir) = layers.variable("XDG_STATE_HOME") {
        return PathBuf::from(dir).join("mcpwrap");
    }
    let home = layers.variable("HOME").map(PathBuf::from);
    home.map_or_else(|| PathBuf::from("/var/lib/mcpwrap"), |home| home.join(".local/state/mcpwrap"))
}
