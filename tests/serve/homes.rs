//! A home is one authority's, and no more of the disk than it may use.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::*;

/// Before the fixture starts, this is run in its place, with its walls and its environment.
fn first(mcpwrap: Mcpwrap, script: &str) -> Mcpwrap {
    let script = format!("{script}\nexec \"$@\"");
    let program = child_program();
    mcpwrap.command(["/bin/sh", "-c", &script, "sh", program.to_str().unwrap()])
}

async fn whoami(served: &Served, provider: &Provider, claims: Value) -> Value {
    served.caller(&provider.token_with(claims)).whoami().await
}

/// The one home of these users' that holds a file.
fn home_with(users: &[String], file: &str) -> PathBuf {
    let inside = |dir: PathBuf| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut homes = users.iter().flat_map(|user| inside(Path::new(user).join("authorities")));
    homes.find(|home| home.join(file).exists()).unwrap()
}

/// What a client that may only read makes its child leave there is not found by the one that may do more.
#[tokio::test]
async fn an_authority_finds_nothing_of_another() {
    let provider = Provider::start().await;
    let plant =
        "test -e $HOME/.planted && touch $HOME/.found; touch $HOME/.planted $TMPDIR/.planted";
    let setup =
        || first(Mcpwrap::serve().oidc(&provider).flags(["--env", "ROLE={claim:role}"]), plant);
    let both = async |served: &Served| {
        let reads = whoami(served, &provider, json!({ "role": "reads" })).await;
        (reads, whoami(served, &provider, json!({ "role": "admin" })).await)
    };
    let served = setup().start().await;
    let (reads, admin) = both(&served).await;
    for variable in ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        assert_ne!(who(&reads, variable), who(&admin, variable));
    }
    assert!(Path::new(who(&admin, "HOME")).join(".planted").exists());
    assert!(!Path::new(who(&admin, "HOME")).join(".found").exists());
    assert!(!served.stderr.lines().join("\n").contains("--home-scope"));

    let served = setup().flags(["--home-scope", "user"]).start().await;
    let (reads, admin) = both(&served).await;
    assert_ne!(pid(&reads), pid(&admin));
    assert_eq!(who(&reads, "HOME"), who(&admin, "HOME"));
    assert!(Path::new(who(&admin, "HOME")).join(".found").exists(), "the attack works");
    assert!(served.stderr.lines().join("\n").contains("--home-scope"), "and is said at start-up");
}

/// The place is known, the user is the same, and still it is another authority's.
#[tokio::test]
async fn the_credential_files_of_a_users_other_authority_are_closed() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider);
    fs::create_dir(setup.dir.join("alice")).unwrap();
    for role in ["reads", "admin"] {
        write_private(&setup.dir.join("alice").join(role), &format!("the-token-that-{role}"));
    }
    let source = format!("T=file:{}/{{sub}}/{{claim:role}}", setup.dir.display());
    let flags = ["--credential-file", &source, "--env", "LOOT={claim:loot}"];
    let steal =
        "cat $T > $HOME/own; cat $(dirname $(dirname $T))/$LOOT/T > $HOME/loot 2> $HOME/why";
    let served = first(setup.flags(flags), steal).start().await;
    let admin = whoami(&served, &provider, json!({ "role": "admin", "loot": "none" })).await;
    let place = Path::new(who(&admin, "T"));
    let authority = place.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let claims = json!({ "role": "reads", "loot": authority });
    let reads = whoami(&served, &provider, claims).await;
    let home = Path::new(who(&reads, "HOME"));
    let read = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(fs::read_to_string(place).unwrap(), "the-token-that-admin", "it is there");
    assert_eq!(read("own"), "the-token-that-reads");
    assert_eq!(read("loot"), "");
    assert!(read("why").contains("Permission denied"), "{}", read("why"));
}

