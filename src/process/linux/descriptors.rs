//! Descriptors that a stage was born with, by their numbers.

use std::fs;
use std::io;
use std::os::fd::RawFd;

use nix::libc;
use nix::unistd::close;

/// Closes everything but the three streams and what is to be kept.
pub(super) fn close_others(kept: &[RawFd]) -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > libc::STDERR_FILENO && !kept.contains(fd))
        .collect();
    for fd in open {
        // The directory itself was in the list and is closed already.
        let _ = close(fd);
    }
    Ok(())
}
