//! The command line as an operator meets it: the real binary, its exit codes, and what it writes where.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What one run left behind.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn mcpwrap<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, env: &[(&str, &str)]) -> Ran {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mcpwrap"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn words(line: &str) -> Ran {
    mcpwrap(line.split(' '), &[])
}

/// A directory of its own for each test.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

// === help ===

#[test]
fn help_fits_a_screen() {
    let ran = words("--help");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.lines().count() <= 40, "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
}

#[test]
fn no_command_is_a_misuse_that_shows_help() {
    let ran = mcpwrap::<&str>([], &[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("Usage: mcpwrap <COMMAND>"), "{}", ran.err);
}

// === usage and configuration: exit code 2 ===

#[test]
fn dev_refuses_to_listen_beyond_loopback() {
    for address in ["0.0.0.0:8808", "[::]:0", "192.0.2.1:80"] {
        let ran = words(&format!("dev --listen {address} -- srv"));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert_eq!(
            ran.err,
            format!(
                "error: --listen (command line): {address} is not loopback, and dev has no authentication\n\
                 hint: listen on 127.0.0.1, or use mcpwrap serve, which authenticates every request\n"
            )
        );
    }
    let ran = mcpwrap(["dev", "--", "srv"], &[("MCPWRAP_LISTEN", "0.0.0.0:1")]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: MCPWRAP_LISTEN (environment): "), "{}", ran.err);
}

#[test]
fn a_missing_command_is_explained() {
    let ran = words("dev");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(
        ran.err,
        "error: CMD (not set): no command to run\n\
         hint: put the server's command after --, like: -- npx -y @modelcontextprotocol/server-everything\n"
    );
}

#[test]
fn a_command_without_the_dashes_is_explained() {
    let ran = words("dev npx server");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("unexpected argument 'npx'"), "{}", ran.err);
    assert!(ran.err.ends_with("hint: put -- before the command, like: -- npx …\n"), "{}", ran.err);
}

#[test]
fn all_problems_are_said_at_once_and_each_has_a_hint() {
    let ran = mcpwrap(
        ["dev", "--call-timeout", "10x", "--max-body", "much", "--child-era", "stone"],
        &[("MCPWRAP_KEEP_ALIVE", "often")],
    );
    assert_eq!(ran.code, 2);
    let errors: Vec<_> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    let hints = ran.err.lines().filter(|line| line.starts_with("hint: ")).count();
    assert_eq!((errors.len(), hints), (5, 5), "{}", ran.err);
    for start in
        ["--call-timeout (command line)", "--max-body (command line)", "--child-era (command line)"]
    {
        assert!(
            errors.iter().any(|line| line.starts_with(&format!("error: {start}"))),
            "{}",
            ran.err
        );
    }
    assert!(
        ran.err.contains("error: MCPWRAP_KEEP_ALIVE (environment): \"often\" is not a duration\n")
    );
    assert!(ran.err.contains("error: CMD (not set): "));
}

#[test]
fn an_unknown_key_of_the_file_is_named_with_its_line() {
    let file = scratch("unknown-key").join("mcpwrap.toml");
    fs::write(&file, "oidc = \"https://login.example.com\"\n\nmax_body = \"1MiB\"\n").unwrap();
    for command in ["serve", "check"] {
        let ran = mcpwrap([command, "--config", file.to_str().unwrap(), "--", "srv"], &[]);
        assert_eq!(ran.code, 2);
        let expected = format!(
            "error: max_body ({}:3): unknown key\nhint: did you mean max-body?\n",
            file.display()
        );
        assert_eq!(ran.err, expected);
    }
}

#[test]
fn flags_beat_variables_beat_the_file() {
    let file = scratch("precedence").join("mcpwrap.toml");
    fs::write(&file, "oidc = \"https://login.example.com\"\nmax-body = \"file\"\n").unwrap();
    let first = |more: &[&str], env: &[(&str, &str)]| {
        let args = ["check", "--config", file.to_str().unwrap()];
        let args = args.iter().chain(more).chain(&["--", "srv"]);
        let ran = mcpwrap(args, env);
        assert_eq!(ran.code, 2);
        ran.err.lines().next().unwrap().to_owned()
    };
    let var = [("MCPWRAP_MAX_BODY", "variable")];
    assert!(
        first(&["--max-body", "flag"], &var)
            .ends_with("--max-body (command line): \"flag\" is not a size")
    );
    assert!(
        first(&[], &var).ends_with("MCPWRAP_MAX_BODY (environment): \"variable\" is not a size")
    );
    assert!(first(&[], &[]).ends_with("mcpwrap.toml:2): \"file\" is not a size"));
}

#[test]
fn a_literal_secret_is_a_warning_in_dev_and_is_never_repeated() {
    let args = "--env GITHUB_TOKEN=ghp_0123456789 --print-config json -- srv";
    let ran = words(&format!("dev {args}"));
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.err,
        "warning: --env (command line): GITHUB_TOKEN looks like a secret that stands here as it is\n\
         hint: take it from a source: --credential GITHUB_TOKEN=SOURCE\n"
    );
    let ran =
        words("serve --oidc https://login.example.com --env GITHUB_TOKEN=ghp_0123456789 -- srv");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("GITHUB_TOKEN looks like a secret that all users would share"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("ghp_"), "{}", ran.err);
}

