//! The direct way: the same child over its pipes, with nobody between.
//!
//! A blocking loop of one thread that writes and reads, as fast as it can be had: for single calls it shares a core with
//! the child, so that neither waits for the other's core to wake up, and for large results the pipes are as wide as
//! mcpwrap's and each has a core.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::load::Sample;

const READ: usize = 256 * 1024;
const WIDE: i32 = 1024 * 1024;

/// Where the two ends of a direct way run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cores {
    /// Both on one.
    One,
    /// Wherever they like.
    All,
}

/// A child that is spoken to directly.
#[derive(Debug)]
pub(crate) struct Direct {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    buffer: Vec<u8>,
}

impl Direct {
    /// Starts the child.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let gone = || io::Error::other("a pipe is missing");
        let input = child.stdin.take().ok_or_else(gone)?;
        let output = child.stdout.take().ok_or_else(gone)?;
        fcntl(&input, FcntlArg::F_SETPIPE_SZ(WIDE))?;
        fcntl(&output, FcntlArg::F_SETPIPE_SZ(WIDE))?;
        Ok(Self { child, input, output, buffer: vec![0; READ] })
    }

    /// Calls for a while, so many at a time; `{id}` in the line becomes a number.
    pub(crate) fn load(
        &mut self,
        line: &str,
        at_once: usize,
        time: Duration,
        cores: Cores,
    ) -> io::Result<Sample> {
        let (own, child) = (Pid::from_raw(0), Pid::from_raw(self.child.id().cast_signed()));
        let all = sched_getaffinity(own)?;
        if let Cores::One = cores {
            let mut one = CpuSet::new();
            let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).unwrap_or(false));
            one.set(first.unwrap_or(0))?;
            sched_setaffinity(child, &one)?;
            sched_setaffinity(own, &one)?;
        }
        let sample = self.calls(line, at_once, time);
        sched_setaffinity(child, &all)?;
        sched_setaffinity(own, &all)?;
        sample
    }

    fn calls(&mut self, line: &str, at_once: usize, time: Duration) -> io::Result<Sample> {
        let mut sample = Sample::default();
        let start = Instant::now();
        let mut id = 0;
        let mut waiting = 0;
        while start.elapsed() < time || waiting > 0 {
            let sent = Instant::now();
            while waiting < at_once && start.elapsed() < time {
                id += 1;
                let text = line.replace("{id}", &id.to_string());
                self.input.write_all(text.as_bytes())?;
                waiting += 1;
            }
            // Time may be up since the loop looked.
            if waiting == 0 {
                break;
            }
            let answered = self.receive()?;
            waiting -= answered.min(waiting);
            for _ in 0..answered {
                sample.took_one(sent.elapsed());
            }
        }
        sample.took = start.elapsed();
        Ok(sample)
    }

    /// Reads until at least one answer is whole; says how many were.
    fn receive(&mut self) -> io::Result<usize> {
        loop {
            let count = self.output.read(&mut self.buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match memchr::memchr_iter(b'\n', &self.buffer[..count]).count() {
                0 => {}
                answers => return Ok(answers),
            }
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
