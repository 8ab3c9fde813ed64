//! `mcpwrap secret`: what the encrypted store and the OS keyring hold. Values never come by argv.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::{Failure, Run, failure};
use crate::config::{self, SecretInput, Typed, TypedOwner, TypedSecret};

/// The subcommands of `secret`.
#[derive(Args, Clone, Debug)]
pub struct SecretArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: SecretCommand,
}

/// What to do with kept secrets.
#[derive(Subcommand, Clone, Debug)]
pub enum SecretCommand {
    /// Keep a secret, read from stdin
    Set(SetArgs),
    /// List the secrets in the store, without their values
    List(OwnerArgs),
    /// Forget a secret
    Rm(RemoveArgs),
}

/// The flags of `secret set`.
#[derive(Args, Clone, Debug)]
pub struct SetArgs {
    /// Keep it here: store:NAME or keyring:SERVICE/ACCOUNT
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Read the value from this file instead of stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub from_file: Option<PathBuf>,
    /// Whose it is.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// The flags of `secret rm`.
#[derive(Args, Clone, Debug)]
pub struct RemoveArgs {
    /// Forget this one: store:NAME or keyring:SERVICE/ACCOUNT
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Whose it is.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Whose secret, and where the store is.
#[derive(Args, Clone, Debug)]
pub struct OwnerArgs {
    /// Name the issuer of the user's tokens
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub issuer: Option<String>,
    /// Name the user's tenant, where one is configured
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Name the user as his tokens do
    #[arg(long, value_name = "SUB")]
    pub subject: Option<String>,
    /// Find the store in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<OsString>,
    /// Take the key of the store from here [default: a file in the state directory]
    #[arg(long, value_name = "SOURCE")]
    pub master_key: Option<OsString>,
}

pub(super) fn secret(args: SecretArgs, run: &Run) -> Result<(), Vec<Failure>> {
    let (asked, owner) = match args.action {
        SecretCommand::Set(set) => {
            let value = set.from_file.map_or(SecretInput::Stdin, SecretInput::File);
            let source = set.source;
            (TypedSecret::Set { source, value }, set.owner)
        }
        SecretCommand::List(owner) => (TypedSecret::List, owner),
        SecretCommand::Rm(remove) => (TypedSecret::Remove { source: remove.source }, remove.owner),
    };
    let mut typed = Typed::default();
    typed.insert("state-dir", owner.state_dir);
    typed.insert("master-key", owner.master_key);
    let owner = TypedOwner { issuer: owner.issuer, tenant: owner.tenant, subject: owner.subject };
    let secret = config::secret(asked, owner, &typed, |var| std::env::var_os(var));
    let secret = secret.map_err(|problems| failure::all(&problems))?;
    (run.secret)(secret)
}
