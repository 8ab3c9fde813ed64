//! Runs what was asked for, and tells the operator how it goes.

use std::sync::Mutex;

use super::banner::{Banner, Server};
use super::{Failure, Run, print_url, show};
use crate::app::{self, News};
use crate::config;

/// The programs behind the commands.
#[must_use]
pub fn programs() -> Run {
    Run {
        dev,
        serve: |_| Err(Failure::runtime("serve is not part of this version")),
        check: |_| Err(Failure::runtime("check is not part of this version")),
        demo: |_| Err(Failure::runtime("demo is not part of this version")),
        secret: |_| Err(Failure::runtime("secret is not part of this version")),
    }
}

fn dev(config: config::Dev) -> Result<(), Failure> {
    let name = config.name.clone();
    let endpoint = Mutex::new((String::new(), Vec::new()));
    let tell = move |news: News| {
        let Ok(mut endpoint) = endpoint.lock() else { return };
        let (url, notes) = &mut *endpoint;
        match news {
            News::Listening { url: at, moved_from } => {
                // Nobody reads stdout any more: then nobody waits for the address either.
                let _ = print_url(&at);
                *url = at;
                if let Some(port) = moved_from {
                    notes.push(format!("port {port} is taken, so another one is used"));
                }
            }
            News::Introduced { title, version, tools } => {
                let (called, number) = title.unwrap_or_default();
                notes.push(format!("the server speaks MCP {version}"));
                let server = Server { name: &called, version: &number, tools: &tools };
                show(&Banner { url, name: &name, server: Some(server), notes });
            }
            News::NotStarted { why } => {
                notes.push(format!("{why}; the next call tries again"));
                show(&Banner { url, name: &name, server: None, notes });
            }
            News::Restarting => tracing::info!("files changed, restarting the server"),
            News::Stopping => tracing::debug!("stopping"),
        }
    };
    app::dev(config, tell).map_err(|error| failure(&error))
}

fn failure(error: &app::Error) -> Failure {
    let failure = Failure::of(error);
    match error {
        app::Error::Bind { .. } => failure.hint("choose another address with --listen"),
        app::Error::Watch { .. } => failure.hint("--watch takes files and directories that exist"),
        _ => failure,
    }
}
