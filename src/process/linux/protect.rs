//! mcpwrap's own memory and environment, kept from its neighbours: other processes of its user, cores, collectors.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::close;
use zeroize::Zeroizing;

use crate::process::own_environment::{self, HANDED_OVER};

/// Nobody but root can read the memory and `/proc` of this process, and neither it nor a child of it leaves a core.
///
/// # Errors
///
/// If the system refuses, which it has no reason to.
pub fn protect_memory() -> io::Result<()> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(())
}

/// Takes these variables out of the environment of this process, for [`own_variable`] to find them still.
///
/// `/proc/PID/environ` shows what a program was executed with, whatever it does to its variables later. So the same
/// program is executed once more, in place, without them; their values go through memory that has no name. To be
/// called while there is one thread, before anything that an execution would lose.
///
/// # Errors
///
/// If the values cannot be handed over or the program cannot be executed again.
///
/// [`own_variable`]: crate::process::own_variable
pub fn conceal_variables(names: &[String]) -> io::Result<()> {
    if let Some(number) = std::env::var_os(HANDED_OVER) {
        let number = number.to_str().and_then(|text| text.parse().ok());
        return take_over(number.ok_or(io::ErrorKind::InvalidInput)?);
    }
    let value = |name: &String| Some((name.clone(), std::env::var(name).ok()?));
    let values: BTreeMap<String, String> = names.iter().filter_map(value).collect();
    if values.is_empty() {
        return Ok(());
    }
    let bytes = Zeroizing::new(serde_json::to_vec(&values)?);
    // It survives the execution on purpose; what takes it over closes it.
    let mut memory = File::from(memfd_create(c"mcpwrap", MFdFlags::empty())?);
    memory.write_all(&bytes)?;
    let mut words = std::env::args_os();
    let mut again = Command::new(std::env::current_exe()?);
    again.arg0(words.next().unwrap_or_else(|| OsString::from("mcpwrap"))).args(words);
    for name in values.keys() {
        again.env_remove(name);
    }
    Err(again.env(HANDED_OVER, memory.as_raw_fd().to_string()).exec())
}

fn take_over(number: RawFd) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut memory = File::open(format!("/proc/self/fd/{number}"))?;
    memory.rewind()?;
    memory.read_to_end(&mut bytes)?;
    close(number)?;
    let values: BTreeMap<String, String> = serde_json::from_slice(&bytes)?;
    own_environment::keep(values);
    Ok(())
}
