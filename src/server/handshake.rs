//! Finding out how a server speaks, and introducing ourselves (checklist 4.12–4.23).
//!
//! The probe is `server/discover`. A server that answers it is modern. One that answers anything else is
//! legacy and gets `initialize`. One that stays silent gets `initialize` behind the probe, and whichever
//! answer comes first decides, so that a slow start is never mistaken for an old server. One that exits on
//! the probe is started again without it, by the caller.
//!
//! A server that is modern may speak the legacy era too. For a legacy client it is greeted with `initialize`, and with
//! the probe where it does not know that (or behind it, where it stays silent).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::outgoing::{modern_meta, notify, reply, write};
use super::{Hello, Incoming, Profile};
use crate::mcp::{Era, ErrorObject, Line, Lines, Object, ProtocolVersion, Raw, codes, meta};

/// How long a server may keep silent about the probe before `initialize` is sent behind it.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// The method that finds out how a server speaks.
pub const PROBE: &str = "server/discover";
const DISCOVER: u64 = 0;
const INITIALIZE: u64 = 1;

/// What is known about the era beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraChoice {
    /// Nothing: probe.
    Probe,
    /// It is certain.
    Known(Era),
    /// It is modern, and is to be spoken to in the legacy era if it knows that as well.
    LegacyFirst,
}

/// How the handshake ended well.
#[derive(Debug)]
pub struct Verdict {
    /// What the server said.
    pub hello: Hello,
}

/// How the handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Its output ended.
    #[error("the server exited during the handshake")]
    Exited,
    /// No answer in time.
    #[error("the server did not answer the handshake within {seconds} s")]
    Silent {
        /// The limit.
        seconds: u64,
    },
    /// It refused `initialize`.
    #[error("the server refused to initialize: {message} ({code})")]
    Refused {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// It answered something that is no introduction.
    #[error("the server answered the handshake with something that is not MCP")]
    Nonsense,
    /// It speaks no revision that we speak.
    #[error("no common protocol version: the server speaks {theirs}, mcpwrap {ours}")]
    NoCommonVersion {
        /// What the server named.
        theirs: String,
        /// What we speak.
        ours: String,
    },
    /// The pipe broke.
    #[error("talk to the server")]
    Io {
        /// How.
        #[source]
        cause: std::io::Error,
    },
}

/// Introduces mcpwrap to the server on the other end of `lines` and `writer`.
///
/// # Errors
/// See [`Failed`].
pub async fn handshake<R, W>(
    lines: &mut Lines<R>,
    writer: &mut W,
    choice: EraChoice,
    profile: &Profile,
    limit: Duration,
) -> Result<Verdict, Failed>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let deadline = Instant::now() + limit;
    let silent = |_| Failed::Silent { seconds: limit.as_secs() };
    let hello = timeout_at(deadline, async {
        let mut wire = Wire { lines, writer };
        match choice {
            EraChoice::Known(Era::Legacy) | EraChoice::LegacyFirst => {
                wire.initialize(profile).await?;
            }
            EraChoice::Known(Era::Modern) | EraChoice::Probe => wire.discover().await?,
        }
        wire.introduced(choice, profile).await
    })
    .await
    .map_err(silent)??;
    Ok(Verdict { hello })
}

struct Wire<'a, R, W> {
    lines: &'a mut Lines<R>,
    writer: &'a mut W,
}

