//! The same measured from outside: by `wrk`, a public load generator that shares no weakness with our own client.

use std::fmt::Write as _;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::http::{Endpoint, Template};

/// What `wrk` saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Calls per second.
    pub(crate) rate: f64,
    /// The median time of a call, in microseconds.
    pub(crate) p50: f64,
    pub(crate) calls: f64,
}

/// Whether it is here.
pub(crate) fn is_here() -> bool {
    let mut wrk = Command::new("wrk");
    wrk.arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Lets it call for a while, in whole seconds, so many at a time; each call has an id of its own, from `first` on.
pub(crate) fn load(
    endpoint: &Endpoint,
    template: &Template,
    at_once: usize,
    time: Duration,
    first: u64,
) -> io::Result<Seen> {
    let script = std::env::temp_dir().join(format!("mcpwrap-bench-{}.lua", std::process::id()));
    std::fs::write(&script, lua(template, first))?;
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", &format!("-c{at_once}"), &format!("-d{}", time.as_secs().max(1))]);
    let done = wrk.args(["--latency", "-s"]).arg(&script).arg(endpoint.url()).output();
    let _ = std::fs::remove_file(&script);
    let said = String::from_utf8_lossy(&done?.stdout).into_owned();
    read(&said)
        .ok_or_else(|| io::Error::other(format!("wrk was refused or not understood: {said}")))
}

/// A script that sends the template's bytes.
fn lua(template: &Template, first: u64) -> String {
    let (head, tail) = template.around_id();
    let quoted = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:03}");
            text
        })
    };
    format!(
        "local n = {first}\nlocal head, tail = \"{}\", \"{}\"\n\
         function request() n = n + 1; return head .. string.format(\"%010d\", n) .. tail end\n",
        quoted(head),
        quoted(tail)
    )
}

/// What it printed; nothing, where an answer was no success.
fn read(said: &str) -> Option<Seen> {
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return None;
    }
    let word = |label: &str, at: usize| {
        let line = said.lines().find(|line| line.trim_start().starts_with(label))?;
        line.split_whitespace().nth(at)
    };
    let calls = said.lines().find(|line| line.contains(" requests in "))?;
    Some(Seen {
        rate: word("Requests/sec:", 1)?.parse().ok()?,
        p50: micros(word("50%", 1)?)?,
        calls: calls.split_whitespace().next()?.parse().ok()?,
    })
}

/// `12.34us`, `1.20ms` or `2.00s`.
fn micros(text: &str) -> Option<f64> {
    let (number, factor) = match text {
        text if text.ends_with("us") => (text.strip_suffix("us")?, 1.0),
        text if text.ends_with("ms") => (text.strip_suffix("ms")?, 1e3),
        text => (text.strip_suffix('s')?, 1e6),
    };
    Some(number.parse::<f64>().ok()? * factor)
}
