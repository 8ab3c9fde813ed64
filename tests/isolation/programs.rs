//! `npx` installs once, behind walls, and the children run the real program from a tree that nobody can change.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mcpwrap::process::Spawner;
use mcpwrap::process::resolve::{self, Error, Resolved};
use mcpwrap::process::walls::{Identity, Paths, Walls};

use crate::children::{output, spawner};
use crate::skipped::notice;
use crate::users::{Kind, State, again, as_ordinary, is_root, permitted};

const MANIFEST: &str = r#"{
    "name": "@isolation/server",
    "version": "1.0.0",
    "bin": { "isolation-server": "cli.js" },
    "scripts": { "install": "node install.js" }
}"#;
/// A file of the system that everybody may read, and that stands here for a secret of mcpwrap's.
const HIDDEN: &str = "/usr/lib/os-release";
/// Runs as whoever installs, so it looks for what it should not find.
const INSTALL: &str = r#"
    const fs = require("fs");
    const seen = { token: process.env.SECRET_TOKEN ?? null, user: process.env.MCPWRAP_USER, readable: [] };
    for (const path of [process.env.npm_config_userconfig, "/root/.npmrc", "/etc/shadow", "HIDDEN"]) {
        try { fs.readFileSync(path); seen.readable.push(path); } catch {}
    }
    fs.writeFileSync("seen.json", JSON.stringify(seen));
"#;
const CLI: &str = r#"#!/usr/bin/env node
    const fs = require("fs"), path = require("path");
    let writable = true;
    try { fs.writeFileSync(path.join(__dirname, "planted"), ""); } catch { writable = false; }
    try { fs.chmodSync(path.join(__dirname, "cli.js"), 0o777); writable = true; } catch {}
    const seen = JSON.parse(fs.readFileSync(path.join(__dirname, "seen.json")));
    console.log(JSON.stringify({ args: process.argv.slice(2), writable, seen }));
"#;

/// Writes a wheel with one module and one program.
const WHEEL: &str = r#"
import sys, zipfile
info = "isolation_server-1.0.dist-info/"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("isolation_server.py", "import os, sys\ndef main(): print(sys.argv[1:], os.environ['MCPWRAP_USER'])\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: isolation-server\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\nisolation-server = isolation_server:main\n")
    names = ["isolation_server.py"] + [info + name for name in ("METADATA", "WHEEL", "entry_points.txt", "RECORD")]
    wheel.writestr(info + "RECORD", "".join(name + ",,\n" for name in names))
"#;

fn tarball(dir: &Path) -> PathBuf {
    let package = dir.join("package");
    fs::create_dir(&package).unwrap();
    let install = INSTALL.replace("HIDDEN", HIDDEN);
    for (name, text) in [("package.json", MANIFEST), ("install.js", &install), ("cli.js", CLI)] {
        fs::write(package.join(name), text).unwrap();
    }
    let file = dir.join("server.tgz");
    let packed =
        Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(dir).arg("package").status();
    assert!(packed.unwrap().success());
    file
}

async fn resolved(
    spawner: &Spawner,
    file: &Path,
    program: &[&str],
    state: &State,
    identity: Identity,
) -> Result<Resolved, Error> {
    let words = ["npx", "-y"].iter().chain(program).map(OsString::from);
    let argv: Vec<OsString> = words.chain([file.into(), "--".into(), "one".into()]).collect();
    resolve::program(spawner, &argv, &state.path, Some(identity), &[HIDDEN.into()]).await
}

#[tokio::test]
async fn a_package_is_installed_once_and_run_from_a_tree_that_nobody_can_change() {
    let ordinary = as_ordinary(
        "programs::a_package_is_installed_once_and_run_from_a_tree_that_nobody_can_change",
    );
    let kind = if ordinary { Kind::Namespaces } else { Kind::Uid };
    if !permitted(kind).await || !present("npm") {
        return;
    }
    fs::read(HIDDEN).unwrap();
    let (state, source) = (State::new(), State::new());
    let file = tarball(&source.path);
    let identity = installer(&state, kind);
    let first = resolved(&spawner(), &file, &[], &state, identity).await.unwrap();
    assert!(first.program.ends_with("node_modules/@isolation/server/cli.js"), "{first:?}");
    assert_eq!(first.args, ["one"]);
    // The second time nothing is fetched: the package is not even there any more.
    fs::remove_file(&file).unwrap();
    assert_eq!(resolved(&spawner(), &file, &[], &state, identity).await.unwrap(), first);

    let mut user = state.user("alice", 1, kind);
    if let Walls::Strict { paths, .. } = &mut user.walls {
        *paths = Paths::for_home(&user.home, &first.trees);
    }
    let said = output(user.command(first.program.to_str().unwrap(), &["one"])).await;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["args"], serde_json::json!(["one"]));
    assert_eq!(said["writable"], false);
    assert_eq!(said["seen"]["token"], serde_json::Value::Null);
    assert_eq!(said["seen"]["user"], "installer");
    assert_eq!(said["seen"]["readable"], serde_json::json!([]));
}

