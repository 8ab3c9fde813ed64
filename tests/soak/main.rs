//! A soak: `mcpwrap serve` under load for minutes while everything around it fails, again and again.
//!
//! `SOAK_SECONDS` (120) says how long the faults go on, `SOAK_USERS` (8) how many users there are, `SOAK_SEED` which
//! faults come in which order, `SOAK_ISOLATION` (`basic`) which walls are built. The exit code is 1 if anybody got a
//! wrong answer or somebody else's secret, if a call was lost that no fault explains, or if something was left over.
//! Nothing is judged by how long it took. The README beside this file says what the output means.

#![allow(clippy::unwrap_used, reason = "a soak that cannot go on may panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]
#![allow(clippy::needless_pass_by_value, reason = "values are made for the call with json!")]

mod caller;
mod chance;
mod disk;
mod faults;
mod ledger;
mod pace;
mod processes;
mod remains;
mod report;
mod run;
mod secrets;
mod world;

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "a soak needs a part of what the tests stand on")]
mod support;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use disk::Disk;

/// What the environment asks for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long faults are injected; longer, where one kind has not come by then.
    pub(crate) storm: Duration,
    pub(crate) users: usize,
    pub(crate) seed: u64,
    pub(crate) isolation: String,
}

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let settings = Settings {
        storm: Duration::from_secs(number("SOAK_SECONDS").unwrap_or(120)),
        users: usize::try_from(number("SOAK_USERS").unwrap_or(8)).unwrap().max(2),
        seed: number("SOAK_SEED").unwrap_or(clock.as_secs()),
        isolation: std::env::var("SOAK_ISOLATION").unwrap_or_else(|_| "basic".to_owned()),
    };
    println!("soak: {} users, SOAK_SEED={}", settings.users, settings.seed);
    // Before there are threads, as a thread cannot take the others along into a namespace.
    let disk = Disk::of_its_own();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run::all(&settings, disk));
    println!("{}", report.text());
    let wrong = report.wrong();
    if wrong.is_empty() {
        println!("soak: ok");
        return ExitCode::SUCCESS;
    }
    println!("soak: FAILED with SOAK_SEED={}: {}", settings.seed, wrong.join(", "));
    ExitCode::FAILURE
}
