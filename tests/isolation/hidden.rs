//! Secrets in the directory that a program needs: no child sees them, however they come and go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mcpwrap::process::Error;
use mcpwrap::process::walls::{Paths, Walls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::children::{spawner, start};
use crate::users::{Kind, State, User, as_ordinary, permitted};
use crate::wait::soon;

/// The package of a program, with other users' credentials, a token and a log of mcpwrap's own in it.
fn package(dir: &Path) {
    fs::create_dir_all(dir.join("lib/deep")).unwrap();
    fs::create_dir(dir.join("secrets")).unwrap();
    fs::write(dir.join("server"), "program").unwrap();
    fs::write(dir.join("lib/deep/module"), "module").unwrap();
    std::os::unix::fs::symlink("lib/deep/module", dir.join("link")).unwrap();
    std::os::unix::fs::symlink(dir.join("token"), dir.join("lib/way")).unwrap();
    for name in ["secrets/bob", "token", "lib/deep/key"] {
        secret(&dir.join(name));
    }
}

fn secret(path: &Path) {
    fs::write(path, "hunter2").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn shown(user: &mut User, dir: &Path) {
    if let Walls::Basic { paths } | Walls::Strict { paths, .. } = &mut user.walls {
        paths.readable.push(dir.to_owned());
        let hidden = ["secrets", "token", "lib/deep/key", "audit.log"].map(|name| dir.join(name));
        *paths = Paths { hidden: [paths.hidden.as_slice(), &hidden].concat(), ..paths.clone() };
    }
}

/// Says all that it sees, again for each line that it reads.
const LOOK: &str = r#"
    cd "$APP"
    while read -r turn; do
        for path in server link lib/deep/module; do cat $path || echo "no $path"; echo; done
        for path in secrets secrets/bob token lib/way lib/deep/key audit.log; do
            test -e $path && echo "sees $path"
            cat $path 2> /dev/null && echo "reads $path"
        done
        echo done
    done
"#;

async fn nothing_is_seen(kind: Kind) {
    if !permitted(kind).await {
        return;
    }
    let state = State::new();
    let app = state.within("app");
    package(&app.path);
    let mut user = state.within("state").user("alice", 1, kind);
    shown(&mut user, &app.path);
    let mut command = user.command("/bin/sh", &["-c", LOOK]);
    command.env.set("APP", app.path.to_str().unwrap().to_owned());
    if !matches!(kind, Kind::Uid | Kind::Namespaces) {
        // Landlock alone could not hide it.
        let refused = spawner().spawn(command).await;
        assert!(matches!(refused, Err(Error::Exposed { .. })), "{kind:?}: {refused:?}");
        return;
    }
    let mut process = start(command).await;
    let mut lines = BufReader::new(process.stdout).lines();
    let mut look = async || {
        process.stdin.write_all(b"\n").await.unwrap();
        let mut said = Vec::new();
        loop {
            match soon("an answer", lines.next_line()).await.unwrap() {
                Some(line) if line == "done" => return said,
                Some(line) => said.push(line),
                None => panic!("{kind:?}: it ended after {said:?}"),
            }
        }
    };
    let wanted = ["program", "module", "module"];
    assert_eq!(look().await, wanted, "{kind:?}");
    // As agents replace tokens, and as logs come into being.
    secret(&app.path.join("new"));
    fs::rename(app.path.join("new"), app.path.join("token")).unwrap();
    fs::remove_dir_all(app.path.join("secrets")).unwrap();
    fs::create_dir(app.path.join("secrets")).unwrap();
    secret(&app.path.join("secrets/bob"));
    secret(&app.path.join("audit.log"));
    assert_eq!(look().await, wanted, "{kind:?}");
}

#[tokio::test]
async fn roots_children_do_not_see_what_lies_beside_their_program() {
    if crate::users::as_root() {
        for kind in [Kind::Uid, Kind::UidAlone, Kind::Basic] {
            nothing_is_seen(kind).await;
        }
    }
}

#[tokio::test]
async fn an_ordinary_users_children_do_not_see_what_lies_beside_their_program() {
    if as_ordinary("hidden::an_ordinary_users_children_do_not_see_what_lies_beside_their_program") {
        for kind in [Kind::Namespaces, Kind::Basic] {
            nothing_is_seen(kind).await;
        }
    }
}
