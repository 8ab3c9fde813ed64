//! Where the credentials of `serve` come from: which ones children are given, and the vault and the store behind them.

use std::io;
use std::path::PathBuf;

use super::run::Error;
use crate::audit;
use crate::config::{Claim, Serve};
use crate::credentials::{
    Backends, CredentialSpec, Facts, Kept, SharedWatch, Sources, Vault, VaultSettings,
    check_per_user,
};
use crate::problem::Problem;
use crate::seal::Keyring;
use crate::shutdown::Shutdown;
use crate::store::{Store, keys::KeySource};
use crate::{outbound, private_file, process};

/// What every child is given, and from where; what must not be is said.
pub(super) fn specs(config: &Serve, problems: &mut Vec<Problem>) -> Vec<CredentialSpec> {
    let specs = [config.child.credentials.as_slice(), &config.credentials.files].concat();
    let tenant_claim = matches!(config.auth.tenant_claim, Claim::Named(_))
        || config.auth.issuers.iter().any(|issuer| issuer.idp.rules().tenant_claim.is_some());
    let facts =
        Facts { issuers: config.auth.issuers.len(), tenant_claim, machines: config.auth.machines };
    problems.extend(check_per_user(&specs, &facts, &config.credentials.shared));
    specs
}

/// Opens what they come from.
pub(super) async fn open(
    config: &Serve,
    specs: Vec<CredentialSpec>,
    audit: &audit::Log,
    outbound: &outbound::Client,
    shutdown: &Shutdown,
) -> Result<Sources, Error> {
    let vault = match specs.iter().any(CredentialSpec::needs_vault) {
        false => None,
        true => {
            let settings = VaultSettings::from_env(process::own_variable)
                .map_err(|cause| Error::VaultSettings { cause })?;
            let vault = Vault::new(settings, outbound).map_err(|cause| Error::Vault { cause })?;
            let audit = audit.clone();
            let told = move |kept| audit.own_event(|| vault_token(kept));
            let (upkeep, stop) = (vault.clone().upkeep(told), shutdown.clone());
            shutdown.spawn("renew the vault's token", async move {
                tokio::select! {
                    () = upkeep => {}
                    () = stop.finishing() => {}
                }
            });
            Some(vault)
        }
    };
    let store = match specs.iter().any(CredentialSpec::needs_store) {
        false => None,
        true => Some(
            open_store(config.state_dir.clone(), config.credentials.master_key.as_ref()).await?,
        ),
    };
    let watch =
        SharedWatch::new(&config.credentials.shared).map_err(|cause| Error::Watching { cause })?;
    Sources::new(specs, Backends { vault, store }, watch).map_err(|cause| Error::Sources { cause })
}

/// What is on record of the token with which mcpwrap itself asks the vault.
fn vault_token(kept: Kept) -> audit::Event {
    let (outcome, why) = match kept {
        Kept::Renewed => (audit::CredentialFate::Renewed, None),
        Kept::Failed => (audit::CredentialFate::Failed, Some("it could not be renewed".to_owned())),
    };
    let (name, source) = (Some("VAULT_TOKEN".to_owned()), Some("vault".to_owned()));
    audit::Event::Credential { name, source, outcome, why }
}

/// Opens the embedded store with its master key.
pub(crate) async fn open_store(
    state_dir: PathBuf,
    master_key: Option<&KeySource>,
) -> Result<Store, Error> {
    let keyring = match master_key {
        None => Keyring::load_or_create(&state_dir)?,
        Some(source) => {
            source.load(process::own_variable).await.map_err(|cause| Error::MasterKey { cause })?
        }
    };
    // A key that is kept elsewhere leaves this to be done.
    private_file::make_directory(&state_dir).map_err(|cause| Error::StateDir {
        path: state_dir.clone(),
        cause: io::Error::other(cause),
    })?;
    let path = state_dir.join("store.sqlite");
    let opened = tokio::task::spawn_blocking(move || Store::open(&path, keyring)).await;
    match opened {
        Ok(store) => store.map_err(|cause| Error::Store { cause }),
        Err(_) => Err(Error::Part),
    }
}
