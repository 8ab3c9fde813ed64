//! The lines: records as text, each with its time.

use std::time::SystemTime;

use serde::Serialize;

use super::bounded;
use super::record::{Begin, Ending, Event, Incident, Note, Who};

/// The longest half line that is repeated, in bytes.
const LONGEST_TORN: usize = 4096;

#[derive(Serialize)]
struct Called<'a> {
    event: &'static str,
    call: u64,
    time: String,
    #[serde(flatten)]
    begin: &'a Begin,
}

#[derive(Serialize)]
struct Noted<'a> {
    event: Note,
    time: String,
    #[serde(flatten)]
    about: &'a Begin,
}

#[derive(Serialize)]
struct Secured<'a> {
    event: &'static str,
    time: String,
    #[serde(flatten)]
    incident: &'a Incident,
    who: &'a Who,
}

#[derive(Serialize)]
struct Happened<'a> {
    time: String,
    #[serde(flatten)]
    what: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a Who>,
}

#[derive(Serialize)]
struct Counted<'a> {
    event: &'static str,
    time: String,
    reason: &'a str,
    from: &'a str,
    count: u64,
}

#[derive(Serialize)]
struct Ended {
    event: &'static str,
    call: u64,
    time: String,
    outcome: Ending,
    duration_ms: f64,
}

/// What became of the log itself.
#[derive(Default, Serialize)]
struct OfTheLog<'a> {
    event: &'static str,
    what: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    torn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<usize>,
}

pub(super) fn begin(call: u64, begin: &Begin) -> String {
    line(&Called { event: "begin", call, time: now(), begin })
}

pub(super) fn end(call: u64, outcome: Ending, duration_ms: f64) -> String {
    line(&Ended { event: "end", call, time: now(), outcome, duration_ms })
}

pub(super) fn note(event: Note, about: &Begin) -> String {
    line(&Noted { event, time: now(), about })
}

pub(super) fn incident(who: &Who, incident: &Incident) -> String {
    line(&Secured { event: "security", time: now(), incident, who })
}

pub(super) fn event(who: Option<&Who>, what: &Event) -> String {
    line(&Happened { time: now(), what, who })
}

pub(super) fn refused(from: &str, reason: &str, count: u64) -> String {
    line(&Counted { event: "refused", time: now(), reason, from, count })
}

/// A half-written line was cut off, and stands here.
pub(super) fn mended(torn: &str) -> String {
    let torn = Some(bounded::text(torn.to_owned(), LONGEST_TORN));
    line(&OfTheLog { what: "mended", torn, ..of_the_log() })
}

/// The file is another one than before.
pub(super) fn reopened() -> String {
    line(&OfTheLog { what: "reopened", ..of_the_log() })
}

/// Nothing could be written since then, and so many were refused.
pub(super) fn resumed(stopped: &str, why: &str, refused: usize) -> String {
    let (stopped, why, refused) = (Some(stopped), Some(why), Some(refused));
    line(&OfTheLog { what: "resumed", stopped, why, refused, ..of_the_log() })
}

fn of_the_log<'a>() -> OfTheLog<'a> {
    OfTheLog { event: "audit", time: now(), ..OfTheLog::default() }
}

fn line<T: Serialize>(record: &T) -> String {
    // Records are plain structs of strings and numbers, which always serialise.
    let mut text = serde_json::to_string(record).unwrap_or_default();
    text.push('\n');
    text
}

pub(super) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::queue::END_ROOM;
    use super::*;

    #[test]
    fn an_end_is_never_longer_than_its_room() {
        let end = end(u64::MAX, Ending::Suspended, f64::MIN);
        assert!(end.len() <= END_ROOM, "{}: {end}", end.len());
    }
}
