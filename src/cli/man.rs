//! `mcpwrap man`: the manual, a page for each command (section 1) and for each concept (section 7).

mod markdown;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::{Failure, command, stdout};

const SOURCE: &str = concat!("mcpwrap ", env!("CARGO_PKG_VERSION"));
const COMMANDS: &str = "User Commands";
const CONCEPTS: &str = "Concepts";

/// The pages of section 7: their names, and their text in Markdown.
const PAGES: [(&str, &str); 7] = [
    ("mcpwrap-audit", include_str!("../../man/mcpwrap-audit.7.md")),
    ("mcpwrap-clients", include_str!("../../man/mcpwrap-clients.7.md")),
    ("mcpwrap-credentials", include_str!("../../man/mcpwrap-credentials.7.md")),
    ("mcpwrap-identity", include_str!("../../man/mcpwrap-identity.7.md")),
    ("mcpwrap-lifecycle", include_str!("../../man/mcpwrap-lifecycle.7.md")),
    ("mcpwrap-settings", include_str!("../../man/mcpwrap-settings.7.md")),
    ("mcpwrap-walls", include_str!("../../man/mcpwrap-walls.7.md")),
];

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
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| write_commands(&command, dir))
        .and_then(|()| write_concepts(dir));
    written.map_err(|error| {
        Failure::runtime(format!("cannot write to {}", dir.display())).because(&error)
    })
}

fn write_commands(command: &Command, dir: &Path) -> io::Result<()> {
    std::fs::write(dir.join(format!("{}.1", name(command))), page(command)?)?;
    command.get_subcommands().try_for_each(|sub| write_commands(sub, dir))
}

fn write_concepts(dir: &Path) -> io::Result<()> {
    PAGES.iter().try_for_each(|(name, text)| {
        std::fs::write(dir.join(format!("{name}.7")), markdown::page(text, SOURCE, CONCEPTS))
    })
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    // Without the quotes the empty date would be lost, and all that follows would stand in the wrong place.
    let man = Man::new(command.clone()).title(name(command)).date("\"\"").source(SOURCE);
    man.manual(COMMANDS).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned() + &see_also())
}

/// The section that leads to the concepts.
fn see_also() -> String {
    let pages = PAGES.iter().enumerate().flat_map(|(at, (name, _))| {
        [roman(if at == 0 { "" } else { ", " }), bold(*name), roman("(7)")]
    });
    Roff::new().control("SH", ["SEE ALSO"]).text(pages.collect::<Vec<Inline>>()).to_roff()
}
