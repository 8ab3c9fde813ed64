//! One supervisor as the spawner thread sees it: what it has said, and by when it has to be gone.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::watch;

use super::report::{self, Report};
use crate::process::Exit;
use crate::process::exit::State;

/// A supervisor that has not ended.
pub(super) struct Live {
    name: String,
    child: Child,
    pub(super) lifeline: UnixStream,
    inbox: Vec<u8>,
    exit: Option<Exit>,
    state: watch::Sender<State>,
    pub(super) kill_deadline: Arc<KillDeadline>,
    /// Whether it has been killed for being late.
    killed: bool,
}

/// By when a supervisor has to be gone; set once, by the side that holds the handles.
#[derive(Debug, Default)]
pub(super) struct KillDeadline(pub(super) OnceLock<Instant>);

/// Whether a supervisor can still report.
#[derive(PartialEq, Eq)]
pub(super) enum Lifeline {
    Open,
    Ended,
}

/// How a supervisor ended.
pub(super) enum Ending {
    /// It said how its command ended, and left nothing behind.
    Told,
    /// It did not: whoever waits is told when its tree has been swept up.
    Lost { name: String, state: watch::Sender<State> },
}

// === impl Live ===

impl Live {
    pub(super) fn new(
        name: String,
        child: Child,
        lifeline: UnixStream,
        state: watch::Sender<State>,
    ) -> Self {
        Self {
            name,
            child,
            lifeline,
            inbox: Vec::new(),
            exit: None,
            state,
            kill_deadline: Arc::default(),
            killed: false,
        }
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// When this supervisor has to be killed, if it has not been already.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.killed { None } else { self.kill_deadline.0.get().copied() }
    }

    /// Kills a supervisor that has not ended when it should have: a stopped one, for instance.
    pub(super) fn kill(&mut self) {
        self.killed = true;
        let _ = self.child.kill();
    }

    /// Collects a supervisor that has closed its lifeline. It is ending already; the kill is for one that is not.
    pub(super) fn collect(mut self) -> Ending {
        let _ = self.child.kill();
        let _ = self.child.wait();
        match self.exit {
            Some(exit) => {
                self.state.send_modify(|state| state.exit = Some(exit));
                Ending::Told
            }
            None => Ending::Lost { name: self.name, state: self.state },
        }
    }

    /// Takes in what has been said.
    pub(super) fn read(&mut self) -> Lifeline {
        let mut chunk = [0; 512];
        loop {
            match self.lifeline.read(&mut chunk) {
                Ok(0) => return Lifeline::Ended,
                Ok(count) => self.inbox.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Lifeline::Open,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Lifeline::Ended,
            }
            while let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                self.note(&String::from_utf8_lossy(&line[..end]));
            }
            if self.inbox.len() > report::MAX {
                return Lifeline::Ended;
            }
        }
    }

    fn note(&mut self, line: &str) {
        match Report::parse(line) {
            Some(Report::Started(pid)) => {
                self.state.send_modify(|state| state.pid = Some(pid));
            }
            Some(Report::Failed(reason)) => self.exit = Some(Exit::ExecFailed { reason }),
            // After a failure to execute, how stage 2 ended is of no interest.
            Some(Report::Exited(code)) if self.exit.is_none() => self.exit = Some(Exit::Code(code)),
            Some(Report::Signaled(signal)) if self.exit.is_none() => {
                self.exit = Some(Exit::Signal(signal));
            }
            Some(Report::Exited(_) | Report::Signaled(_)) => {}
            None => tracing::warn!(child = self.name, "supervisor said something unknown"),
        }
    }
}
