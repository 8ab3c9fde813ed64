//! The wrapped server of every measurement: the least work that still is MCP, on one thread.
//!
//! It answers as an old server or as a new one, and knows nothing of who stands between it and its client.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

/// The size of a large result's text, in bytes.
pub(crate) const LARGE: usize = 1024 * 1024;

/// How the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    arguments: Option<Arguments<'a>>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Initialize<'a> {
    #[serde(borrow, rename = "protocolVersion")]
    version: Cow<'a, str>,
}

const TOOLS: &str = concat!(
    r#""tools":[{"name":"echo","inputSchema":{"type":"object"}},"#,
    r#"{"name":"large","inputSchema":{"type":"object"}}]"#
);

impl Era {
    /// The word on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }

    fn complete(self) -> &'static str {
        match self {
            Self::Legacy => "",
            Self::Modern => r#""resultType":"complete","#,
        }
    }
}

/// Answers until stdin ends.
pub(crate) fn serve(era: Era) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
    let mut output = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let large = "x".repeat(LARGE);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        answer(era, &line, &large, &mut output)?;
        // One write for everything that was asked at once.
        if memchr::memchr(b'\n', input.buffer()).is_none() {
            output.flush()?;
        }
    }
}

fn answer(era: Era, line: &[u8], large: &str, out: &mut impl Write) -> io::Result<()> {
    let Ok(request) = serde_json::from_slice::<Request<'_>>(line) else { return Ok(()) };
    let Some(id) = request.id else { return Ok(()) };
    let params = request.params.map_or("{}", RawValue::get);
    write!(out, r#"{{"jsonrpc":"2.0","id":{id},"#)?;
    let complete = era.complete();
    match (request.method.as_ref(), era) {
        ("tools/call", _) => {
            let call: Call<'_> = serde_json::from_str(params)?;
            write!(out, r#""result":{{{complete}"content":[{{"type":"text","text":"#)?;
            if call.name == "large" {
                out.write_all(b"\"")?;
                out.write_all(large.as_bytes())?;
                out.write_all(b"\"")?;
            } else {
                let message = call.arguments.and_then(|arguments| arguments.message);
                out.write_all(message.map_or("\"\"", RawValue::get).as_bytes())?;
            }
            out.write_all(b"}]}}\n")
        }
        ("initialize", Era::Legacy) => {
            let asked: Initialize<'_> = serde_json::from_str(params)?;
            writeln!(
                out,
                r#""result":{{"protocolVersion":"{}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"echo","version":"1"}}}}}}"#,
                asked.version
            )
        }
        ("server/discover", Era::Modern) => writeln!(
            out,
            r#""result":{{{complete}"supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{}}}}}}}}"#
        ),
        ("tools/list", _) => writeln!(out, r#""result":{{{complete}{TOOLS}}}}}"#),
        ("ping", _) => writeln!(out, r#""result":{{}}}}"#),
        _ => writeln!(out, r#""error":{{"code":-32601,"message":"method not found"}}}}"#),
    }
}
