//! Keys that come, change and go, and providers that are no help: what it costs them and what callers get.

use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use super::identity_provider::{Answer, START, claims, claims_with};
use super::*;

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_one_fetch_per_cool_down() {
    let (provider, pair, verifier, hand) = one().await;
    check(&verifier, &pair.token(&claims(&provider.url))).await.unwrap();
    assert_eq!(provider.hits("/keys"), 1);
    let flood = |round: usize| {
        let (claims, verifier, pair) = (claims(&provider.url).to_string(), &verifier, &pair);
        async move {
            for n in 0..20 {
                let header =
                    json!({"alg": "RS256", "kid": format!("{round}-{n}"), "typ": "at+jwt"});
                let token = pair.token_of(&header.to_string(), &claims);
                assert_eq!(reason(verifier, &token).await, Reason::UnknownKey);
            }
        }
    };
    flood(1).await;
    assert_eq!(provider.hits("/keys"), 1, "the first fetch was a moment ago");
    hand.forward(31);
    flood(2).await;
    assert_eq!(provider.hits("/keys"), 2);
    hand.forward(31);
    flood(3).await;
    assert_eq!(provider.hits("/keys"), 3);
}

#[tokio::test]
async fn many_callers_share_one_fetch_and_outlive_the_one_that_caused_it() {
    let (provider, pair, verifier, _) = one().await;
    let told = Arc::new(Notify::new());
    let keys = json!({ "keys": [pair.jwk()] });
    provider.answer("/keys", Answer::Held(told.clone(), keys));
    let callers: Vec<_> = (0..8)
        .map(|n| {
            let token = pair.token(&claims_with(&provider.url, json!({"jti": n.to_string()})));
            let verifier = verifier.clone();
            tokio::spawn(async move { check(&verifier, &token).await })
        })
        .collect();
    provider.asked("/keys", 1).await;
    callers[0].abort();
    told.notify_one();
    for caller in callers.into_iter().skip(1) {
        assert!(caller.await.unwrap().is_ok());
    }
    assert_eq!(provider.hits("/keys"), 1);
}

#[tokio::test]
async fn rotated_keys_are_found_and_removed_ones_stop_at_once() {
    let (provider, old, verifier, hand) = one().await;
    let old_token = old.token(&claims(&provider.url));
    check(&verifier, &old_token).await.unwrap();
    let new = Pair::rsa("k2", 1);
    provider.keys(&[&new]);
    hand.forward(31);
    assert!(check(&verifier, &old_token).await.is_ok(), "remembered");
    assert!(check(&verifier, &new.token(&claims(&provider.url))).await.is_ok());
    assert_eq!(reason(&verifier, &old_token).await, Reason::UnknownKey);
}

/// A provider that is down for a second while its keys change must not log anybody out for half a minute.
#[tokio::test]
async fn a_key_that_cannot_be_looked_up_is_unavailable_and_soon_looked_up_again() {
    let (provider, old, verifier, hand) = one().await;
    check(&verifier, &old.token(&claims(&provider.url))).await.unwrap();
    let new = Pair::rsa("k2", 1);
    let token = new.token(&claims(&provider.url));
    let unknown = Err(Denied::Unavailable { reason: Reason::KeyNotLookedUp });
    hand.forward(31);
    provider.answer("/keys", Answer::Json(503, json!({})));
    let asked = check(&verifier, &token).await.map(drop);
    assert_eq!((asked, provider.hits("/keys")), (unknown.clone(), 2));
    let asked = check(&verifier, &token).await.map(drop);
    assert_eq!((asked, provider.hits("/keys")), (unknown.clone(), 2), "not at once");
    hand.forward(1);
    let asked = check(&verifier, &token).await.map(drop);
    assert_eq!((asked, provider.hits("/keys")), (unknown.clone(), 3));
    hand.forward(1);
    let asked = check(&verifier, &token).await.map(drop);
    assert_eq!((asked, provider.hits("/keys")), (unknown, 3), "later each time");
    hand.forward(1);
    provider.keys(&[&new]);
    assert!(check(&verifier, &token).await.is_ok());
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_a_single_key() {
    let (provider, pair, verifier, hand) = one().await;
    let header = r#"{"alg":"RS256","typ":"at+jwt"}"#;
    let token = |n: u8| {
        let claims = claims_with(&provider.url, json!({"jti": n.to_string()}));
        pair.token_of(header, &claims.to_string())
    };
    assert!(check(&verifier, &token(1)).await.is_ok());
    provider.keys(&[&pair, &Pair::rsa("k2", 1)]);
    hand.forward(601);
    verifier.tick();
    provider.asked("/keys", 2).await;
    let claims = claims_with(&provider.url, json!({"exp": START + 9000}));
    let late = pair.token_of(header, &claims.to_string());
    while verifier.status()[0].keys < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reason(&verifier, &late).await, Reason::UnknownKey);
}

