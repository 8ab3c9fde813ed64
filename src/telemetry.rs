//! What the process says about itself: tracing events to stderr, as text or JSON.
//!
//! Libraries are heard from `warn` upwards only, whatever the filter says: at `trace` some print headers, and a
//! header may hold a token. It does not know what is worth saying.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::problem::chain;

mod json;

/// Lines that a child printed: field `child` is its name, the message the line.
pub const CHILD: &str = "mcpwrap::child";
/// Messages between client and child, for `--trace`.
pub const TRACE: &str = "mcpwrap::trace";

/// What to say and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The form of a line.
    pub format: Format,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// The operator's own filter; off means by verbosity.
    pub filter: Option<Targets>,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For machines: one object on a line.
    Json,
}

/// Why the process stays silent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has installed a subscriber before.
    #[error("install the log subscriber")]
    Installed {
        /// What the library said.
        #[source]
        cause: tracing_subscriber::util::TryInitError,
    },
}

/// Whether lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Off,
    /// ANSI sequences.
    On,
}

/// Sends events to stderr from now on.
///
/// # Errors
/// [`Error::Installed`] when that happened before.
pub fn init(settings: &Settings) -> Result<(), Error> {
    let layer = layer(settings, Colour::of_stderr(), io::stderr);
    let subscriber = tracing_subscriber::registry().with(layer);
    subscriber.try_init().map_err(|cause| Error::Installed { cause })
}

fn layer<S, W>(settings: &Settings, colour: Colour, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = settings.targets().and(clamp());
    let events = tracing_subscriber::fmt::layer().with_writer(writer);
    match settings.format {
        Format::Json => events.event_format(json::Json).with_filter(filter).boxed(),
        Format::Text => events.event_format(Text { colour }).with_filter(filter).boxed(),
    }
}

fn clamp() -> FilterFn {
    fn heard(meta: &Metadata<'_>) -> bool {
        ours(meta.target()) || *meta.level() <= Level::WARN
    }
    // Without a level of its own it would keep every trace point of every library awake.
    FilterFn::new(heard as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::TRACE)
}

fn ours(target: &str) -> bool {
    target == "mcpwrap" || target.starts_with("mcpwrap::")
}

// === impl Settings ===

impl Settings {
    fn targets(&self) -> Targets {
        let level = match self.verbosity {
            0 => LevelFilter::INFO,
            1 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let usual = || Targets::new().with_default(LevelFilter::WARN).with_target("mcpwrap", level);
        self.filter.clone().unwrap_or_else(usual)
    }
}

// === impl Colour ===

impl Colour {
    /// Colour for a terminal whose user has not asked for none.
    #[must_use]
    pub fn of_stderr() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stderr().is_terminal() && !refused && !dumb { Self::On } else { Self::Off }
    }

    /// The text between the sequence and its end, or as it is.
    #[must_use]
    pub fn paint(self, sequence: &str, text: &str) -> String {
        match self {
            Self::On => format!("\x1b[{sequence}m{text}\x1b[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

// === Text ===

/// One line for each event: `child| text` for a child, the message alone for traces, else level and fields.
struct Text {
    colour: Colour,
}

/// The fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    child: String,
    rest: String,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        match meta.target() {
            CHILD => {
                let mark = format!("{}|", printable(&fields.child, Newlines::Escape));
                let text = printable(&fields.message, Newlines::Escape);
                let rest = printable(&fields.rest, Newlines::Escape);
                writeln!(out, "{} {text}{rest}", self.colour.paint("36", &mark))
            }
            TRACE => writeln!(out, "{}", printable(&fields.message, Newlines::Keep)),
            target => {
                let (level, sequence) = level(*meta.level());
                write!(out, "{}: ", self.colour.paint(sequence, level))?;
                if !ours(target) {
                    write!(out, "{target}: ")?;
                }
                write!(out, "{}", printable(&fields.message, Newlines::Escape))?;
                if !fields.child.is_empty() {
                    write!(out, " child={}", printable(&fields.child, Newlines::Escape))?;
                }
                let rest = printable(&fields.rest, Newlines::Escape);
                writeln!(out, "{}", self.colour.paint("2", &rest).trim_end())
            }
        }
    }
}

fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("error", "1;31"),
        Level::WARN => ("warning", "1;33"),
        Level::INFO => ("info", "1;32"),
        Level::DEBUG => ("debug", "1;34"),
        Level::TRACE => ("trace", "1;35"),
    }
}

/// What becomes of line ends in a [`printable`] text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newlines {
    /// They stay.
    Keep,
    /// They are shown as `\n`.
    Escape,
}

/// The text without control characters: what a child or a client writes must not steer the terminal.
#[must_use]
pub fn printable(text: &str, newlines: Newlines) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let kept = letter == '\t' || (letter == '\n' && newlines == Newlines::Keep);
        if letter.is_control() && !kept {
            let _ = write!(out, "{}", letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

// === impl Fields ===

impl Fields {
    fn put(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let _ = match field.name() {
            "message" => write!(self.message, "{text}"),
            "child" => write!(self.child, "{text}"),
            name => write!(self.rest, " {name}={text}"),
        };
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{}", chain(value)));
    }
}

#[cfg(test)]
mod tests;
