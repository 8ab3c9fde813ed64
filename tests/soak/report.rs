//! What came of it, for people to read, and what of it is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::ledger::{Call, Closed, Kind, Outcome, Phase};
use crate::processes::Holdings;
use crate::remains::{self, End};
use crate::world::FLOODER;

/// How many of a kind are shown whole.
const SHOWN: usize = 12;

/// Everything that a run found.
pub(crate) struct Report {
    pub(crate) users: usize,
    pub(crate) storm: Duration,
    pub(crate) books: Closed,
    pub(crate) before: Result<Holdings, String>,
    pub(crate) after: Result<Holdings, String>,
    pub(crate) end: End,
    pub(crate) skipped: Vec<String>,
    pub(crate) failures: Vec<String>,
}

// === impl Report ===

impl Report {
    /// What makes the run fail.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = self.failures.clone();
        let mut count = |what: &str, number: usize| {
            if number > 0 {
                wrong.push(format!("{number} {what}"));
            }
        };
        count("wrong answers", self.false_answers().len());
        count("unexplained losses", self.unexplained().len());
        count("leaks into logs", self.end.leaks.len());
        count("orphans", self.end.orphans.len());
        count("calls without exactly one end in the audit log", self.end.audit.open);
        count("torn audit records", self.end.audit.torn);
        if !self.end.exit.is_empty() {
            wrong.push(format!("mcpwrap ended with {}", self.end.exit));
        }
        match (&self.before, &self.after) {
            (Ok(before), Ok(after)) => wrong.extend(
                remains::grown(*before, *after).into_iter().map(|what| format!("leaked {what}")),
            ),
            (Err(why), _) | (_, Err(why)) => wrong.push(why.clone()),
        }
        wrong
    }

    fn false_answers(&self) -> Vec<&Call> {
        let calls = self.books.calls.iter();
        calls.filter(|call| matches!(call.outcome, Outcome::Wrong(_))).collect()
    }

    fn unexplained(&self) -> Vec<&Call> {
        let fine = |call: &&Call| {
            matches!(call.outcome, Outcome::Answered | Outcome::Agreed | Outcome::Wrong(_))
        };
        let calls = self.books.calls.iter().filter(|call| !fine(call));
        calls.filter(|call| self.books.why(call).is_none()).collect()
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.load(&mut out);
        self.faults(&mut out);
        self.losses(&mut out);
        self.remains(&mut out);
        self.shown(&mut out, "wrong answers", &self.false_answers());
        self.shown(&mut out, "unexplained losses", &self.unexplained());
        out
    }

    fn load(&self, out: &mut String) {
        let row = |name: &str, time: Option<Duration>, keep: &dyn Fn(&Call) -> bool| {
            let took = |call: &Call| call.ended - call.began;
            let answered = |call: &&Call| call.outcome == Outcome::Answered && keep(call);
            let mut times: Vec<Duration> =
                self.books.calls.iter().filter(answered).map(took).collect();
            times.sort();
            let at = |part: f64| {
                let place = (times.len().saturating_sub(1) as f64 * part) as usize;
                times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
            };
            let rate = time.map_or(String::new(), |time| {
                format!("{:.0}", times.len() as f64 / time.as_secs_f64())
            });
            let (count, half, most) = (times.len(), at(0.5), at(0.99));
            format!("  {name:<34} {count:>8} {rate:>8} {half:>9.2} {most:>9.2}")
        };
        let of = |phase: Phase| move |call: &Call| call.phase == phase;
        let others = |phase| move |call: &Call| call.phase == phase && call.client.0 != FLOODER;
        let storm = format!("storm, {} users, {} sessions", self.users, self.users);
        let head = ["answered", "calls/s", "p50 ms", "p99 ms"];
        let _ = writeln!(
            out,
            "\n  {:<34} {:>8} {:>8} {:>9} {:>9}",
            "load", head[0], head[1], head[2], head[3]
        );
        let _ = writeln!(out, "{}", row(&storm, Some(self.storm), &of(Phase::Storm)));
        let _ = writeln!(out, "{}", row("bystanders, all calm", None, &others(Phase::Calm)));
        let _ =
            writeln!(out, "{}", row("bystanders, one user floods", None, &others(Phase::Flood)));
    }

    fn faults(&self, out: &mut String) {
        let _ = writeln!(out, "\n  faults");
        for (kind, name) in Kind::ALL {
            let count = self.books.faults.iter().filter(|fault| fault.kind == kind).count();
            let _ = writeln!(out, "  {name:<34} {count:>8}");
        }
        for why in &self.skipped {
            let _ = writeln!(out, "  SKIPPED: {why}");
        }
    }

    fn losses(&self, out: &mut String) {
        let mut rows: BTreeMap<(&str, &str, String), usize> = BTreeMap::new();
        for call in &self.books.calls {
            if !matches!(call.outcome, Outcome::Answered | Outcome::Agreed) {
                let why = self.books.why(call).map_or("NOTHING", Kind::name);
                let said = call.outcome.said().split(" (").next().unwrap_or_default();
                let said: String = said.chars().take(64).collect();
                *rows.entry((call.outcome.name(), why, said)).or_default() += 1;
            }
        }
        let _ = writeln!(
            out,
            "\n  {:<34} {:>8}  {:<22} the client was told",
            "calls that were not answered", "", "explained by"
        );
        for ((outcome, why, said), count) in rows {
            let _ = writeln!(out, "  {outcome:<34} {count:>8}  {why:<22} {said}");
        }
    }

    fn remains(&self, out: &mut String) {
        let _ = writeln!(out, "\n  {:<34} {:>8} {:>8}", "at rest", "before", "after");
        if let (Ok(before), Ok(after)) = (&self.before, &self.after) {
            let (one, other) = (before.descriptors, after.descriptors);
            let _ = writeln!(out, "  {:<34} {one:>8} {other:>8}", "file descriptors");
            let (one, other) = (before.resident_mib, after.resident_mib);
            let _ = writeln!(out, "  {:<34} {one:>8} {other:>8}", "resident memory, MiB");
        }
        let end = &self.end;
        let _ = writeln!(out, "\n  wrong answers: {}", self.false_answers().len());
        let _ = writeln!(out, "  leaks into logs: {}", end.leaks.len());
        let _ = writeln!(out, "  left over after SIGTERM: {}", end.orphans.len());
        let audit = &end.audit;
        let _ = writeln!(
            out,
            "  audited calls: {}, without exactly one end: {}",
            audit.begun, audit.open
        );
        for what in end.leaks.iter().chain(&end.orphans) {
            let _ = writeln!(out, "    {what}");
        }
    }

    fn shown(&self, out: &mut String, what: &str, calls: &[&Call]) {
        let Some(first) = self.books.calls.iter().map(|call| call.began).min() else { return };
        if !calls.is_empty() {
            let _ = writeln!(out, "\n  {what}, the first of {}", calls.len());
        }
        for call in calls.iter().take(SHOWN) {
            let (user, era) = call.client;
            let (began, ended) = (call.began - first, call.ended - first);
            let _ = writeln!(
                out,
                "    user-{user} {era} {:?} {began:.3?} to {ended:.3?}: {:?}",
                call.phase, call.outcome
            );
            let _ = writeln!(out, "      after {}", self.books.before(call).join(", "));
        }
    }
}