#[tokio::test]
async fn old_keys_are_used_while_the_provider_is_down_up_to_a_limit() {
    let (provider, pair, verifier, hand) = one().await;
    let claims = |n: u8| claims_with(&provider.url, json!({"exp": START + 200_000, "jti": [n]}));
    check(&verifier, &pair.token(&claims(1))).await.unwrap();
    provider.fail();
    hand.forward(1800);
    verifier.tick();
    provider.asked("/keys", 2).await;
    assert!(check(&verifier, &pair.token(&claims(2))).await.is_ok());
    hand.forward(24 * 3600);
    assert_eq!(check(&verifier, &pair.token(&claims(3))).await.unwrap_err(), NO_KEYS);
    let remembered = check(&verifier, &pair.token(&claims(1))).await;
    assert_eq!(remembered.unwrap_err(), NO_KEYS);
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_expires() {
    let (provider, pair, verifier, hand) = one().await;
    let token = pair.token(&claims(&provider.url));
    let caller = check(&verifier, &token).await.unwrap();
    let again = check(&verifier, &token).await.unwrap();
    assert!(Arc::ptr_eq(&caller, &again), "verified once");
    hand.forward(661);
    assert_eq!(reason(&verifier, &token).await, Reason::Expired);
    assert!(!caller.is_living());
    assert_eq!(caller.ended().await, End::Expired);
}

#[tokio::test]
async fn a_provider_that_is_no_help_is_unavailable_and_never_open() {
    let pair = Pair::rsa("k1", 0);
    let place = "/.well-known/oauth-authorization-server";
    let elsewhere = Provider::with_keys("", &[&pair]).await;
    let metadata =
        |issuer: &str| json!({"issuer": issuer, "jwks_uri": format!("{}/keys", elsewhere.url)});
    for (case, change) in [
        ("down", None),
        ("lying", Some((place, Answer::Json(200, metadata("https://evil.example"))))),
        ("redirecting", Some((place, Answer::Redirect(format!("{}{place}", elsewhere.url))))),
        ("flooding", Some((place, Answer::Flood(10 * 1024 * 1024)))),
        ("flooding with keys", Some(("/keys", Answer::Flood(10 * 1024 * 1024)))),
        (
            "redirecting to keys",
            Some(("/keys", Answer::Redirect(format!("{}/keys", elsewhere.url)))),
        ),
        ("silent", Some((place, Answer::Silence))),
        ("without keys", Some(("/keys", Answer::Json(200, json!({"keys": []}))))),
        ("without sense", Some(("/keys", Answer::Json(200, json!([]))))),
    ] {
        let provider = match case {
            "down" => Provider::empty("").await,
            _ => Provider::with_keys("", &[&pair]).await,
        };
        if let Some((path, answer)) = change {
            provider.answer(path, answer);
        }
        let mut settings = settings(&[&provider]);
        settings.limits.fetch_deadline = Duration::from_millis(200);
        let verifier = verifier(settings, &Hand::default());
        let token = pair.token(&claims(&provider.url));
        assert_eq!(check(&verifier, &token).await.unwrap_err(), NO_KEYS, "{case}");
        assert_eq!(verifier.status()[0].failures, 1, "{case}");
    }
    assert_eq!(elsewhere.hits("/keys"), 0, "no redirect is followed");
}

#[tokio::test]
async fn a_provider_that_comes_back_is_found_again() {
    let pair = Pair::rsa("k1", 0);
    let provider = Provider::with_keys("", &[&pair]).await;
    let good = provider.url.clone();
    let hand = Hand::default();
    let verifier = verifier(settings(&[&provider]), &hand);
    provider.answer("/keys", Answer::Json(503, json!({})));
    let token = pair.token(&claims(&good));
    assert_eq!(check(&verifier, &token).await.unwrap_err(), NO_KEYS);
    provider.keys(&[&pair]);
    assert_eq!(check(&verifier, &token).await.unwrap_err(), NO_KEYS, "a moment ago");
    hand.forward(6);
    assert!(check(&verifier, &token).await.is_ok());
}

/// No length is announced and no deadline comes: only the client's bound ends it.
#[tokio::test]
async fn an_answer_without_end_is_given_up_at_the_bound() {
    let pair = Pair::rsa("k1", 0);
    for place in ["/.well-known/oauth-authorization-server", "/keys"] {
        let provider = Provider::with_keys("", &[&pair]).await;
        provider.answer(place, Answer::Endless);
        let never = Duration::from_secs(3600);
        let mut settings = settings(&[&provider]);
        settings.limits.fetch_deadline = never;
        let http = outbound::Client::with_limits(outbound::Authorities::system(), never, 64 * 1024);
        let verifier =
            Verifier::build(settings, &http.unwrap(), Clock::system(), &Shutdown::new()).unwrap();
        let token = pair.token(&claims(&provider.url));
        let asked = tokio::time::timeout(Duration::from_secs(10), check(&verifier, &token)).await;
        assert_eq!(asked.expect("the bound ends it").unwrap_err(), NO_KEYS, "{place}");
    }
}