/// Set for a run in which an `npm` comes first that works for its owner alone.
const SHIM: &str = "ISOLATION_SHIM";

/// A version manager's wrapper works for whoever starts mcpwrap, and not behind walls: the next one in `PATH` is taken,
/// and where there is none, start-up says what it is.
#[tokio::test]
async fn a_wrapper_that_works_outside_alone_is_passed_over_or_named() {
    const TEST: &str = "programs::a_wrapper_that_works_outside_alone_is_passed_over_or_named";
    let kind = if is_root() { Kind::Uid } else { Kind::Namespaces };
    let again_as = std::env::var(SHIM);
    // The run again has no `PATH` to look for tools in.
    if again_as.is_err() && (!permitted(kind).await || !present("npm")) {
        return;
    }
    let (state, source) = (State::new(), State::new());
    let shim = source.path.join("bin/npm");
    let Ok(behind) = again_as else {
        let path = std::env::var("PATH").unwrap();
        fs::create_dir(source.path.join("bin")).unwrap();
        fs::create_dir(source.path.join("hidden")).unwrap();
        fs::write(source.path.join("hidden/npm"), "#!/bin/sh\nexec npm \"$@\"\n").unwrap();
        let script = format!("#!/bin/sh\nexec {}/hidden/npm \"$@\"\n", source.path.display());
        fs::write(&shim, script).unwrap();
        for file in [&shim, &source.path.join("hidden/npm")] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (behind, path) in [
            ("npm", format!("{}:{path}", shim.parent().unwrap().display())),
            ("none", shim.parent().unwrap().display().to_string()),
        ] {
            let status = again(TEST).env(SHIM, behind).env("PATH", path).status().unwrap();
            assert!(status.success(), "with {behind} behind it: {status}");
        }
        return;
    };
    let file = source.path.join("server.tgz");
    let identity = installer(&state, kind);
    let resolved = resolved(&spawner(), &file, &[], &state, identity).await.unwrap_err();
    if behind == "none" {
        let Error::Installer { installer: "npm", tried } = &resolved else { panic!("{resolved}") };
        assert!(tried.contains("hidden/npm") && tried.contains("bin/npm exited"), "{tried}");
    } else {
        // It got as far as the package, which is not there.
        assert!(
            matches!(&resolved, Error::Install { said, .. } if said.contains("server.tgz")),
            "{resolved}"
        );
    }
}

#[tokio::test]
async fn a_failed_installation_says_why_and_is_tried_again() {
    let ordinary = as_ordinary("programs::a_failed_installation_says_why_and_is_tried_again");
    let kind = if ordinary { Kind::Namespaces } else { Kind::Uid };
    if !permitted(kind).await || !present("npm") {
        return;
    }
    let (state, source) = (State::new(), State::new());
    let file = source.path.join("server.tgz");
    let identity = installer(&state, kind);
    let error = resolved(&spawner(), &file, &[], &state, identity).await.unwrap_err();
    assert!(
        matches!(&error, Error::Install { said, .. } if said.contains("server.tgz")),
        "{error}"
    );
    assert_eq!(tarball(&source.path), file);
    let wrong = resolved(&spawner(), &file, &["-p"], &state, identity).await.unwrap_err();
    assert!(
        matches!(&wrong, Error::NoProgram { found, .. } if found == &["isolation-server"]),
        "{wrong}"
    );
    resolved(&spawner(), &file, &[], &state, identity).await.unwrap();
}

#[tokio::test]
async fn a_python_tool_is_installed_and_run_the_same_way() {
    let ordinary = as_ordinary("programs::a_python_tool_is_installed_and_run_the_same_way");
    let kind = if ordinary { Kind::Namespaces } else { Kind::Uid };
    if !permitted(kind).await || !present("uv") {
        return;
    }
    let (state, source) = (State::new(), State::new());
    let identity = installer(&state, kind);
    let wheel = source.path.join("isolation_server-1.0-py3-none-any.whl");
    let made = Command::new("python3").args(["-c", WHEEL]).arg(&wheel).status().unwrap();
    assert!(made.success());
    let argv = ["uvx", "--from", wheel.to_str().unwrap(), "isolation-server", "one"];
    let argv = argv.map(OsString::from);
    let tool = resolve::program(&spawner(), &argv, &state.path, Some(identity), &[]).await.unwrap();
    let mut user = state.user("alice", 1, kind);
    if let Walls::Strict { paths, .. } = &mut user.walls {
        *paths = Paths::for_home(&user.home, &tool.trees);
    }
    let said = output(user.command(tool.program.to_str().unwrap(), &["one"])).await;
    assert_eq!(said, "['one'] alice\n");
}

/// Somebody who is none of the users.
fn installer(state: &State, kind: Kind) -> Identity {
    match state.user("installer", 3, kind).walls {
        Walls::Strict { identity, .. } => identity,
        other => panic!("{other:?}"),
    }
}

fn present(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        notice(&format!("{program} is not installed here"));
    }
    found
}