#[test]
fn a_value_of_secret_never_comes_by_argv() {
    let ran = words("secret set store:github hunter2");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let ran = words("secret set ghp_0123456789");
    assert_eq!(ran.code, 2);
    assert!(!ran.err.contains("ghp_"), "{}", ran.err);
    assert!(ran.err.contains("the value is read from stdin"), "{}", ran.err);
}

#[test]
fn a_pipe_gets_no_colour() {
    for line in ["--help", "dev", "dev --nonsense"] {
        let ran = words(line);
        assert!(!format!("{}{}", ran.out, ran.err).contains('\x1b'), "{line}");
    }
}

// === settings ===

#[test]
fn printed_settings_are_the_client_s_own_form_and_nothing_else() {
    let url = "http://127.0.0.1:8808/mcp";
    for (app, expected) in [
        ("vscode", format!(r#"{{"servers":{{"weather":{{"type":"http","url":"{url}"}}}}}}"#)),
        ("cursor", format!(r#"{{"mcpServers":{{"weather":{{"url":"{url}"}}}}}}"#)),
        (
            "claude-desktop",
            format!(
                r#"{{"mcpServers":{{"weather":{{"command":"npx","args":["-y","mcp-remote","{url}"]}}}}}}"#
            ),
        ),
        ("json", format!(r#"{{"mcpServers":{{"weather":{{"type":"http","url":"{url}"}}}}}}"#)),
    ] {
        let ran = words(&format!("dev --print-config {app} -- uvx weather"));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&ran.out), value(&expected), "{app}");
    }
    let ran = words(
        "dev --print-config claude-code --listen [::1]:9 --path /w --name my-weather -- uvx weather",
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "claude mcp add --transport http my-weather 'http://[::1]:9/w'\n");
    assert_eq!(words("dev --print-config emacs -- srv").code, 2);
}

// === generated files ===

/// Compares the generated files of a directory with what the binary writes, or writes them when asked to. What they are
/// generated from may lie beside them, in Markdown.
fn in_step(dir: &str, generated: &BTreeMap<String, String>) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let committed = || {
        let mut files = read_all(&dir);
        files.retain(|name, _| !name.ends_with(".md"));
        files
    };
    if std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1") {
        for name in committed().into_keys() {
            fs::remove_file(dir.join(name)).unwrap();
        }
        for (name, text) in generated {
            fs::write(dir.join(name), text).unwrap();
        }
    }
    let committed = committed();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    let remedy = "run the tests once with UPDATE_GENERATED=1";
    assert_eq!(names(&committed), names(generated), "{remedy}");
    for (name, text) in generated {
        assert!(committed[name] == *text, "{name} is out of step: {remedy}");
    }
}

fn read_all(dir: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let texts = files.map(|file| {
        let name = file.file_name().into_string().unwrap();
        (name, fs::read_to_string(file.path()).unwrap())
    });
    texts.collect()
}

#[test]
fn completions_are_in_step() {
    let shells = [
        ("bash", "mcpwrap.bash"),
        ("zsh", "_mcpwrap"),
        ("fish", "mcpwrap.fish"),
        ("powershell", "_mcpwrap.ps1"),
        ("elvish", "mcpwrap.elv"),
        ("nushell", "mcpwrap.nu"),
    ];
    let generated = shells.map(|(shell, file)| {
        let ran = words(&format!("completions {shell}"));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.contains("print-config"), "{shell}");
        (file.to_owned(), ran.out)
    });
    in_step("completions", &BTreeMap::from(generated));
}

#[test]
fn manual_pages_are_in_step() {
    let dir = scratch("man");
    let ran = mcpwrap(["man", "--dir", dir.to_str().unwrap()], &[]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let pages = read_all(&dir);
    for page in ["mcpwrap.1", "mcpwrap-dev.1", "mcpwrap-serve.1", "mcpwrap-secret-set.1"] {
        assert!(pages.contains_key(page), "{page} is missing");
    }
    let sources = read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man"));
    let sources = sources.into_keys().filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()));
    let concepts = pages.keys().filter(|name| name.ends_with(".7")).cloned();
    assert_eq!(sources.collect::<Vec<_>>(), concepts.collect::<Vec<_>>());
    assert_eq!(words("man").out, pages["mcpwrap.1"]);
    in_step("man", &pages);
}

#[test]
fn a_manual_that_cannot_be_written_is_a_failure_while_running() {
    let file = scratch("no-dir").join("file");
    fs::write(&file, "").unwrap();
    let ran = mcpwrap(["man", "--dir", file.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("\ncaused by: "), "{}", ran.err);
}
