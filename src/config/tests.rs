//! Tables: what is typed, exported and written gives what the program needs, or says what is wrong.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use super::*;
use crate::problem::Problem;

mod callers;

/// `--flag value …` and after `--` the command.
fn typed(words: &str) -> Typed {
    let mut typed = Typed::default();
    let (flags, command) = words.split_once(" -- ").unwrap_or((words, ""));
    let mut flags = flags.split_whitespace();
    while let Some(flag) = flags.next() {
        let value = flags.next().unwrap();
        typed.insert(flag.strip_prefix("--").unwrap(), [value.into()]);
    }
    typed.insert("command", command.split_whitespace().map(OsString::from));
    typed
}

fn env<'a>(vars: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
    let vars: BTreeMap<_, _> = vars.iter().copied().collect();
    move |name| vars.get(name).map(Into::into)
}

fn dev_of(words: &str, vars: &[(&str, &str)]) -> Result<Dev, Vec<String>> {
    dev(&typed(words), env(vars)).map_err(|problems| said(&problems))
}

fn serve_of(words: &str, vars: &[(&str, &str)], file: &str) -> Result<Serve, Vec<String>> {
    let read = |_: &std::path::Path| match file {
        "" => Err(io::Error::from(io::ErrorKind::NotFound)),
        text => Ok(text.to_owned()),
    };
    serve(&typed(words), env(vars), read).map_err(|problems| said(&problems))
}

fn said(problems: &[Problem]) -> Vec<String> {
    let line = |problem: &Problem| {
        assert!(problem.hint.is_some(), "no remedy: {problem}");
        problem.to_string()
    };
    problems.iter().map(line).collect()
}

const SERVE: &str = "--oidc https://login.example.com --config m.toml";

#[test]
fn dev_needs_nothing_but_a_command() {
    let dev = dev_of(" -- npx -y server", &[]).unwrap();
    assert_eq!(dev.listen.addr.to_string(), "127.0.0.1:8808");
    assert_eq!(dev.listen.port, Port::Default);
    assert_eq!(dev.endpoint_path, "/mcp");
    assert_eq!(dev.child.argv, ["npx", "-y", "server"]);
    assert_eq!(dev.child.call_timeout, Duration::from_secs(600));
    assert_eq!(dev.name, "server");
    assert_eq!(dev.audit, Audit::Off);
    assert_eq!(dev.warnings, []);
}

#[test]
fn all_problems_are_reported_at_once_each_with_who_said_it() {
    let words =
        "--listen 0.0.0.0:8808 --call-timeout 10x --env =b --credential A=vault:x#y --trace loud";
    let vars = [("MCPWRAP_MAX_BODY", "huge"), ("MCPWRAP_LOG", "=?=")];
    let mut problems = dev_of(words, &vars).unwrap_err();
    problems.sort();
    assert_eq!(
        problems,
        [
            "--call-timeout (command line): \"10x\" is not a duration",
            "--credential (command line): A: vault: is not for this command",
            "--env (command line): the part before = is not the name of a variable",
            "--listen (command line): 0.0.0.0:8808 is not loopback, and dev has no authentication",
            "--trace (command line): \"loud\" is not one of the known words",
            "CMD (not set): no command to run",
            "MCPWRAP_LOG (environment): \"=?=\" is not a log filter",
            "MCPWRAP_MAX_BODY (environment): \"huge\" is not a size",
        ]
    );
}

#[test]
fn flags_beat_environment_beats_file_beats_default() {
    let file = "call-timeout = \"3s\"\n";
    let var = [("MCPWRAP_CALL_TIMEOUT", "2s")];
    let timeout = |words: &str, vars: &[(&str, &str)], file: &str| {
        let words = format!("{SERVE} {words} -- srv");
        serve_of(&words, vars, file).unwrap().child.call_timeout.as_secs()
    };
    assert_eq!(timeout("--call-timeout 1s", &var, file), 1);
    assert_eq!(timeout("", &var, file), 2);
    assert_eq!(timeout("", &[], file), 3);
    assert_eq!(timeout("", &[], "\n"), 600);
    assert_eq!(
        timeout("", &[("MCPWRAP_CALL_TIMEOUT", "")], file),
        3,
        "an empty variable is absent"
    );
}

#[test]
fn a_value_that_is_overruled_need_not_make_sense() {
    let vars = [("MCPWRAP_CALL_TIMEOUT", "nonsense")];
    assert!(dev_of("--call-timeout 1s -- srv", &vars).is_ok());
}

#[test]
fn lists_replace_each_other_but_pairs_combine_by_name() {
    let file = "audience = [\"f\"]\n[env]\nA = \"file\"\nB = \"file\"\n";
    let vars = [("MCPWRAP_AUDIENCE", "x, y"), ("MCPWRAP_ENV", "B=var\nC=var")];
    let serve = serve_of(&format!("{SERVE} --env C=flag -- srv"), &vars, file).unwrap();
    assert_eq!(serve.auth.audience, Audience::Given(vec!["x".into(), "y".into()]));
    let pairs: Vec<_> =
        serve.child.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["A=file", "B=var", "C=flag"]);
}

