//! An identity provider that is down, slow, or lies: 503 in time, never 401 and never an open door
//! (3.7, 3.8, 4.2, invariants 4 and 6 of the crate's documentation).

use std::time::{Duration, Instant};

use crate::support::*;

/// Longer than mcpwrap's own deadline for a fetch, shorter than any client's patience.
const IN_TIME: Duration = Duration::from_secs(14);

/// A good token is answered by 503, in time, without a challenge, and nobody is started.
pub(crate) async fn unavailable(what: &str, served: &Served, provider: &Provider) {
    let began = Instant::now();
    let reply = served.caller(&provider.token("alice")).begin(json!(1), "whoami", json!({})).await;
    assert_eq!(reply.status, 503, "{what}");
    assert!(began.elapsed() < IN_TIME, "{what}: {:?}", began.elapsed());
    assert_eq!(reply.header("www-authenticate"), None, "{what}: a new log-in would not help");
    assert!(reply.header("retry-after").is_some(), "{what}");
    let answer = reply.json().await;
    let said = error(&answer).1.to_owned();
    assert_eq!(said, "The identity provider cannot be reached; try again in a moment.", "{what}");
    // What does not even look like a token needs no provider to be refused.
    let reply = served.caller("nonsense").begin(json!(1), "whoami", json!({})).await;
    assert_eq!(reply.status, 401, "{what}");
    assert_eq!(served.homes(), Vec::<String>::new(), "{what}");
}

pub(crate) async fn with_metadata(answer: impl FnOnce(&Provider) -> Answer) -> (Provider, Served) {
    let provider = Provider::start().await;
    provider.server.answer(Provider::METADATA, answer(&provider));
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    (provider, served)
}

pub(crate) async fn with_keys(answer: impl FnOnce(&Provider) -> Answer) -> (Provider, Served) {
    let provider = Provider::start().await;
    provider.server.answer(Provider::KEYS, answer(&provider));
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    (provider, served)
}

#[tokio::test]
async fn a_provider_that_is_not_there() {
    let provider = Provider::start().await;
    provider.server.everywhere(Answer::Status(500));
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    unavailable("500", &served, &provider).await;
    // Nothing listens at all.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let issuer = format!("http://{gone}");
    let served = Mcpwrap::serve().flags(["--oidc", &issuer]).start().await;
    let token = provider.token_with(json!({ "iss": issuer }));
    let reply = served.caller(&token).begin(json!(1), "whoami", json!({})).await;
    assert_eq!(reply.status, 503);
}

#[tokio::test]
async fn a_provider_that_answers_ten_megabytes() {
    let (provider, served) = with_keys(|_| Answer::Flood(10 << 20)).await;
    unavailable("10 MB of keys", &served, &provider).await;
    let (provider, served) = with_metadata(|_| Answer::Flood(10 << 20)).await;
    unavailable("10 MB of metadata", &served, &provider).await;
}

/// 3.7: neither metadata nor keys are taken from where a redirect leads.
#[tokio::test]
async fn a_provider_that_redirects() {
    let lure = Provider::start().await;
    for status in [301, 302, 307, 308] {
        let to = |path: &str| Answer::Redirect(status, format!("{}{path}", lure.issuer()));
        let (provider, served) = with_keys(|_| to(Provider::KEYS)).await;
        unavailable("redirected keys", &served, &provider).await;
    }
    let to = Answer::Redirect(302, format!("{}{}", lure.issuer(), Provider::METADATA));
    let (provider, served) = with_metadata(|_| to).await;
    unavailable("redirected metadata", &served, &provider).await;
    assert_eq!(lure.server.asked().len(), 0);
}

/// What a provider makes of its own metadata, and of those of another.
type Lie = fn(&Provider, &Provider) -> Answer;

/// 4.2: metadata that name another issuer are another issuer's.
#[tokio::test]
async fn a_provider_that_lies() {
    let lure = Provider::start().await;
    let lies: [(&str, Lie); 8] = [
        ("another issuer", |_, lure| Answer::Json(lure.metadata())),
        ("a slash", |own, _| {
            Answer::Json(with(own.metadata(), json!({ "issuer": format!("{}/", own.issuer()) })))
        }),
        ("no issuer", |own, _| Answer::Json(with(own.metadata(), json!({ "issuer": null })))),
        ("no keys", |own, _| Answer::Json(with(own.metadata(), json!({ "jwks_uri": null })))),
        ("keys in a file", |own, _| {
            Answer::Json(with(own.metadata(), json!({ "jwks_uri": "file:///etc/passwd" })))
        }),
        ("keys on a plain host", |own, _| {
            Answer::Json(with(own.metadata(), json!({ "jwks_uri": "http://keys.test/keys" })))
        }),
        ("a page", |_, _| Answer::Html),
        ("a list", |_, _| Answer::Json(json!([]))),
    ];
    for (what, lie) in lies {
        let (provider, served) = with_metadata(|own| lie(own, &lure)).await;
        unavailable(what, &served, &provider).await;
    }
    assert_eq!(lure.server.asked().len(), 0);
    for (what, keys) in [
        ("a page for keys", Answer::Html),
        ("no set", Answer::Json(json!({}))),
        ("an empty set", Answer::Json(json!({ "keys": [] }))),
        ("no usable key", Answer::Json(json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }))),
        ("404", Answer::Status(404)),
        ("403", Answer::Status(403)),
    ] {
        let (provider, served) = with_keys(|_| keys).await;
        unavailable(what, &served, &provider).await;
    }
}

/// 3.2: who has been verified before goes on while the provider is down, with the keys that are known.
#[tokio::test]
async fn a_provider_that_goes_down_later_takes_nobody_with_it() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let alice = served.caller(&provider.token("alice"));
    assert_eq!(alice.status().await, 200);
    for answer in [Answer::Status(500), Answer::Html, Answer::Silence] {
        provider.server.everywhere(answer);
        assert_eq!(alice.status().await, 200);
        let other = served.caller(&provider.token_with(json!({ "sub": "bob", "jti": now() })));
        assert_eq!(other.status().await, 200);
        // A key that nobody knows is not believed because nobody can be asked.
        let stranger = Key::ec("unknown").token(&provider.claims("alice"));
        assert_eq!(served.caller(&stranger).status().await, 401);
    }
}
