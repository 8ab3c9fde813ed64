//! The one thread that starts supervisors, hears their reports and kills what a lost one leaves behind.
//!
//! It lives as long as mcpwrap: a parent-death signal fires when the spawning *thread* ends. And because one thread
//! does both, a supervisor that was just started is never mistaken for an orphan.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::sync::{mpsc, oneshot, watch};

use super::handle::{ProcessHandle, Terms};
use super::launch::{PipeSize, Streams, launch};
use super::live::{Ending, Lifeline, Live};
use super::pid_namespace::PidNamespace;
use super::{signals, tree};
use crate::process::exit::State;
use crate::process::{Exit, Program};

/// With more processes than this, pipes keep their default size: an unprivileged user may widen 64 MiB in all,
/// and beyond that even new pipes shrink.
const WIDENED_PROCESSES: usize = 16;
/// How often the orphans are looked at while there may be any.
const ROUND: Duration = Duration::from_millis(5);
/// After this the sweep gives up on whoever is still alive.
const SWEEP: Duration = Duration::from_secs(5);
/// So many looks that find nobody end a sweep: one look may miss a child whose sibling ends just then.
const QUIET_ROUNDS: u8 = 2;

/// A request to start a supervisor.
pub(super) struct SpawnRequest {
    pub(super) program: Program,
    pub(super) pid_namespace: PidNamespace,
    pub(super) terms: Terms,
    pub(super) reply: oneshot::Sender<io::Result<Started>>,
}

/// A started supervisor.
pub(super) struct Started {
    pub(super) handle: ProcessHandle,
    pub(super) streams: Streams,
}

/// Owns every supervisor.
pub(super) struct SpawnerThread {
    requests: mpsc::Receiver<SpawnRequest>,
    woken: UnixStream,
    live: Vec<Live>,
    /// Children that mcpwrap was born with, when it was executed by something that had any.
    foreign: HashSet<i32>,
    sweep: Option<Sweep>,
}

/// The search for the orphans of lost supervisors.
struct Sweep {
    until: Instant,
    quiet: u8,
    lost: Vec<watch::Sender<State>>,
}

// === impl SpawnerThread ===

impl SpawnerThread {
    pub(super) fn new(requests: mpsc::Receiver<SpawnRequest>, woken: UnixStream) -> Self {
        // Orphans of a lost supervisor come to us instead of to init. Without it they would escape the sweep, but a
        // kernel that refuses this does not exist since 3.4.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        signals::catch_ignored();
        Self {
            requests,
            woken,
            live: Vec::new(),
            foreign: own_children().into_iter().collect(),
            sweep: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let ready = self.wait();
            self.start_requested();
            for index in ready.into_iter().rev() {
                self.hear(index);
            }
            self.kill_overdue();
            self.sweep();
        }
    }

    /// Waits for a wakeup, a report or a deadline; yields the supervisors that have something to say, in order.
    fn wait(&mut self) -> Vec<usize> {
        let now = Instant::now();
        let due = self.live.iter().filter_map(Live::due).min();
        // A millisecond more, because the system counts whole ones.
        let late = due.map(|by| by.saturating_duration_since(now) + Duration::from_millis(1));
        let round = self.sweep.as_ref().map(|_| ROUND);
        let timeout = late.into_iter().chain(round).min();
        let timeout = timeout.map_or(PollTimeout::NONE, |wait| {
            PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
        });
        let lifelines = self.live.iter().map(|live| live.lifeline.as_fd());
        let mut fds: Vec<_> = lifelines
            .chain([self.woken.as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        if poll(&mut fds, timeout).is_err() {
            return Vec::new();
        }
        let count = self.live.len();
        let ready = (0..count).filter(|index| fds[*index].any().unwrap_or(true)).collect();
        drop(fds);
        let mut wakeups = [0; 64];
        while matches!(self.woken.read(&mut wakeups), Ok(count) if count > 0) {}
        ready
    }

    fn start_requested(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            let started = self.start(&request.program, request.pid_namespace, request.terms);
            // A caller that has gone away drops the handle, and that ends the process.
            let _ = request.reply.send(started);
        }
    }

    fn start(
        &mut self,
        program: &Program,
        pid_namespace: PidNamespace,
        terms: Terms,
    ) -> io::Result<Started> {
        let few = self.live.len() < WIDENED_PROCESSES;
        let pipes = if few { PipeSize::Wide } else { PipeSize::Default };
        let launched = launch(program, pipes, pid_namespace)?;
        let lifeline = launched.lifeline.try_clone();
        let (sender, state) = watch::channel(State::default());
        let live = Live::new(terms.name.clone(), launched.child, launched.lifeline, sender);
        let handle = lifeline.map(|lifeline| ProcessHandle::new(terms, lifeline, &live, state));
        self.live.push(live);
        let handle = handle?;
        Ok(Started { handle, streams: launched.streams })
    }

    /// Reads what a supervisor says; its end is the end of its process.
    fn hear(&mut self, index: usize) {
        if self.live[index].read() == Lifeline::Open {
            return;
        }
        if let Ending::Lost { name, state } = self.live.swap_remove(index).collect() {
            tracing::warn!(child = name, "supervisor lost, killing its tree");
            let sweep = self.sweep.get_or_insert_with(Sweep::new);
            sweep.until = Instant::now() + SWEEP;
            sweep.quiet = 0;
            sweep.lost.push(state);
        }
    }

    fn kill_overdue(&mut self) {
        let now = Instant::now();
        for live in &mut self.live {
            if live.due().is_some_and(|by| by <= now) {
                live.kill();
            }
        }
    }

    /// One look for children that nobody knows, and the end of those.
    fn sweep(&mut self) {
        let Some(sweep) = &mut self.sweep else {
            return;
        };
        let known: HashSet<i32> = self.live.iter().map(Live::pid).collect();
        let mut orphans = own_children();
        orphans.retain(|pid| !known.contains(pid) && !self.foreign.contains(pid));
        sweep.quiet = if orphans.is_empty() { sweep.quiet + 1 } else { 0 };
        for orphan in orphans {
            tree::signal(&[orphan], Signal::SIGKILL);
            tree::signal(&tree::descendants(orphan), Signal::SIGKILL);
            let _ = waitpid(Pid::from_raw(orphan), Some(WaitPidFlag::WNOHANG));
        }
        let late = Instant::now() >= sweep.until;
        if sweep.quiet < QUIET_ROUNDS && !late {
            return;
        }
        if late {
            tracing::error!("processes of a lost supervisor are still alive");
        }
        for lost in sweep.lost.drain(..) {
            lost.send_modify(|state| state.exit = Some(Exit::SupervisorLost));
        }
        self.sweep = None;
    }
}

// === impl Sweep ===

impl Sweep {
    fn new() -> Self {
        Self { until: Instant::now() + SWEEP, quiet: 0, lost: Vec::new() }
    }
}

fn own_children() -> Vec<i32> {
    tree::children(std::process::id().cast_signed())
}
