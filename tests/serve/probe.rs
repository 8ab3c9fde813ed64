//! The server is asked how it speaks before the first user comes, by a child that is nobody's.

use std::path::Path;

use crate::support::*;

const SPOKEN: &str = "a child of nobody's has said how the server speaks";
const UNSPOKEN: &str = "the server does not start for nobody";

/// What each user's credential holds.
fn credential(dir: &Path, users: [(&str, &str); 2]) -> String {
    let path = dir.join("tokens");
    std::fs::create_dir_all(&path).unwrap();
    users.iter().for_each(|(name, token)| write_private(&path.join(name), token));
    format!("TOKEN=file:{}/{{sub}}", path.display())
}

/// It has no credential and leaves nothing behind: no home, no place taken, no line of its own.
#[tokio::test]
async fn the_first_child_is_nobodys() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    let credential = credential(&setup.dir, [("alice", "one"), ("bob", "two")]);
    let flags = ["-vv", "--child-era", "auto", "--credential", &credential, "--max-children", "1"];
    let served = setup.flags(flags).child(["--banner", "hello there"]).start().await;
    served.stderr.wait(SPOKEN).await;
    assert_eq!(served.homes(), Vec::<String>::new());
    let printed = |line: &String| line.contains("hello there") && !line.contains("--banner");
    assert!(!served.stderr.lines().iter().any(printed));
    let alice = served.caller(&provider.token("alice")).whoami().await;
    assert_eq!(who(&alice, "TOKEN"), "one");
    assert_eq!(served.homes().len(), 1);
}

/// An operator who says how the server speaks has no such child.
#[tokio::test]
async fn what_is_known_is_not_asked() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).child(["--needs", "TOKEN"]);
    let served = setup.flags(["-vv", "--child-era", "legacy"]).start().await;
    let lines = served.stop().await;
    assert!(!lines.contains(SPOKEN) && !lines.contains(UNSPOKEN), "{lines}");
}

/// A server that starts for users alone is asked by their children; one of them that hangs holds up nobody else.
#[tokio::test]
async fn a_first_start_that_hangs_holds_up_nobody_else() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).child(["--needs", "TOKEN"]);
    let credential = credential(&setup.dir, [("alice", "hang"), ("bob", "two")]);
    let flags =
        ["-vv", "--child-era", "auto", "--credential", &credential, "--start-timeout", "1h"];
    let served = setup.flags(flags).start().await;
    served.stderr.wait(UNSPOKEN).await;
    let alice = served.caller(&provider.token("alice"));
    let _waits = alice.calling("echo", json!({})).send_only(served.at).await;
    eventually("her home", || served.homes().len() == 1).await;
    let bob = served.caller(&provider.token("bob"));
    assert_eq!(who(&bob.whoami().await, "TOKEN"), "two");
}
