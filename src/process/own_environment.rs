//! The variables that mcpwrap itself was started with, those included that its environment no longer shows.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use secrecy::{ExposeSecret as _, SecretString};

/// The variable that says which descriptor holds what was taken out of the environment.
#[cfg(all(target_os = "linux", not(mcpwrap_portable)))]
pub(super) const HANDED_OVER: &str = "MCPWRAP_HANDED_OVER";

/// What was taken out of the environment.
static CONCEALED: OnceLock<BTreeMap<String, SecretString>> = OnceLock::new();

/// The value of a variable that this process was started with.
#[must_use]
pub fn own_variable(name: &str) -> Option<String> {
    let concealed = CONCEALED.get().and_then(|all| all.get(name));
    concealed.map(|value| value.expose_secret().to_owned()).or_else(|| std::env::var(name).ok())
}

/// Keeps what the environment no longer shows; the first call counts.
#[cfg(all(target_os = "linux", not(mcpwrap_portable)))]
pub(super) fn keep(values: BTreeMap<String, String>) {
    let secret = |(name, value)| (name, SecretString::from(value));
    let _ = CONCEALED.set(values.into_iter().map(secret).collect());
}
