//! The declared flags against the settings that `config` knows.

use std::collections::BTreeSet;

use super::*;
use crate::config::key::{self, Key};

fn flags(name: &str) -> BTreeSet<String> {
    let command = command();
    let command = command.find_subcommand(name).unwrap();
    let names = command
        .get_arguments()
        .map(|arg| arg.get_long().unwrap_or(arg.get_id().as_str()).to_owned());
    names.filter(|name| name != "help").collect()
}

fn keys(keys: impl Iterator<Item = &'static Key>) -> BTreeSet<String> {
    keys.map(|key| key.name.to_owned()).collect()
}

#[test]
fn clap_finds_no_fault() {
    command().debug_assert();
}

#[test]
fn every_setting_is_a_flag_and_every_flag_a_setting() {
    assert_eq!(flags("dev"), keys(key::dev()));
    assert_eq!(flags("serve"), keys(key::serve()));
    assert_eq!(flags("check"), keys(key::serve()));
}

#[test]
fn help_is_imperative_lines_without_a_full_stop() {
    fn look(command: &clap::Command) {
        let abouts = command.get_about().into_iter().map(ToString::to_string);
        let helps =
            command.get_arguments().filter_map(|arg| arg.get_help().map(ToString::to_string));
        for help in abouts.chain(helps) {
            assert!(!help.ends_with('.') && help.starts_with(char::is_uppercase), "{help:?}");
            assert!(!help.contains('\n'), "{help:?}");
        }
        command.get_subcommands().for_each(look);
    }
    look(&command());
}

/// The default that a help text promises.
fn promised(arg: &clap::Arg) -> Option<String> {
    let help = arg.get_help()?.to_string();
    let (_, rest) = help.split_once("[default: ")?;
    Some(rest.trim_end_matches(']').to_owned()).filter(|default| !default.contains(' '))
}

fn parsed(name: &str, words: &[String]) -> config::Typed {
    let mut command = command();
    let argv = ["mcpwrap", name].map(str::to_owned).into_iter().chain(words.iter().cloned());
    let argv = argv.chain(["--".to_owned(), "srv".to_owned()]);
    let matches = command.try_get_matches_from_mut(argv).unwrap();
    let (_, matches) = matches.subcommand().unwrap();
    typed::of(command.find_subcommand(name).unwrap(), matches)
}

#[test]
fn defaults_are_what_help_promises() {
    let oidc = "--oidc=https://login.example.com".to_owned();
    let read = |_: &std::path::Path| Err(io::Error::other("unused"));
    let usual_dev = config::dev(&parsed("dev", &[]), |_| None).unwrap();
    let usual_serve =
        config::serve(&parsed("serve", std::slice::from_ref(&oidc)), |_| None, read).unwrap();
    let command = command();
    let mut seen = 0;
    for arg in command.find_subcommand("serve").unwrap().get_arguments() {
        let Some(default) = promised(arg) else { continue };
        let words = [oidc.clone(), format!("--{}={default}", arg.get_long().unwrap())];
        let mut serve = config::serve(&parsed("serve", &words), |_| None, read).unwrap();
        serve.listen = usual_serve.listen;
        serve.origins = usual_serve.origins.clone();
        assert_eq!(serve, usual_serve, "{}", words[1]);
        seen += 1;
    }
    for arg in command.find_subcommand("dev").unwrap().get_arguments() {
        let Some(default) = promised(arg) else { continue };
        let words = [format!("--{}={default}", arg.get_long().unwrap())];
        let mut dev = config::dev(&parsed("dev", &words), |_| None).unwrap();
        assert_eq!(dev.listen.addr, usual_dev.listen.addr);
        dev.listen = usual_dev.listen;
        dev.origins = usual_dev.origins.clone();
        assert_eq!(dev, usual_dev, "{}", words[0]);
        seen += 1;
    }
    assert!(seen > 30, "only {seen} defaults found");
}

#[test]
fn every_word_in_help_is_understood() {
    let command = command();
    let needed: &[&str] = &[
        "--oidc=https://login.example.com",
        "--introspection-client-id=c",
        "--introspection-client-secret-file=s",
    ];
    for (name, more) in [("dev", &[][..]), ("serve", needed)] {
        for arg in command.find_subcommand(name).unwrap().get_arguments() {
            for word in arg.get_possible_values() {
                let Some(flag) = arg.get_long().filter(|flag| !matches!(*flag, "help" | "verbose"))
                else {
                    continue;
                };
                let mut words = vec![format!("--{flag}={}", word.get_name())];
                words.extend(more.iter().map(|word| (*word).to_owned()));
                let typed = parsed(name, &words);
                let problems = match name {
                    "dev" => config::dev(&typed, |_| None).err(),
                    _ => config::serve(&typed, |_| None, |_| Err(io::Error::other("unused"))).err(),
                };
                assert_eq!(problems, None, "{words:?}");
            }
        }
    }
}

#[test]
fn flags_that_were_not_typed_are_absent() {
    assert_eq!(parsed("dev", &[]), {
        let mut typed = config::Typed::default();
        typed.insert("command", ["srv".into()]);
        typed
    });
}

#[test]
fn flags_with_an_optional_value_have_one_when_typed_bare() {
    let dev = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        config::dev(&parsed("dev", &words), |_| None).unwrap()
    };
    assert_eq!(dev(&["--trace"]).trace, config::Trace::Lines);
    assert_eq!(dev(&["--trace=full"]).trace, config::Trace::Full);
    assert_eq!(dev(&["--legacy-sse"]).http.legacy_sse, config::LegacySse::On);
    assert_eq!(dev(&["--legacy-sse=false"]).http.legacy_sse, config::LegacySse::Off);
    assert_eq!(dev(&["-vv"]).log.verbosity, 2);
}