#[test]
fn the_file_may_hold_everything() {
    let file = "
        oidc = \"corp=https://login.example.com/\"
        command = [\"srv\", \"--stdio\"]
        max-children = 3
        legacy-sse = true
        [credential]
        GITHUB_TOKEN = \"vault:secret/{user}#token\"
    ";
    let serve = serve_of("--config m.toml", &[], file).unwrap();
    assert_eq!(serve.child.argv, ["srv", "--stdio"]);
    assert_eq!(serve.auth.issuers[0].name, "corp");
    assert_eq!(serve.auth.issuers[0].id, "https://login.example.com/");
    assert_eq!(serve.limits.max_children, 3);
    assert_eq!(serve.http.legacy_sse, LegacySse::On);
    assert_eq!(serve.child.credentials[0].source_label(), "vault:secret/{user}#token");
}

#[test]
fn a_problem_in_the_file_names_its_line_along_with_the_others() {
    let file = "call-timeout = \"3\"\nlisten_on = \"x\"\n";
    let problems = serve_of("--config m.toml --uid-range 0-5", &[], file).unwrap_err();
    assert_eq!(
        problems,
        [
            "listen_on (m.toml:2): unknown key",
            "CMD (not set): no command to run",
            "call-timeout (m.toml:1): \"3\" is not a duration",
            "--oidc (not set): nobody could come in without an identity provider",
            "--uid-range (command line): \"0-5\" is not a range of user ids",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem_among_others() {
    let problems = serve_of("--config m.toml --oidc https://a.example", &[], "").unwrap_err();
    assert_eq!(problems.len(), 2);
    assert!(
        problems[0].starts_with("--config (command line): cannot read m.toml: "),
        "{problems:?}"
    );
}

#[test]
fn a_literal_secret_is_a_warning_in_dev_and_refused_in_serve() {
    let secret = "--env GITHUB_TOKEN=ghp_0123456789";
    let dev = dev_of(&format!("{secret} -- srv"), &[]).unwrap();
    assert_eq!(dev.warnings.len(), 1);
    assert!(!format!("{:?}", dev.warnings).contains("ghp_"));
    let problems = serve_of(&format!("{SERVE} {secret} -- srv"), &[], "\n").unwrap_err();
    assert_eq!(
        problems,
        ["--env (command line): GITHUB_TOKEN looks like a secret that all users would share"]
    );
    let allowed = format!("{SERVE} {secret} --allow-shared-credential GITHUB_TOKEN -- srv");
    assert!(serve_of(&allowed, &[], "\n").is_ok());
}

#[test]
fn a_secret_in_place_of_a_source_is_not_repeated() {
    let problems = dev_of("--credential T=ghp_0123456789 -- srv", &[]).unwrap_err();
    assert_eq!(problems, ["--credential (command line): T: the source has no known scheme"]);
    let problems = serve_of(&format!("{SERVE} -- srv"), &[("MCPWRAP_MASTER_KEY", "hunter2")], "\n")
        .unwrap_err();
    assert_eq!(problems, ["MCPWRAP_MASTER_KEY (environment): not a place that holds a key"]);
}

#[test]
fn one_variable_has_one_origin() {
    let problems = dev_of("--env A=b --credential A=env:B -- srv", &[]).unwrap_err();
    assert_eq!(problems, ["--credential (command line): A is also set by --env"]);
    let words = format!("{SERVE} --credential A=store:x --credential-file A=store:y -- srv");
    let problems = serve_of(&words, &[], "\n").unwrap_err();
    assert_eq!(problems, ["--credential-file (command line): A is also set by --credential"]);
}

#[test]
fn sources_belong_to_modes() {
    for source in ["keyring:a/b", "env:B", "file:x"] {
        assert!(dev_of(&format!("--credential A={source} -- srv"), &[]).is_ok(), "{source}");
    }
    for source in ["vault:a/b#c", "store:a", "keyring:a/{user}", "file:/{user}"] {
        assert!(
            serve_of(&format!("{SERVE} --credential A={source} -- srv"), &[], "\n").is_ok(),
            "{source}"
        );
    }
    for source in ["env:B", "nonsense:x", "vault:"] {
        let refused = serve_of(&format!("{SERVE} --credential A={source} -- srv"), &[], "\n");
        assert_eq!(refused.unwrap_err().len(), 1, "{source}");
    }
}

#[test]
fn settings_that_belong_together_are_asked_for_together() {
    let words = format!("{SERVE} --introspection-endpoint https://a.example/i -- srv");
    let problems = serve_of(&words, &[], "\n").unwrap_err();
    assert_eq!(
        problems,
        [
            "--introspection-client-id (not set): asking the issuer about tokens needs it too",
            "--introspection-client-secret-file (not set): asking the issuer about tokens needs it too",
        ]
    );
}

#[test]
fn a_public_address_needs_a_public_name() {
    let problems = serve_of(&format!("{SERVE} --listen 0.0.0.0:80 -- srv"), &[], "\n").unwrap_err();
    assert_eq!(problems, ["--public-url (not set): clients cannot know what 0.0.0.0:80 is called"]);
}

#[test]
fn printed_settings_need_a_port() {
    let dev = dev_of("--print-config cursor -- srv", &[]).unwrap();
    assert_eq!(dev.print, Some(ClientApp::Cursor));
    let problems = dev_of("--print-config cursor --listen 127.0.0.1:0 -- srv", &[]).unwrap_err();
    assert_eq!(
        problems,
        ["--print-config (command line): settings need a port, and --listen leaves it open"]
    );
}

#[test]
fn symmetric_signatures_are_refused() {
    let problems = serve_of(&format!("{SERVE} --algorithm HS256 -- srv"), &[], "\n").unwrap_err();
    assert_eq!(
        problems,
        [
            "--algorithm (command line): \"HS256\" is symmetric: whoever checks a token could forge it"
        ]
    );
}

#[test]
fn state_is_kept_where_the_machine_expects_it() {
    let dir =
        |words: &str, vars: &[(&str, &str)]| store(&typed(words), env(vars)).unwrap().state_dir;
    let vars = [("HOME", "/h"), ("XDG_STATE_HOME", "/x"), ("STATE_DIRECTORY", "/s")];
    assert_eq!(dir("--state-dir /d", &vars), std::path::Path::new("/d"));
    assert_eq!(dir("", &vars), std::path::Path::new("/s"));
    assert_eq!(dir("", &vars[..2]), std::path::Path::new("/x/mcpwrap"));
    assert_eq!(dir("", &vars[..1]), std::path::Path::new("/h/.local/state/mcpwrap"));
    assert_eq!(dir("", &[]), std::path::Path::new("/var/lib/mcpwrap"));
}

#[test]
fn a_log_filter_of_the_environment_yields_to_v() {
    let vars = [("RUST_LOG", "mcpwrap=trace")];
    assert!(dev_of(" -- srv", &vars).unwrap().log.filter.is_some());
    assert!(dev_of("--verbose 1 -- srv", &vars).unwrap().log.filter.is_none());
    let dev = dev_of(" -- srv", &[("RUST_LOG", "=?=")]).unwrap();
    assert_eq!(dev.warnings.len(), 1, "others' dialects are no reason to refuse");
}

#[test]
fn no_variable_sets_the_command() {
    let problems = dev_of("", &[("MCPWRAP_COMMAND", "srv")]).unwrap_err();
    assert_eq!(problems, ["CMD (not set): no command to run"]);
}

#[test]
fn empty_paths_are_refused() {
    let mut typed = typed(" -- srv");
    typed.insert("cwd", ["".into()]);
    typed.insert("watch", ["src".into(), "".into()]);
    let problems = said(&dev(&typed, |_| None).unwrap_err());
    assert_eq!(
        problems,
        ["--cwd (command line): the path is empty", "--watch (command line): the path is empty",]
    );
}

#[test]
fn shared_credentials_are_said_loudly() {
    let serve =
        serve_of(&format!("{SERVE} --allow-shared-credential A,B -- srv"), &[], "\n").unwrap();
    assert_eq!(serve.credentials.shared, ["A", "B"]);
    assert_eq!(serve.warnings.len(), 2);
}

#[test]
fn a_preset_is_for_one_issuer_or_for_all() {
    let words =
        "--oidc a=https://a.example --oidc b=https://b.example --idp okta --idp b=entra -- srv";
    let issuers = serve_of(words, &[], "").unwrap().auth.issuers;
    assert_eq!(
        issuers.iter().map(|issuer| issuer.idp.name()).collect::<Vec<_>>(),
        ["okta", "entra"]
    );
    let problems = serve_of(&format!("{SERVE} --idp c=entra,b=x -- srv"), &[], "\n").unwrap_err();
    assert_eq!(
        problems,
        [
            "--idp (command line): \"x\" is not one of the known words",
            "--idp (command line): no issuer is called \"c\"",
        ]
    );
}

#[test]
fn a_fault_found_later_still_names_who_said_it() {
    let vars = [("MCPWRAP_OIDC", "https://a.example")];
    let origins = serve_of("--max-children 9 -- srv", &vars, "").unwrap().origins;
    let said = |name| origins.attribute(Problem::new(name, "no", "do")).to_string();
    assert_eq!(said("oidc"), "MCPWRAP_OIDC (environment): no");
    assert_eq!(said("max-children"), "--max-children (command line): no");
    assert_eq!(said("audience"), "--audience (not set): no");
}
