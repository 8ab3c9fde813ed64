//! Signal dispositions that a process may have inherited and that would break it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::libc;

/// Signals that cannot be caught, or whose handling belongs to the runtime.
const LEFT_ALONE: [i32; 6] =
    [libc::SIGKILL, libc::SIGSTOP, libc::SIGILL, libc::SIGFPE, libc::SIGSEGV, libc::SIGPIPE];

/// Gives every ignored signal a handler that does nothing.
///
/// An ignored signal stays ignored across `exec`, so `nohup` would reach into every child, and an ignored SIGCHLD
/// makes the system forget exit codes. A caught signal returns to its default at `exec`, which is the only way to
/// the default without unsafe code. SIGPIPE is restored by the standard library when it executes a program.
pub(super) fn catch_ignored() {
    for signal in ignored() {
        // One that cannot be caught after all stays as it was: that is no worse than before.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    (1..=31)
        .filter(|signal| mask & (1 << (signal - 1)) != 0 && !LEFT_ALONE.contains(signal))
        .collect()
}
