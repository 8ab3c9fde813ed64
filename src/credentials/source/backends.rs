//! What sources may need that is set up once for all users.

use super::super::vault::Vault;
use crate::store::Store;

/// What sources may need.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    /// For `vault:`.
    pub vault: Option<Vault>,
    /// For `store:`.
    pub store: Option<Store>,
}
