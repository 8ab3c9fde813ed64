//! Whoever never answers is given up in time: mcpwrap waits ten seconds for others, all of these at the same time.

use std::time::Instant;

use super::{faults, introspection, vault};
use crate::support::*;

#[tokio::test]
async fn whoever_never_answers_is_given_up() {
    tokio::join!(
        provider_is_silent(),
        provider_trickles(),
        one_of_two_providers_is_silent(),
        introspection_is_silent(),
        vault_is_silent(),
        vault_trickles(),
    );
}

async fn provider_is_silent() {
    let (provider, served) = faults::with_metadata(|_| Answer::Silence).await;
    faults::unavailable("silence", &served, &provider).await;
}

async fn provider_trickles() {
    let (provider, served) = faults::with_keys(|_| Answer::Trickle).await;
    faults::unavailable("a trickle of keys", &served, &provider).await;
}

/// One issuer that is down is no business of the other's users.
async fn one_of_two_providers_is_silent() {
    let (good, bad) = (Provider::start().await, Provider::start().await);
    bad.server.everywhere(Answer::Silence);
    let served = Mcpwrap::serve().oidc(&good).flags(["--oidc", &format!("bad={}", bad.issuer())]);
    let served = served.start().await;
    let waiting = served.caller(&bad.token("alice"));
    let began = Instant::now();
    let waits = waiting.status();
    let goes = async {
        assert_eq!(served.caller(&good.token("alice")).status().await, 200);
        began.elapsed()
    };
    let (status, took) = futures_util::future::join(waits, goes).await;
    assert_eq!(status, 503);
    assert!(took < began.elapsed() / 2, "{took:?}");
}

async fn introspection_is_silent() {
    let provider = Provider::start().await;
    let served = introspection::asking(&provider).start().await;
    provider.server.answer(Provider::INTROSPECT, Answer::Silence);
    let (opaque, signed) = (served.caller("opaque-1"), served.caller(&provider.token("alice")));
    let (waits, goes) = tokio::join!(opaque.status(), signed.status());
    assert_eq!((waits, goes), (503, 200), "signed tokens go on");
}

async fn vault_is_silent() {
    let (provider, stalling, served) = vault::served().await;
    stalling.server.everywhere(Answer::Silence);
    vault::told("silence", &served.caller(&provider.token("alice"))).await;
}

async fn vault_trickles() {
    let (provider, stalling, served) = vault::served().await;
    stalling.server.everywhere(Answer::Trickle);
    vault::told("a trickle", &served.caller(&provider.token("alice"))).await;
}
