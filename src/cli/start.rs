//! Runs what was asked for, and tells the operator how it goes.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::banner::{Banner, Server};
use super::{Failure, Run, failure, print_url, show, stdout};
use crate::app::secret::Outcome;
use crate::app::{self, News};
use crate::store::{Listed, Removed};
use crate::telemetry::{Newlines, printable};
use crate::{config, demo};

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
    failure::say("the configuration is good\n");
    Ok(())
}

fn demo(config::Demo { rounds, .. }: config::Demo) -> Result<(), Vec<Failure>> {
    demo::demo(rounds, super::demo::tell).map_err(|error| match &error {
        demo::Error::Serve(error) => failures(error),
        error => vec![Failure::of(error)],
    })
}

fn secret(asked: config::Secret) -> Result<(), Vec<Failure>> {
    let from_stdin =
        matches!(asked.action, config::SecretAction::Set { value: config::SecretInput::Stdin, .. });
    if from_stdin && std::io::stdin().is_terminal() {
        failure::say("reading the value from stdin; end it with ctrl-d\n");
    }
    match app::secret::secret(asked).map_err(|error| vec![secret_failure(&error)])? {
        Outcome::Kept => failure::say("the value is kept\n"),
        Outcome::Listed(listed) => {
            stdout(&table(&listed)).map_err(|failure| vec![failure])?;
        }
        Outcome::Removed(Removed::Gone) => failure::say("the secret is removed\n"),
        Outcome::Removed(Removed::Absent) => {
            let failure = Failure::runtime("there is no such secret");
            return Err(vec![failure.hint("mcpwrap secret list names what the store holds")]);
        }
    }
    Ok(())
}

fn secret_failure(error: &app::secret::Error) -> Failure {
    let failure = Failure::of(error);
    match error {
        app::secret::Error::Empty => {
            failure.hint("write the value to stdin, or name a file with --from-file")
        }
        _ => failure,
    }
}

/// The entries of the store in columns; what comes from users is made harmless for the terminal.
fn table(listed: &[Listed]) -> String {
    let head = ["ISSUER", "TENANT", "SUBJECT", "NAME", "UPDATED"].map(str::to_owned);
    let row = |entry: &Listed| {
        let updated = SystemTime::UNIX_EPOCH + Duration::from_secs(entry.updated);
        [
            printable(&entry.user.issuer, Newlines::Escape),
            printable(entry.user.tenant.as_deref().unwrap_or("-"), Newlines::Escape),
            printable(&entry.user.subject, Newlines::Escape),
            printable(&entry.name, Newlines::Escape),
            humantime::format_rfc3339_seconds(updated).to_string(),
        ]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(listed.iter().map(row)).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
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
        News::AlsoListening { text } => tracing::info!("{text}"),
        News::Caution { text } => tracing::warn!("{text}"),
        News::Shown { lines } => {
            // Nobody reads stdout any more: then nobody misses the list either.
            let _ = stdout(&format!("{}\n", lines.join("\n")));
        }
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
            News::AlsoListening { text } => tracing::info!("{text}"),
            News::Caution { text } => notes.push(text),
            News::Shown { .. } => {}
            News::Stopping => tracing::debug!("stopping"),
        }
    };
    app::dev(config, tell).map_err(|error| failures(&error))
}

fn failures(error: &app::Error) -> Vec<Failure> {
    let failure = Failure::of(error);
    vec![match error {
        app::Error::Problems { problems } => return failure::all(problems),
        app::Error::Bind { .. } => failure.hint("choose another address with --listen"),
        app::Error::Watch { .. } => failure.hint("--watch takes files and directories that exist"),
        app::Error::CaFile { .. } => {
            failure.hint("name a PEM file with certificates that nobody else may write")
        }
        app::Error::Outbound { .. } | app::Error::Vault { .. } => failure
            .hint("install the package ca-certificates, or name your own authority with --ca-file"),
        app::Error::VaultSettings { .. } => {
            failure.hint("set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID with VAULT_SECRET_ID")
        }
        _ => failure,
    }]
}
