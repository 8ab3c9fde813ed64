//! What `serve` keeps from everybody else on the machine before it reads the first secret.

use std::io;

use crate::config::Serve;
use crate::process;
use crate::store::keys::KeySource;

/// What logs in to the vault; the rest of `VAULT_…` is no secret.
const OF_THE_VAULT: [&str; 2] = ["VAULT_TOKEN", "VAULT_SECRET_ID"];

/// Whether the same command line yields the same configuration once more: a pipe, once read, is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rereading {
    /// It does.
    Possible,
    /// It does not.
    Impossible,
}

/// Closes the memory of this process to its neighbours and takes the secrets out of its environment, for which it
/// executes itself once more; only a configuration that cannot be read again leaves them there, for root alone to see.
///
/// Not for `dev`: developers attach debuggers and profilers, and there is nobody there whom to keep them from.
///
/// # Errors
/// If the system refuses.
pub fn protect(config: &Serve, rereading: Rereading) -> io::Result<()> {
    process::protect_memory()?;
    if rereading == Rereading::Impossible {
        return Ok(());
    }
    let mut names = OF_THE_VAULT.map(str::to_owned).to_vec();
    if let Some(KeySource::Env(name)) = &config.credentials.master_key {
        names.push(name.clone());
    }
    process::conceal_variables(&names)
}
