//! Many users at once: each of them gets in.

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