#[tokio::test]
async fn a_home_that_holds_too_much_stops_its_own_child_alone() {
    let provider = Provider::start().await;
    let fill = "i=0; while test $i -lt 20; do head -c 100000 /dev/zero > $HOME/$i; i=$((i+1)); done; touch $TMPDIR/kept";
    let only_alice = format!(
        "if test $WHO = alice && ! test -e $XDG_STATE_HOME/once; then touch $XDG_STATE_HOME/once; {fill}; fi"
    );
    let flags = ["--home-size", "1MiB", "--env", "WHO={sub}"];
    let served = first(Mcpwrap::serve().oidc(&provider).flags(flags), &only_alice).start().await;
    let bob = served.caller(&provider.token("bob"));
    let before = bob.whoami().await;
    let alice = served.caller(&provider.token("alice"));
    let refused = soon("the user is told", async {
        loop {
            let answer = alice.call("whoami", json!({})).await;
            if !answer["result"].is_object() && error(&answer).1.contains("ask your operator") {
                return error(&answer).1.to_owned();
            }
        }
    });
    let said = refused.await;
    assert!(said.contains("more than the 1.0 MiB of --home-size"), "{said}");
    assert!(served.stderr.lines().join("\n").contains("a child is stopped: the user's home holds"));
    assert_eq!(pid(&bob.whoami().await), pid(&before), "nobody else is stopped");
    // Whoever makes room lets him in again; what nobody may rely on has made room by itself.
    let home = home_with(&served.homes(), "home/19");
    eventually("the end of what is temporary", || !home.join("tmp/kept").exists()).await;
    for name in 0..20 {
        fs::remove_file(home.join(format!("home/{name}"))).unwrap();
    }
    let again = soon("it starts again", async {
        while !alice.call("whoami", json!({})).await["result"].is_object() {}
    });
    again.await;
}

/// Whoever was within it at first is watched as long as he is there.
#[tokio::test]
async fn a_home_that_fills_up_later_stops_its_child_too() {
    let provider = Provider::start().await;
    let fill = "(until test -e $HOME/go; do sleep 0.01; done; for i in 1 2 3 4; do head -c 500000 /dev/zero > $HOME/$i; done) > /dev/null 2>&1 < /dev/null &";
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--home-size", "1MiB"]);
    let served = first(setup, fill).start().await;
    let alice = served.caller(&provider.token("alice"));
    let answer = alice.whoami().await;
    fs::write(Path::new(who(&answer, "HOME")).join("go"), "").unwrap();
    let refused = soon("the user is told", async {
        loop {
            let answer = alice.call("whoami", json!({})).await;
            // Who comes while it ends is told that and no more.
            if !answer["result"].is_object() && error(&answer).1.contains("ask your operator") {
                return error(&answer).1.to_owned();
            }
        }
    });
    let said = refused.await;
    assert!(said.contains("more than the 1.0 MiB of --home-size"), "{said}");
    eventually("its end", || !is_alive(pid(&answer))).await;
}

/// A file that is open and has lost its name is in no directory, and on the disk.
#[tokio::test]
async fn files_without_a_name_count_too() {
    let provider = Provider::start().await;
    let hold = "(until test -e $HOME/go; do sleep 0.01; done; exec 7> $HOME/a 8> $HOME/b; rm $HOME/a $HOME/b; head -c 700000 /dev/zero >&7; head -c 700000 /dev/zero >&8; exec sleep 1000) > /dev/null 2>&1 < /dev/null &";
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--home-size", "1MiB"]);
    let served = first(setup, hold).start().await;
    let alice = served.caller(&provider.token("alice"));
    let answer = alice.whoami().await;
    fs::write(Path::new(who(&answer, "HOME")).join("go"), "").unwrap();
    eventually("its end", || !is_alive(pid(&answer))).await;
    let said = || served.stderr.lines().join("\n");
    eventually("the reason", || said().contains("a child is stopped: the user's home holds")).await;
}

/// One call may take a whole disk; the system knows a limit for a single file.
#[tokio::test]
async fn no_file_is_larger_than_a_home() {
    let provider = Provider::start().await;
    let grow = "(ulimit -f; trap '' XFSZ; head -c 3000000 /dev/zero > $HOME/large) > $HOME/said 2>&1; stat -c %s $HOME/large >> $HOME/said; rm $HOME/large";
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--home-size", "1MiB"]);
    let served = first(setup, grow).start().await;
    let answer = served.caller(&provider.token("alice")).whoami().await;
    let said = fs::read_to_string(Path::new(who(&answer, "HOME")).join("said")).unwrap();
    assert!(said.ends_with("1048576\n"), "{said}");
}

/// Space beyond a file's end is no part of its size, and still of the disk.
#[tokio::test]
async fn no_file_takes_space_beyond_its_end() {
    let provider = Provider::start().await;
    let take = "(touch $HOME/beyond; fallocate --length 500000 $HOME/within; fallocate --keep-size --length 3000000 $HOME/beyond) > $HOME/said 2>&1; stat -c %b $HOME/within $HOME/beyond >> $HOME/said; rm $HOME/beyond";
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--home-size", "1MiB"]);
    let served = first(setup, take).start().await;
    let answer = served.caller(&provider.token("alice")).whoami().await;
    let said = fs::read_to_string(Path::new(who(&answer, "HOME")).join("said")).unwrap();
    assert!(said.ends_with("\n0\n"), "{said}");
    assert!(!said.ends_with("\n0\n0\n"), "what is within the limit may be taken: {said}");
}
