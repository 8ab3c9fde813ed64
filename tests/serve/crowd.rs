//! Many users at once: each of them gets in, or is told when to come again.

use nix::sys::signal::Signal;

use crate::support::*;

const CROWD: usize = 64;

/// They all come in the same moment, and two start at a time.
#[tokio::test]
async fn a_crowd_gets_in() {
    let provider = Provider::start().await;
    let most = CROWD.to_string();
    let flags = ["--max-children", &most, "--max-starts", "2"];
    let served = Mcpwrap::serve().oidc(&provider).flags(flags).start().await;
    let callers =
        (0..CROWD).map(|number| served.caller(&provider.token(&format!("user-{number}"))));
    let callers: Vec<Modern> = callers.collect();
    let calls = callers.iter().map(Modern::pid);
    let mut pids = soon("the last of the crowd", futures_util::future::join_all(calls)).await;
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), CROWD, "everybody has a child of his own");
}

/// Where there are fewer places than users, those that are unused make room, and nobody is refused.
#[tokio::test]
async fn a_crowd_shares_few_places() {
    let provider = Provider::start().await;
    let flags = ["--max-children", "4", "--max-starts", "2"];
    let served = Mcpwrap::serve().oidc(&provider).flags(flags).start().await;
    let callers = (0..16).map(|number| served.caller(&provider.token(&format!("user-{number}"))));
    let callers: Vec<Modern> = callers.collect();
    let calls = callers.iter().map(|caller| caller.status());
    let statuses = soon("the last of the crowd", futures_util::future::join_all(calls)).await;
    assert_eq!(statuses, [200; 16]);
}

/// Whoever waits for a start when mcpwrap is told to stop is refused at once, and sent elsewhere.
#[tokio::test]
async fn a_start_that_is_abandoned_is_told_to_its_caller() {
    let provider = Provider::start().await;
    let flags = ["--start-timeout", "1h", "--grace", "1h"];
    let setup = Mcpwrap::serve().oidc(&provider).flags(flags).child(["--hello", "silent"]);
    let mut served = setup.start().await;
    let alice = served.caller(&provider.token("alice"));
    let waits = alice.begin(json!(1), "echo", json!({}));
    let stop = async {
        eventually("her start", || served.homes().len() == 1).await;
        served.signal(Signal::SIGTERM);
    };
    let (reply, ()) = futures_util::future::join(waits, stop).await;
    assert_eq!(reply.expect(503).header("retry-after"), Some("5"));
    assert_eq!(served.ended().await.code(), Some(0));
}