impl<R, W> Wire<'_, R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    async fn introduced(&mut self, choice: EraChoice, profile: &Profile) -> Result<Hello, Failed> {
        let mut asked_both = matches!(choice, EraChoice::Known(_));
        let patience = Instant::now() + PROBE_PATIENCE;
        loop {
            let line = if !asked_both {
                match timeout_at(patience, self.lines.next()).await {
                    Ok(line) => line,
                    Err(_) => {
                        asked_both = true;
                        self.ask_otherwise(choice, profile).await?;
                        continue;
                    }
                }
            } else {
                self.lines.next().await
            };
            let line = line.map_err(io)?.ok_or(Failed::Exited)?;
            let Line::Text(line) = line else { continue };
            for incoming in Incoming::read(line) {
                match incoming {
                    Incoming::Response { id: DISCOVER, outcome } => match read_discover(&outcome) {
                        Some(hello) => return hello,
                        None if choice == EraChoice::Known(Era::Modern) => {
                            return Err(refused(outcome));
                        }
                        // It knows neither.
                        None if choice == EraChoice::LegacyFirst => return Err(refused(outcome)),
                        None if asked_both => {}
                        None => {
                            asked_both = true;
                            self.ask_otherwise(choice, profile).await?;
                        }
                    },
                    Incoming::Response { id: INITIALIZE, outcome } => {
                        let hello = match read_initialize(outcome) {
                            Ok(hello) => hello,
                            Err(_) if choice == EraChoice::LegacyFirst => {
                                if !asked_both {
                                    asked_both = true;
                                    self.ask_otherwise(choice, profile).await?;
                                }
                                continue;
                            }
                            Err(failed) => return Err(failed),
                        };
                        let mut out = Vec::new();
                        notify(&mut out, "notifications/initialized", None);
                        self.send(&out).await?;
                        return Ok(hello);
                    }
                    Incoming::Request { id, method, .. } => {
                        let outcome = match method.as_ref() {
                            "ping" => Ok(Raw::empty_object()),
                            method => Err(ErrorObject::method_not_found(method)),
                        };
                        let mut out = Vec::new();
                        reply(&mut out, &id, &outcome);
                        self.send(&out).await?;
                    }
                    Incoming::Noise { reason } => {
                        tracing::debug!(reason, "skipped a line during the handshake");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Greets the server in the other way than at first.
    async fn ask_otherwise(&mut self, choice: EraChoice, profile: &Profile) -> Result<(), Failed> {
        match choice {
            EraChoice::LegacyFirst => self.discover().await,
            EraChoice::Probe | EraChoice::Known(_) => self.initialize(profile).await,
        }
    }

    async fn discover(&mut self) -> Result<(), Failed> {
        let version = ProtocolVersion::NEWEST_MODERN.as_str();
        let params = serde_json::json!({ "_meta": modern_meta(version) }).to_string();
        self.request(DISCOVER, PROBE, params).await
    }

    async fn initialize(&mut self, profile: &Profile) -> Result<(), Failed> {
        let own = serde_json::json!({ "name": "mcpwrap", "version": env!("CARGO_PKG_VERSION") });
        let info = profile.client.0.clone().unwrap_or_else(|| Raw::of(&own));
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
            profile.version,
            profile.capabilities,
            info.one_line()
        );
        self.request(INITIALIZE, "initialize", params).await
    }

    async fn request(&mut self, id: u64, method: &str, params: String) -> Result<(), Failed> {
        let mut out = Vec::new();
        write(&mut out, id, method, Raw::parse(params).ok().as_ref());
        self.send(&out).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.writer.write_all(bytes).await.map_err(io)?;
        self.writer.flush().await.map_err(io)
    }
}

fn io(cause: std::io::Error) -> Failed {
    match cause.kind() {
        std::io::ErrorKind::BrokenPipe => Failed::Exited,
        _ => Failed::Io { cause },
    }
}

/// The introduction of a modern server; `None` when the answer is not one.
fn read_discover(outcome: &Result<Raw, ErrorObject>) -> Option<Result<Hello, Failed>> {
    match outcome {
        Ok(result) => {
            let members = Object::parse(result).ok()?;
            let versions: Vec<String> = members.get("supportedVersions")?.read().ok()?;
            Some(pick(&versions).map(|version| {
                Hello {
                    version,
                    info: members
                        .get("_meta")
                        .and_then(|own| Object::parse(&own).ok()?.get(meta::SERVER_INFO)),
                    capabilities: members.get("capabilities").unwrap_or_else(Raw::empty_object),
                    result: result.detached(),
                }
            }))
        }
        Err(error) if error.code == codes::UNSUPPORTED_VERSION => {
            let data = error.data.as_ref()?;
            let versions: Vec<String> = Object::parse(data).ok()?.get("supported")?.read().ok()?;
            // It is modern and speaks another modern revision than ours; only the lists differ.
            Some(Err(pick(&versions).err().unwrap_or(Failed::Nonsense)))
        }
        Err(_) => None,
    }
}

fn pick(versions: &[String]) -> Result<ProtocolVersion, Failed> {
    versions
        .iter()
        .filter_map(|text| ProtocolVersion::read(text))
        .filter(|version| version.era() == Era::Modern)
        .max()
        .ok_or_else(|| Failed::NoCommonVersion {
            theirs: versions.join(", "),
            ours: ProtocolVersion::NEWEST_MODERN.to_string(),
        })
}

fn read_initialize(outcome: Result<Raw, ErrorObject>) -> Result<Hello, Failed> {
    let result = match outcome {
        Ok(result) => result,
        error => return Err(refused(error)),
    };
    let members = Object::parse(&result).map_err(|_| Failed::Nonsense)?;
    let theirs = members.get_str("protocolVersion").ok_or(Failed::Nonsense)?;
    let version = ProtocolVersion::read(&theirs)
        .filter(|version| version.era() == Era::Legacy)
        .ok_or_else(|| Failed::NoCommonVersion {
            theirs,
            ours: ProtocolVersion::ALL.map(ProtocolVersion::as_str).join(", "),
        })?;
    Ok(Hello {
        version,
        info: members.get("serverInfo").map(|info| info.detached()),
        capabilities: members.get("capabilities").map_or_else(Raw::empty_object, |c| c.detached()),
        result: result.detached(),
    })
}

fn refused(outcome: Result<Raw, ErrorObject>) -> Failed {
    match outcome {
        Ok(_) => Failed::Nonsense,
        Err(error) => Failed::Refused { code: error.code, message: error.message },
    }
}

#[cfg(test)]
mod tests;
