//! The rounds: every subject gets a slice of each, in alternating order, and a ratio is taken within its round.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::Effort;
use super::echo::{Era, LARGE};
use super::http::{Template, load};
use super::load::Sample;
use super::outside;
use super::proc;
use super::report::{Budget, Floor, Report};
use super::served::{Served, Tool, echo};
use super::stdio::{Cores, Direct};

/// Calls in flight where throughput is measured.
pub(crate) const MANY: usize = 16;
/// Large results in flight, so that reading and writing overlap.
pub(crate) const LARGE_AT_ONCE: usize = 4;
const SESSIONS: usize = 64;
const MIB: f64 = 1024.0 * 1024.0;

/// One thing that is measured in each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slice {
    FloorMany,
    PassMany,
    TranslatedMany,
    ModernMany,
    FloorOne,
    PassOne,
    DirectOne,
    DirectLarge,
    PassLarge,
}

const SLICES: [Slice; 9] = [
    Slice::FloorMany,
    Slice::PassMany,
    Slice::TranslatedMany,
    Slice::ModernMany,
    Slice::FloorOne,
    Slice::PassOne,
    Slice::DirectOne,
    Slice::DirectLarge,
    Slice::PassLarge,
];

/// A sample, and the CPU time that its subject took for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) sample: Sample,
    cpu: Duration,
}

/// Everything that runs while the rounds go on.
struct Subjects {
    floor: Served,
    floor_call: Template,
    old: Served,
    old_call: Template,
    old_large: Template,
    translated: Template,
    new: Served,
    new_call: Template,
    direct: Direct,
    next_id: u64,
}

// === impl Measured ===

impl Measured {
    /// Microseconds of CPU time for one call.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.sample.calls()
    }
}

// === impl Subjects ===

impl Subjects {
    fn start(program: &Path) -> io::Result<Self> {
        let old = Served::mcpwrap(Era::Legacy)?;
        let new = Served::mcpwrap(Era::Modern)?;
        let old_call = old.legacy(Tool::Echo)?;
        let answer = old.endpoint.ask(&old_call, 1)?;
        let floor = Served::floor(&answer.body)?;
        Ok(Self {
            floor_call: floor.endpoint.template(
                &[("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", &"0".repeat(32))],
                &Tool::Echo.body(Era::Legacy),
            ),
            floor,
            old_large: old.legacy(Tool::Large)?,
            translated: old.modern(Tool::Echo),
            new_call: new.modern(Tool::Echo),
            direct: Direct::start(echo(program, Era::Legacy))?,
            old,
            old_call,
            new,
            next_id: 0,
        })
    }

    fn measure(&mut self, slice: Slice, time: Duration) -> io::Result<Measured> {
        let (served, template, at_once) = match slice {
            Slice::FloorMany => (&self.floor, &self.floor_call, MANY),
            Slice::PassMany => (&self.old, &self.old_call, MANY),
            Slice::TranslatedMany => (&self.old, &self.translated, MANY),
            Slice::ModernMany => (&self.new, &self.new_call, MANY),
            Slice::FloorOne => (&self.floor, &self.floor_call, 1),
            Slice::PassOne => (&self.old, &self.old_call, 1),
            Slice::PassLarge => (&self.old, &self.old_large, LARGE_AT_ONCE),
            Slice::DirectOne => return self.direct(Tool::Echo, 1, time, Cores::One),
            Slice::DirectLarge => return self.direct(Tool::Large, LARGE_AT_ONCE, time, Cores::All),
        };
        let before = proc::cpu(served.pid());
        let sample = load(&served.endpoint, template, at_once, time, &mut self.next_id)?;
        let cpu = proc::cpu(served.pid()).saturating_sub(before);
        Ok(Measured { sample, cpu })
    }

    fn direct(
        &mut self,
        tool: Tool,
        at_once: usize,
        time: Duration,
        cores: Cores,
    ) -> io::Result<Measured> {
        let line = format!("{}\n", tool.body(Era::Legacy));
        let sample = self.direct.load(&line, at_once, time, cores)?;
        Ok(Measured { sample, cpu: Duration::ZERO })
    }
}

