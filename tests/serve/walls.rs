//! What users' children see of the machine, and what is said of it before users come.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::permits_strict_walls;
use crate::support::*;

/// The program in a package of its own, with other users' credentials in it.
fn package(dir: &Path) -> PathBuf {
    let app = dir.join("app");
    std::fs::create_dir_all(app.join("tokens")).unwrap();
    std::fs::write(app.join("package.json"), "{}").unwrap();
    std::fs::copy(child_program(), app.join("server")).unwrap();
    write_private(&app.join("tokens/alice"), "the-token-of-alice-0123456789");
    app
}

fn source(app: &Path, rest: &str) -> String {
    format!("T=file:{}/{rest}", app.display())
}

#[tokio::test]
async fn a_secret_in_the_programs_package_stops_the_start_where_it_cannot_be_masked() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let app = package(&setup.dir);
    let program = app.join("server");
    let setup = setup.command([program.to_str().unwrap()]);
    for rest in ["tokens/{sub}", "{sub}", "token-{sub}"] {
        let ended = setup.clone().flags(["--credential", &source(&app, rest)]).refused().await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{}", ended.err);
        let named = |line: &str| {
            line.contains(&format!("children see {},", app.display()))
                && line.contains(&format!("{}/{}", app.display(), rest.replace("{sub}", "*")))
        };
        assert!(ended.err.lines().any(named), "{rest}: {}", ended.err);
    }
    let key = app.join("key");
    let ended = setup.flags(["--master-key", &format!("file:{}", key.display())]).refused().await;
    assert!(ended.err.contains("the master key"), "{}", ended.err);
}

/// Where a child may have a mount namespace, it is started and does not see the files of others.
#[tokio::test]
async fn a_secret_in_the_programs_package_is_masked() {
    if !permits_strict_walls() {
        return;
    }
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).strict();
    let app = package(&setup.dir);
    let program = app.join("server");
    let setup = setup.command([program.to_str().unwrap()]);
    // What cannot be told apart from the program cannot be masked anywhere.
    let beside = setup.clone().flags(["--credential", &source(&app, "{sub}")]).checked().await;
    assert_eq!(beside.code, Some(2), "{}", beside.err);
    let checked = setup.flags(["--credential", &source(&app, "tokens/{sub}")]).checked().await;
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    for line in [format!("read {}", app.display()), format!("never {}/tokens", app.display())] {
        assert!(checked.out.lines().any(|said| said == line), "{line}: {}", checked.out);
    }
    if nix::unistd::geteuid().is_root() {
        // Nobody named a range, so one was chosen, and it is told which.
        assert!(checked.err.contains("which nobody has here (--uid-range "), "{}", checked.err);
    }
}

/// What the system keeps for others is nobody's to give.
#[tokio::test]
async fn a_range_of_ids_that_are_somebodys_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        // Only root gives ids at all.
        crate::skipped::notice("this needs root");
        return;
    }
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).strict();
    for (range, whose) in [("65000-65100", "DynamicUser"), ("1-5", "/etc/passwd")] {
        let ended = setup.clone().flags(["--uid-range", range]).refused().await;
        assert_eq!(ended.code, Some(2), "{range}: {}", ended.err);
        let named = |line: &str| line.contains("--uid-range") && line.contains(whose);
        assert!(ended.err.lines().any(named), "{range}: {}", ended.err);
    }
}

#[tokio::test]
async fn a_program_that_no_child_can_reach_is_found_before_users_come() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let app = package(&setup.dir);
    std::fs::set_permissions(app.join("server"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let program = app.join("server");
    let setup = setup.command([program.to_str().unwrap()]);
    for (level, setup) in [("basic", setup.clone()), ("strict", setup.clone().strict())] {
        let ended = setup.checked().await;
        assert_eq!(ended.code, Some(2), "{level}: {}", ended.err);
        let refused = ["not executable", "the walls cannot be built"];
        assert!(refused.iter().any(|words| ended.err.contains(words)), "{level}: {}", ended.err);
    }
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&app, std::fs::Permissions::from_mode(0o000)).unwrap();
    let closed = setup.clone().checked().await;
    std::fs::set_permissions(&app, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(closed.code, Some(2), "{}", closed.err);
    let names = format!("may not enter {}", app.display());
    let unseen = closed.err.contains("neither a path nor in PATH");
    assert!(closed.err.contains(&names) || unseen, "{}", closed.err);
}

#[tokio::test]
async fn what_is_allowed_is_seen_and_nothing_hidden_is_allowed() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let shared = setup.dir.join("shared");
    std::fs::create_dir(&shared).unwrap();
    let state = setup.dir.join("state");
    let flags = ["--allow-read", shared.to_str().unwrap(), "--allow-write", "/nowhere/at-all"];
    let missing = setup.clone().flags(flags).checked().await;
    assert_eq!(missing.code, Some(2), "{}", missing.err);
    assert!(missing.err.contains("--allow-write (command line): /nowhere/at-all is not there"));
    let seen = setup.clone().flags(["--allow-write", shared.to_str().unwrap()]).checked().await;
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    let line = format!("write {}", shared.display());
    assert!(seen.out.lines().any(|said| said == line), "{}", seen.out);
    let all = setup.dir.to_str().unwrap().to_owned();
    for path in [all.as_str(), state.to_str().unwrap()] {
        for flag in ["--allow-read", "--allow-write"] {
            let ended = setup.clone().flags([flag, path]).refused().await;
            assert_eq!(ended.code, Some(2), "{flag} {path}: {}", ended.err);
            assert!(ended.err.contains("the state directory"), "{flag} {path}: {}", ended.err);
        }
    }
}

/// The hint that the walls give when a server complains of a file that is there, but not for it.
#[tokio::test]
async fn a_child_that_is_denied_what_exists_is_explained() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let repository = setup.dir.join("repository");
    std::fs::create_dir(&repository).unwrap();
    let script = format!(
        "echo \"fatal: cannot open '{}': No such file or directory\" >&2; exec {}",
        repository.display(),
        child_program().display()
    );
    let setup = setup.command(["/bin/sh", "-c", &script]);
    let allow = child_program().parent().unwrap().display().to_string();
    let served = setup.flags(["--allow-read", &allow]).start().await;
    served.caller(&provider.token("alice")).whoami().await;
    served.stderr.wait(&format!("--allow-read {}", repository.display())).await;
}
