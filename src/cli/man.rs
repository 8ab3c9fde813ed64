//! `mcpwrap man`: the manual, one page for each command.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueHint};
use clap_mangen::Man;

use super::{Failure, command, stdout};

const SOURCE: &str = concat!("mcpwrap ", env!("CARGO_PKG_VERSION"));

/// The flags of `man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// Write all pages into this directory instead of the first to stdout
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        let page = page(&command).map_err(|error| Failure::of(&error))?;
        return stdout(&page);
    };
    let written = std::fs::create_dir_all(dir).and_then(|()| write(&command, dir));
    written.map_err(|error| {
        Failure::runtime(format!("cannot write to {}", dir.display())).because(&error)
    })
}

fn write(command: &Command, dir: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    std::fs::write(dir.join(format!("{name}.1")), page(command)?)?;
    command.get_subcommands().try_for_each(|sub| write(sub, dir))
}

fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone()).title(name).source(SOURCE).manual("User Commands");
    man.render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
