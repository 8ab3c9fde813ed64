//! `mcpwrap completions`: what a shell needs to complete our command line.

use clap::{Args, ValueEnum};
use clap_complete::{Generator, Shell as Classic};
use clap_complete_nushell::Nushell;

use super::{Failure, command, stdout};

/// The argument of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// Write for this shell
    pub shell: Shell,
}

/// A shell that can complete.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// source <(mcpwrap completions bash)
    Bash,
    /// Write to a file _mcpwrap in $fpath
    Zsh,
    /// mcpwrap completions fish | source
    Fish,
    /// mcpwrap completions powershell | Out-String | Invoke-Expression
    Powershell,
    /// eval (mcpwrap completions elvish | slurp)
    Elvish,
    /// Write to a file, then source it
    Nushell,
}

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let script = match shell {
        Shell::Bash => script(Classic::Bash),
        Shell::Zsh => script(Classic::Zsh),
        Shell::Fish => script(Classic::Fish),
        Shell::Powershell => script(Classic::PowerShell),
        Shell::Elvish => script(Classic::Elvish),
        Shell::Nushell => script(Nushell),
    };
    stdout(&String::from_utf8_lossy(&script))
}

fn script(shell: impl Generator) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "mcpwrap", &mut script);
    script
}
