//! From clap's matches to [`Typed`]: what stood on the command line, and nothing that clap made up.

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};

use crate::config::Typed;

/// What was typed after the subcommand `command`.
pub(super) fn of(command: &Command, matches: &ArgMatches) -> Typed {
    let mut typed = Typed::default();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let name = arg.get_long().unwrap_or(id);
        if matches!(arg.get_action(), ArgAction::Count) {
            typed.insert(name, [matches.get_count(id).to_string().into()]);
        } else {
            let values = matches.get_raw(id).into_iter().flatten();
            typed.insert(name, values.map(Into::into));
        }
    }
    typed
}