/// Measures speed.
pub(crate) fn run(effort: Effort, report: &mut Report) {
    let program = std::env::current_exe().unwrap();
    let mut subjects = Subjects::start(&program).unwrap();
    for slice in SLICES {
        subjects.measure(slice, effort.slice).unwrap();
    }
    for round in 0..effort.rounds {
        let mut order = SLICES;
        // Whoever goes first in one round goes last in the next.
        if round % 2 == 1 {
            order.reverse();
        }
        let mut all: Vec<(Slice, Measured)> = order
            .into_iter()
            .map(|slice| (slice, subjects.measure(slice, effort.slice).unwrap()))
            .collect();
        all.sort_by_key(|(slice, _)| *slice);
        let [floor, pass, translated, modern, floor_one, pass_one, direct_one, direct_large, large] =
            all.into_iter().map(|(_, measured)| measured).collect::<Vec<_>>().try_into().unwrap();
        let none = Budget::None;
        let rate = |measured: &Measured| measured.sample.rate();
        let p50 = |measured: &Measured| measured.sample.p50();
        report.add(
            "16 calls in flight, of the floor",
            "rate",
            Budget::AtLeast(0.5, Floor::Steady),
            rate(&pass) / rate(&floor),
        );
        report.add(
            "cpu of a call, of the floor's",
            "cpu",
            Budget::AtMost(2.0, Floor::Steady),
            pass.cpu() / floor.cpu(),
        );
        let sum = p50(&floor_one) + p50(&direct_one);
        report.add(
            "one call, of floor + direct stdio",
            "p50",
            Budget::AtMost(1.5, Floor::Fickle),
            p50(&pass_one) / sum,
        );
        report.add(
            "1 MiB results, of direct stdio",
            "rate",
            Budget::AtLeast(0.8, Floor::Fickle),
            rate(&large) / rate(&direct_large),
        );
        report.add(
            "modern client, legacy child, of pass-through",
            "time",
            Budget::AtMost(1.2, Floor::Steady),
            rate(&pass) / rate(&translated),
        );
        report.add(
            "modern client, modern child, of legacy both",
            "time",
            none,
            rate(&pass) / rate(&modern),
        );
        report.add("floor, 16 in flight", "calls/s", none, rate(&floor));
        report.add("mcpwrap, 16 in flight", "calls/s", none, rate(&pass));
        report.add("floor, cpu of a call", "µs", none, floor.cpu());
        report.add("mcpwrap, cpu of a call", "µs", none, pass.cpu());
        report.add("mcpwrap, cpu of a translated call", "µs", none, translated.cpu());
        report.add("floor, one call", "p50 µs", none, p50(&floor_one));
        report.add("direct stdio, one call", "p50 µs", none, p50(&direct_one));
        report.add("mcpwrap, one call", "p50 µs", none, p50(&pass_one));
        let size = LARGE as f64 / MIB;
        report.add("direct stdio, 1 MiB results", "MiB/s", none, rate(&direct_large) * size);
        report.add("mcpwrap, 1 MiB results", "MiB/s", none, rate(&large) * size);
    }
    from_outside(&subjects, effort, report).unwrap();
    let loaded = proc::memory(subjects.old.pid());
    report.add("memory after all rounds, anonymous", "MiB", Budget::None, loaded.anonymous / MIB);
}

