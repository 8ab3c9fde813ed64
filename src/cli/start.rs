//! Runs what was asked for, and tells the operator how it goes.

use std::sync::Mutex;

use super::banner::{Banner, Server};
use super::{Failure, Run, failure, print_url, show};
use crate::app::{self, News};
use crate::config;

/// The programs behind the commands.
#[must_use]
pub fn programs() -> Run {
    Run { dev, serve, check, demo, secret }
}

fn serve(config: config::Serve) -> Result<(), Vec<Failure>> {
    app::serve(config, tell_operator).map_err(|error| failures(&error))
}

fn check(config: config::Serve) -> Result<(), Vec<Failure>> {
    app::check(config, tell_operator).map_err(|error| failures(&error))?;
    failure::say("the configuration is good");
    Ok(())
}

fn demo(_: config::Demo) -> Result<(), Vec<Failure>> {
    Err(vec![Failure::runtime("demo is not part of this version")])
}

fn secret(_: config::Secret) -> Result<(), Vec<Failure>> {
    Err(vec![Failure::runtime("secret is not part of this version")])
}

fn tell_operator(news: News) {
    match news {
        News::Listening { url, moved_from } => {
            // Nobody reads stdout any more: then nobody waits for the address either.
            let _ = print_url(&url);
            if let Some(port) = moved_from {
                tracing::info!("port {port} is taken, so another one is used");
            }
        }
        News::Caution { text } => tracing::warn!("{text}"),
        News::Introduced { .. } | News::NotStarted { .. } | News::Restarting => {}
        News::Stopping => tracing::debug!("stopping"),
    }
}

fn dev(config: config::Dev) -> Result<(), Vec<Failure>> {
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
            News::Caution { text } => notes.push(text),
            News::Stopping => tracing::debug!("stopping"),
        }
    };
    app::dev(config, tell).map_err(|error| failures(&error))
}

fn failures(error: &app::Error) -> Vec<Failure> {
    let failure = Failure::of(error);
    vec![match error {
        app::Error::Faults { faults, origins } => {
            let problem = |fault: &app::Fault| {
                Failure::from(&origins.problem(&fault.option, &fault.message, &fault.hint))
            };
            return faults.iter().map(problem).collect();
        }
        app::Error::Bind { .. } => failure.hint("choose another address with --listen"),
        app::Error::Watch { .. } => failure.hint("--watch takes files and directories that exist"),
        app::Error::VaultSettings { .. } => {
            failure.hint("set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID with VAULT_SECRET_ID")
        }
        _ => failure,
    }]
}
