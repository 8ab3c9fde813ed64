//! What the log shows, and what it does not.

use super::*;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn said(settings: &Settings, colour: Colour, speak: impl FnOnce()) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let layer = layer(settings, colour, move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), speak);
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn text(verbosity: u8) -> Settings {
    Settings { format: Format::Text, verbosity, filter: None }
}

#[test]
fn events_are_lines_with_level_and_fields() {
    let out = said(&text(0), Colour::Off, || {
        tracing::info!(port = 8808, "listening");
        tracing::debug!("unheard");
    });
    assert_eq!(out, "info: listening port=8808\n");
}

#[test]
fn a_child_speaks_under_its_name_and_cannot_steer_the_terminal() {
    let out = said(&text(0), Colour::Off, || {
        tracing::info!(target: CHILD, child = "weather", "hello \x1b[2J\nworld");
    });
    assert_eq!(out, "weather| hello \\u{1b}[2J\\nworld\n");
}

#[test]
fn traces_are_plain_and_may_have_several_lines() {
    let out = said(&text(0), Colour::On, || {
        tracing::info!(target: TRACE, "{}", "→ {\n  \"id\": 1\n}");
    });
    assert_eq!(out, "→ {\n  \"id\": 1\n}\n");
}

#[test]
fn libraries_are_heard_from_warn_upwards_whatever_the_filter_says() {
    for filter in
        [None, Some("trace".parse().unwrap()), Some("h2=trace,hyper=trace".parse().unwrap())]
    {
        let settings = Settings { filter, ..text(9) };
        let out = said(&settings, Colour::Off, || {
            tracing::trace!(target: "h2::codec", authorization = "Bearer abc", "headers");
            tracing::debug!(target: "hyper::proto", "Bearer abc");
            tracing::info!(target: "mcpwrapper", "Bearer abc");
        });
        assert_eq!(out, "");
    }
    let out = said(&text(0), Colour::Off, || tracing::warn!(target: "h2", "goaway"));
    assert_eq!(out, "warning: h2: goaway\n");
}

#[test]
fn json_is_one_object_on_a_line() {
    let settings = Settings { format: Format::Json, ..text(0) };
    let out = said(&settings, Colour::On, || {
        tracing::info!(target: CHILD, child = "weather", "a\nb");
    });
    assert_eq!(out.lines().count(), 1);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["target"], CHILD);
    assert_eq!(object["fields"]["message"], "a\nb");
    assert_eq!(object["fields"]["child"], "weather");
}

#[test]
fn an_error_field_shows_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("read the file")]
    struct Outer(#[source] io::Error);
    let error = Outer(io::Error::other("gone"));
    let speak = || tracing::error!(error = &error as &dyn std::error::Error, "no log");
    assert_eq!(said(&text(0), Colour::Off, speak), "error: no log error=read the file: gone\n");
    let out = said(&Settings { format: Format::Json, ..text(0) }, Colour::Off, speak);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["fields"]["error"], "read the file: gone");
}
