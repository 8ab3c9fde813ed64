//! How fast mcpwrap is, as ratios of floors that were measured in the same run.
//!
//! `BENCH_ROUNDS` (10) and `BENCH_SECONDS` (0.5, of one slice) say how long; `BENCH_CHECK=half` or `full`
//! makes the exit code 1 when a number is beyond twice its budget (four times where its floor is fickle), or beyond
//! it; `BENCH_PEERS` (see `peers` beside this file) names others that are measured with the same child;
//! `BENCH_FORM=markdown` prints tables for the README beside it. `cargo bench -- alone PassLarge` gives one slice 20 seconds, for a profiler to look at.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails may panic")]

mod echo;
mod floor;
mod http;
mod load;
mod outside;
mod peers;
mod proc;
mod report;
mod rounds;
mod served;
mod stdio;

use std::process::ExitCode;
use std::time::Duration;

use echo::Era;
use report::{Check, Form, Report};

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next().as_deref()) {
        (Some("echo"), Some("modern")) => echo::serve(Era::Modern).unwrap(),
        (Some("echo"), _) => echo::serve(Era::Legacy).unwrap(),
        (Some("floor"), _) => floor::serve().unwrap(),
        (Some("alone"), Some(slice)) => rounds::alone(slice),
        _ => return measure(),
    }
    ExitCode::SUCCESS
}

fn measure() -> ExitCode {
    let number = |name: &str, default: f64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let effort = Effort {
        rounds: number("BENCH_ROUNDS", 10.0).max(1.0) as usize,
        slice: Duration::from_secs_f64(number("BENCH_SECONDS", 0.5)),
    };
    let check = Check::read(std::env::var("BENCH_CHECK").ok().as_deref());
    let form = Form::read(std::env::var("BENCH_FORM").ok().as_deref());
    let mut report = Report::default();
    // A machine that is busy with other things makes the direct ways look better than they are.
    let load = proc::load_average();
    match form {
        Form::Text => println!("load before: {load}"),
        Form::Markdown => println!("{}\n", proc::machine(effort.rounds, &load)),
    }
    rounds::memory(&mut report);
    rounds::run(effort, &mut report);
    let (text, failed) = report.text(check, form);
    println!("{text}");
    if let Ok(peers) = std::env::var("BENCH_PEERS") {
        println!("{}", peers::table(&peers, effort));
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("too far beyond the budget: {}", failed.join(", "));
    ExitCode::FAILURE
}
