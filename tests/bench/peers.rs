//! Others that do the same for one user, measured with the same child and the same client.

use std::io;
use std::time::Duration;

use super::Effort;
use super::echo::{Era, LARGE};
use super::http::{Template, load};
use super::load::median;
use super::rounds::{LARGE_AT_ONCE, MANY};
use super::served::{Served, Tool};

/// One row of the table, a value for each round.
struct Row {
    name: String,
    served: Served,
    call: Template,
    large: Template,
    rates: Vec<f64>,
    cpus: Vec<f64>,
    alone: Vec<f64>,
    mibs: Vec<f64>,
    memory: f64,
    next_id: u64,
}

/// Measures the peers that a text names, one on each line: `NAME|PATH|PREFIX|COMMAND`.
///
/// The prefix is what the peer puts before the names of tools. In the command `{port}` and `{child}` are replaced. The result is a table in Markdown.
pub(crate) fn table(peers: &str, effort: Effort) -> String {
    let mut notes = String::new();
    let mut rows = Vec::new();
    let own = Served::mcpwrap(Era::Legacy);
    let mut add = |name: &str, prefix: &str, served: io::Result<Served>| match served
        .and_then(|served| Row::begin(name, prefix, served))
    {
        Ok(row) => rows.push(row),
        Err(error) => notes += &format!("\n{name} was not measured: {error}"),
    };
    add("mcpwrap", "", own);
    for peer in peers.lines().filter(|line| !line.trim().is_empty()) {
        if let [name, path, prefix, command] = peer.splitn(4, '|').collect::<Vec<_>>()[..] {
            add(name, prefix, Served::peer(path, command));
        }
    }
    for round in 0..effort.rounds {
        if round % 2 == 1 {
            rows.reverse();
        }
        rows.retain_mut(|row| match row.measure(effort.slice) {
            Ok(()) => true,
            Err(error) => {
                notes += &format!("\n{} failed in round {round}: {error}", row.name);
                false
            }
        });
    }
    rows.sort_by(|a, b| median(b.rates.clone()).total_cmp(&median(a.rates.clone())));
    let mut text = "| | 16 in flight | one call, p50 | CPU of a call | 1 MiB results | memory |\n\
                    |---|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in &rows {
        text += &row.text();
    }
    text + &notes
}

// === impl Row ===

impl Row {
    fn begin(name: &str, prefix: &str, served: Served) -> io::Result<Self> {
        let call = served.prefixed(Tool::Echo, prefix)?;
        served.endpoint.ask(&call, 1)?;
        let memory = served.memory_of_tree() / (1024.0 * 1024.0);
        let large = served.prefixed(Tool::Large, prefix)?;
        Ok(Self {
            name: name.to_owned(),
            served,
            call,
            large,
            rates: Vec::new(),
            cpus: Vec::new(),
            alone: Vec::new(),
            mibs: Vec::new(),
            memory,
            next_id: 1,
        })
    }

    fn measure(&mut self, time: Duration) -> io::Result<()> {
        let endpoint = &self.served.endpoint;
        let before = self.served.cpu_of_tree();
        let many = load(endpoint, &self.call, MANY, time, &mut self.next_id)?;
        let cpu = self.served.cpu_of_tree().saturating_sub(before);
        let one = load(endpoint, &self.call, 1, time, &mut self.next_id)?;
        let large = load(endpoint, &self.large, LARGE_AT_ONCE, time, &mut self.next_id)?;
        self.rates.push(many.rate());
        self.cpus.push(cpu.as_secs_f64() * 1e6 / many.calls());
        self.alone.push(one.p50());
        self.mibs.push(large.rate() * LARGE as f64 / (1024.0 * 1024.0));
        Ok(())
    }

    fn text(&self) -> String {
        let of = |values: &Vec<f64>| median(values.clone());
        format!(
            "| {} | {:.0}/s | {:.0} µs | {:.0} µs | {:.0} MiB/s | {:.1} MiB |\n",
            self.name,
            of(&self.rates),
            of(&self.alone),
            of(&self.cpus),
            of(&self.mibs),
            self.memory
        )
    }
}
