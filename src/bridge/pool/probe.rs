//! Asks the server how it speaks before the first user comes, so that nobody waits for somebody else's first start.
//!
//! The child behind it is nobody's: it has no credential and nothing of a caller, a home that is thrown away, and the
//! walls of all children. A server that does not start like this is asked by the first user's child.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::launch::{Bare, Launcher};
use super::launch_error::LaunchError;
use crate::mcp::{Era, Lines};
use crate::server::{EraChoice, Failed, Profile, handshake};

/// How long start-up may wait for the verdict.
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// How long the child may take to notice the end of its stdin.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// There is no process.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The process did not introduce itself.
    #[error(transparent)]
    Handshake(#[from] Failed),
    /// It took too long.
    #[error("it was not ready within {} s", PROBE_WITHIN.as_secs())]
    Slow,
}

/// The era of the server, from a child of nobody's, and how the start was to begin.
pub(super) async fn probe(launcher: &Launcher) -> Result<(EraChoice, Era), ProbeError> {
    let by = Instant::now() + PROBE_WITHIN;
    let met = match meet(launcher, EraChoice::Probe, by).await {
        // A strict legacy server exits on a message before `initialize` (checklist 4.15).
        Err(ProbeError::Handshake(Failed::Exited)) => {
            meet(launcher, EraChoice::Known(Era::Legacy), by).await
        }
        met => met,
    };
    Ok((EraChoice::Probe, met?))
}

async fn meet(launcher: &Launcher, choice: EraChoice, by: Instant) -> Result<Era, ProbeError> {
    let bare = timeout_at(by, launcher.launch_bare()).await.map_err(|_| ProbeError::Slow)??;
    let Bare { process, home } = bare;
    let (mut stdin, mut lines) = (process.stdin, Lines::new(process.stdout, launcher.max_line));
    let life = async {
        let profile = Profile::plain();
        let met = handshake(&mut lines, &mut stdin, choice, &profile, PROBE_WITHIN);
        let met = timeout_at(by, met).await;
        drop((stdin, lines));
        if timeout(END_WITHIN, process.handle.exited()).await.is_err() {
            process.handle.kill().await;
        }
        met
    };
    // Read, so that it does not stall; the users' children will say the same, and theirs is what counts.
    let mut said = process.stderr;
    let hearing = async {
        let _ = tokio::io::copy(&mut said, &mut tokio::io::sink()).await;
        std::future::pending::<Infallible>().await
    };
    let met = tokio::select! {
        met = life => met,
        never = hearing => match never {},
    };
    // Large homes take a disk its time.
    let _ = tokio::task::spawn_blocking(move || drop(home)).await;
    Ok(met.map_err(|_| ProbeError::Slow)??.hello.era())
}
