//! The command lines of `npx`, `npm exec`, `uvx` and `uv tool run`. Pure: nothing is looked up.

use std::ffi::OsString;

use super::Error;
use super::options::{self, Installer, Known};

/// What is to be installed and then run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Who installs it.
    pub installer: Installer,
    /// What, the main one first.
    pub specs: Vec<String>,
    /// Passed on to the installer.
    pub options: Vec<String>,
    /// Which of its programs; absent where the package itself says so.
    pub program: Option<String>,
    /// The arguments of that program.
    pub args: Vec<OsString>,
}

/// The package that a command runs from; nothing for a command of another kind.
pub(super) fn package(argv: &[OsString]) -> Result<Option<Package>, Error> {
    let word = |index: usize| argv.get(index).and_then(|word| word.to_str()).unwrap_or_default();
    let name = word(0).rsplit('/').next().unwrap_or_default();
    let (installer, skipped) = match (name, word(1), word(2)) {
        ("npx", ..) => (Installer::Npm, 1),
        ("npm", "exec" | "x", _) => (Installer::Npm, 2),
        ("uvx", ..) => (Installer::Uv, 1),
        ("uv", "tool", "run") => (Installer::Uv, 3),
        _ => return Ok(None),
    };
    parse(installer, &argv[skipped..]).map(Some)
}

fn parse(installer: Installer, words: &[OsString]) -> Result<Package, Error> {
    let known = |option: &str| options::known(installer, option);
    let mut package = Package {
        installer,
        specs: Vec::new(),
        options: Vec::new(),
        program: None,
        args: Vec::new(),
    };
    let (mut from, mut with) = (Vec::new(), Vec::new());
    let mut rest = words.iter();
    let unknown =
        |option: &OsString| Error::Option { installer: installer.name(), option: option.clone() };
    let first = loop {
        let Some(word) = rest.next() else {
            return Err(Error::NoPackage { installer: installer.name() });
        };
        let text = word.to_str().ok_or_else(|| unknown(word))?;
        if text == "--" {
            continue;
        }
        if !text.starts_with('-') {
            break text;
        }
        let (option, inline) = match text.split_once('=') {
            Some((option, value)) => (option, Some(value.to_owned())),
            None => (text, None),
        };
        let kind = known(option).ok_or_else(|| unknown(word))?;
        match kind {
            Known::Ignored => continue,
            Known::Passed => {
                package.options.push(text.to_owned());
                continue;
            }
            Known::IgnoredValue | Known::From | Known::With | Known::PassedValue => {}
        }
        let next = || rest.next()?.to_str().map(ToOwned::to_owned);
        let value = inline.or_else(next).ok_or_else(|| unknown(word))?;
        match kind {
            Known::From => from.push(value),
            Known::With => with.push(value),
            Known::PassedValue => package.options.push(joined(option, &value)),
            Known::Ignored | Known::IgnoredValue | Known::Passed => {}
        }
    };
    if from.iter().chain(&with).any(|spec| spec.starts_with('-')) {
        return Err(Error::NoPackage { installer: installer.name() });
    }
    // `npx -p a -p b cmd` and `uvx --from a cmd` name the program; otherwise the package does.
    package.program = match (installer, from.is_empty()) {
        (_, false) => Some(first.to_owned()),
        (Installer::Npm, true) => None,
        (Installer::Uv, true) => Some(python_name(first).to_owned()),
    };
    package.specs = if from.is_empty() { vec![python_version(installer, first)] } else { from };
    package.specs.extend(with);
    let rest: Vec<OsString> = rest.cloned().collect();
    // What follows the package is the program's own, but for the separator that npm takes away.
    let separated = installer == Installer::Npm && rest.first().is_some_and(|word| word == "--");
    package.args = rest[usize::from(separated)..].to_vec();
    Ok(package)
}

/// What the program of `npx` or `uvx` is called, as far as its words tell; nothing for a command of another kind.
pub(super) fn name(argv: &[OsString]) -> Option<String> {
    let package = package(argv).ok()??;
    package.program.or_else(|| package.specs.into_iter().next())
}

/// One word, so that a value is never taken for an option; those of one letter know no other form than two.
fn joined(option: &str, value: &str) -> String {
    match option.strip_prefix("--") {
        Some(_) => format!("{option}={value}"),
        None => format!("{option}{value}"),
    }
}

/// A requirement without extras and versions.
fn python_name(spec: &str) -> &str {
    spec.split(['[', '@', '=', '<', '>', '~', '!', ';', ' ']).next().unwrap_or(spec)
}

/// `name@version` is `uvx`'s own way to say `name==version`.
fn python_version(installer: Installer, spec: &str) -> String {
    match spec.split_once('@') {
        Some((name, "latest")) if installer == Installer::Uv => name.to_owned(),
        Some((name, version)) if installer == Installer::Uv && !version.contains('/') => {
            format!("{name}=={version}")
        }
        _ => spec.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (Vec<String>, Option<String>, Vec<OsString>);

    fn parsed(line: &str) -> Result<Option<Parts>, Error> {
        let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Ok(package(&argv)?.map(|package| (package.specs, package.program, package.args)))
    }

    #[test]
    fn what_runs_is_what_npx_and_uvx_would_run() {
        for (line, specs, program, args) in [
            ("npx -y @scope/server@1.2 --port 1", "@scope/server@1.2", None, "--port 1"),
            ("/usr/bin/npx server -y", "server", None, "-y"),
            ("npx --package=a -p b run x", "a b", Some("run"), "x"),
            ("npm exec --yes -- server -- x", "server", None, "x"),
            (
                "uvx mcp-server-git@1.0 -r /x",
                "mcp-server-git==1.0",
                Some("mcp-server-git"),
                "-r /x",
            ),
            ("uvx tool@latest", "tool", Some("tool"), ""),
            ("uvx --from a[x]==1 --with b run", "a[x]==1 b", Some("run"), ""),
            ("uv tool run a>=2 -- x", "a>=2", Some("a"), "-- x"),
            ("npx --loglevel silent -s server x", "server", None, "x"),
            ("npx --registry http://127.0.0.1:4873 --ignore-scripts my-srv", "my-srv", None, ""),
            (
                "uvx --with mcp<2 --index-url https://a.test -p 3.12 sqlite",
                "sqlite mcp<2",
                Some("sqlite"),
                "",
            ),
        ] {
            let (found, name, rest) = parsed(line).unwrap().unwrap();
            assert_eq!(found.join(" "), specs, "{line}");
            assert_eq!(name.as_deref(), program, "{line}");
            assert_eq!(rest.join(&OsString::from(" ")), *args, "{line}");
        }
    }

    #[test]
    fn what_says_how_to_install_is_passed_on_in_one_word() {
        for (line, options) in [
            (
                "npx --registry http://r.test --force --loglevel silly a",
                "--registry=http://r.test --force",
            ),
            ("npx --registry=http://r.test --cache /x a", "--registry=http://r.test"),
            (
                "uvx -i https://a.test -p 3.12 --offline --color never a",
                "-ihttps://a.test -p3.12 --offline",
            ),
        ] {
            let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(package(&argv).unwrap().unwrap().options.join(" "), options, "{line}");
        }
    }

    #[test]
    fn everything_else_is_left_alone_or_refused() {
        for line in ["node server.js", "npm run x", "uv run x", "sh -c npx"] {
            assert_eq!(parsed(line).unwrap(), None, "{line}");
        }
        for line in
            ["npx", "npx -y", "npx --call x", "uvx --env-file x y", "npx -p", "uvx --from --x y"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
