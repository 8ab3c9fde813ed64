//! `mcpwrap demo`: the production path on a laptop.

use clap::Args;

use super::args::LogArgs;
use super::{Failure, Run, failure};
use crate::config::{self, Rounds, Typed};
use crate::telemetry;

/// The flags of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Show everything once, and exit
    #[arg(long)]
    pub once: bool,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) fn demo(args: &DemoArgs, typed: &Typed, run: &Run) -> Result<(), Vec<Failure>> {
    let rounds = if args.once { Rounds::Once } else { Rounds::UntilStopped };
    let demo = config::demo(rounds, typed, |var| std::env::var_os(var));
    let demo = demo.map_err(|problems| failure::all(&problems))?;
    telemetry::init(&demo.log).map_err(|error| vec![Failure::of(&error)])?;
    (run.demo)(demo)
}
