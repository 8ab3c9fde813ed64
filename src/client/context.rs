//! What serving a request needs, in either era.

use bytes::Bytes;
use http::{HeaderMap, Method};

use std::sync::Arc;

use super::settings::Settings;
use crate::auth::Principal;
use crate::gate::Gate;
use crate::limits::{Account, Accounts};
use crate::seal::Keyring;
use crate::shutdown::Shutdown;

/// What serving a request needs, the same for all of them.
#[derive(Debug)]
pub struct Context {
    /// The way to the children.
    pub gate: Gate,
    /// Seals what clients carry for us.
    pub keyring: Keyring,
    /// Who is charged for what is held.
    pub accounts: Arc<Accounts>,
    /// Bounds and habits.
    pub settings: Settings,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// One authenticated HTTP request.
#[derive(Debug)]
pub struct Arrival {
    /// Who sent it.
    pub principal: Arc<Principal>,
    /// Who is charged for it.
    pub account: Arc<Account>,
    /// GET, POST or DELETE.
    pub method: Method,
    /// The query of its address.
    pub query: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, within the size limit.
    pub body: Bytes,
}