/// The ratios as `wrk` sees them, where it is here.
#[allow(clippy::print_stdout, reason = "what was left out is said")]
fn from_outside(subjects: &Subjects, effort: Effort, report: &mut Report) -> io::Result<()> {
    if !outside::is_here() {
        println!("wrk is not installed: nothing is measured from outside");
        return Ok(());
    }
    let mut first = 2_000_000_000;
    let mut seen = |served: &Served, template: &Template, at_once| {
        let before = proc::cpu(served.pid());
        let seen = outside::load(&served.endpoint, template, at_once, effort.slice, first)?;
        let cpu = proc::cpu(served.pid()).saturating_sub(before);
        first += seen.calls as u64 + MANY as u64;
        io::Result::Ok((seen, cpu.as_secs_f64() * 1e6 / seen.calls))
    };
    let mut direct = Direct::start(echo(&std::env::current_exe()?, Era::Legacy))?;
    let line = format!("{}\n", Tool::Echo.body(Era::Legacy));
    for _ in 0..effort.rounds {
        let (floor, _) = seen(&subjects.floor, &subjects.floor_call, 1)?;
        let (pass, _) = seen(&subjects.old, &subjects.old_call, 1)?;
        let stdio = direct.load(&line, 1, effort.slice, Cores::One)?.p50();
        let (floor_many, floor_cpu) = seen(&subjects.floor, &subjects.floor_call, MANY)?;
        let (pass_many, pass_cpu) = seen(&subjects.old, &subjects.old_call, MANY)?;
        let ratios = [
            ("wrk: one call, of floor + direct stdio", "p50", pass.p50 / (floor.p50 + stdio)),
            ("wrk: cpu of a call, of the floor's", "cpu", pass_cpu / floor_cpu),
            ("wrk: 16 in flight, of the floor", "rate", pass_many.rate / floor_many.rate),
        ];
        let budgets = [
            Budget::AtMost(1.5, Floor::Fickle),
            Budget::AtMost(2.0, Floor::Steady),
            Budget::AtLeast(0.5, Floor::Steady),
        ];
        for ((name, unit, value), budget) in ratios.into_iter().zip(budgets) {
            report.add(name, unit, budget, value);
        }
        report.add("wrk: floor, one call", "p50 µs", Budget::None, floor.p50);
        report.add("wrk: mcpwrap, one call", "p50 µs", Budget::None, pass.p50);
        report.add("wrk: floor, 16 in flight", "calls/s", Budget::None, floor_many.rate);
        report.add("wrk: mcpwrap, 16 in flight", "calls/s", Budget::None, pass_many.rate);
        report.add("wrk: mcpwrap, cpu of a call", "µs", Budget::None, pass_cpu);
    }
    Ok(())
}

/// Measures one slice for long enough to be looked at.
#[allow(clippy::print_stdout, reason = "the result")]
pub(crate) fn alone(name: &str) {
    const LONG: Duration = Duration::from_secs(20);
    let program = std::env::current_exe().unwrap();
    let slice = SLICES.into_iter().find(|slice| format!("{slice:?}") == name).unwrap();
    let mut subjects = Subjects::start(&program).unwrap();
    println!("mcpwrap is {} and {}", subjects.old.pid(), subjects.new.pid());
    let measured = subjects.measure(slice, LONG).unwrap();
    let sample = &measured.sample;
    println!(
        "{:.0} calls/s, p50 {:.1} µs, cpu {:.1} µs",
        sample.rate(),
        sample.p50(),
        measured.cpu()
    );
}

/// Measures memory.
pub(crate) fn memory(report: &mut Report) {
    let served = Served::mcpwrap(Era::Legacy).unwrap();
    let call = served.legacy(Tool::Echo).unwrap();
    served.endpoint.ask(&call, 1).unwrap();
    let rest = proc::memory(served.pid());
    report.add("memory at rest", "MiB", Budget::AtMost(12.0, Floor::Steady), rest.private / MIB);
    report.add("memory at rest, anonymous alone", "MiB", Budget::None, rest.anonymous / MIB);
    let idle: Vec<TcpStream> = (0..SESSIONS)
        .map(|_| {
            served.session().unwrap();
            served.endpoint.connect().unwrap()
        })
        .collect();
    let more = proc::memory(served.pid());
    let added = (more.private - rest.private) / MIB;
    report.add("64 idle sessions", "MiB", Budget::AtMost(2.0, Floor::Steady), added);
    drop(idle);
    let supervisors = proc::children(served.pid());
    let anonymous: f64 = supervisors.iter().map(|pid| proc::memory(*pid).anonymous).sum();
    report.add("supervisor, anonymous", "MiB", Budget::AtMost(2.0, Floor::Steady), anonymous / MIB);
}
