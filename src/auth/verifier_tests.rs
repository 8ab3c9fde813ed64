//! Whole tokens against a provider on loopback: what passes, what does not, and what it costs the provider.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Notify;

use super::testing::{AUDIENCE, Answer, Hand, Pair, Provider, START, bearer, claims, claims_with};
use super::*;
use crate::outbound;
use crate::shutdown::Shutdown;

fn settings(providers: &[&Provider]) -> Settings {
    let issuer = |(index, provider): (usize, &&Provider)| {
        Issuer::parse(&format!("idp{index}={}", provider.url), Preset::Generic).unwrap()
    };
    Settings {
        issuers: providers.iter().enumerate().map(issuer).collect(),
        audiences: vec![AUDIENCE.into()],
        ..Settings::default()
    }
}

fn verifier(settings: Settings, hand: &Hand) -> Arc<Verifier> {
    let http = outbound::Client::new().unwrap();
    Verifier::build(settings, &http, hand.clock(), &Shutdown::new()).unwrap()
}

/// One provider with one RSA key, and a verifier that trusts it.
async fn one() -> (Provider, Pair, Arc<Verifier>, Hand) {
    let pair = Pair::rsa("k1", 0);
    let provider = Provider::with_keys("/realms/a", &[&pair]).await;
    let hand = Hand::default();
    let verifier = verifier(settings(&[&provider]), &hand);
    (provider, pair, verifier, hand)
}

async fn check(verifier: &Verifier, token: &str) -> Result<Arc<Principal>, Denied> {
    verifier.authenticate(&bearer(token), None).await
}

async fn reason(verifier: &Verifier, token: &str) -> Reason {
    match check(verifier, token).await {
        Err(Denied::Invalid { reason }) => reason,
        other => panic!("expected an invalid token, got {other:?}"),
    }
}

const NO_KEYS: Denied = Denied::Unavailable { reason: Reason::NoKeys };
const NO_ANSWER: Denied = Denied::Unavailable { reason: Reason::NoAnswer };

#[tokio::test]
async fn a_good_token_names_its_user_and_is_not_kept_in_the_open() {
    let (provider, pair, verifier, _) = one().await;
    let token = pair.token(&claims(&provider.url));
    let caller = check(&verifier, &token).await.unwrap();
    assert_eq!(caller.user().issuer(), provider.url);
    assert_eq!(caller.user().subject(), "alice");
    assert_eq!(caller.issuer_name(), "idp0");
    assert_eq!(caller.client(), Some("cli"));
    assert!(caller.scopes().contains("mcp:use"));
    assert!(caller.is_living() && caller.token_fingerprint().is_some());
    for part in token.split('.').chain([token.as_str(), "alice"]) {
        assert!(!format!("{caller:?}").contains(part));
    }
}

#[tokio::test]
async fn every_kind_of_key_checks_its_own_algorithm() {
    let pairs = [Pair::rsa("r", 0), Pair::ec("e"), Pair::ed("d")];
    let provider = Provider::with_keys("", &pairs.each_ref()).await;
    let verifier = verifier(settings(&[&provider]), &Hand::default());
    let claims = claims(&provider.url);
    for pair in &pairs {
        assert!(check(&verifier, &pair.token(&claims)).await.is_ok(), "{}", pair.id);
    }
    let pss = pairs[0].token_of(r#"{"alg":"PS256","kid":"r","typ":"at+jwt"}"#, &claims.to_string());
    assert!(check(&verifier, &pss).await.is_ok());
    // The right key under the wrong algorithm, and one that is not on the list.
    for (pair, algorithm) in [(0, "ES256"), (1, "RS256"), (2, "RS256"), (0, "RS512")] {
        let header = json!({"alg": algorithm, "kid": pairs[pair].id, "typ": "at+jwt"}).to_string();
        let token = pairs[pair].token_of(&header, &claims.to_string());
        assert_eq!(reason(&verifier, &token).await, Reason::Algorithm, "{algorithm}");
    }
}

#[tokio::test]
async fn no_algorithm_and_the_public_key_as_a_secret_are_refused() {
    let (provider, pair, verifier, _) = one().await;
    let claims = claims(&provider.url).to_string();
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for algorithm in ["none", "NONE", "HS256", "HS512"] {
        let header = json!({"alg": algorithm, "kid": "k1", "typ": "at+jwt"}).to_string();
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let key = pair.jwk().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        for token in [format!("{message}.{signature}"), format!("{message}.")] {
            assert_eq!(reason(&verifier, &token).await, Reason::Algorithm);
        }
    }
}

#[tokio::test]
async fn a_changed_token_does_not_pass() {
    let (provider, pair, verifier, _) = one().await;
    let good = pair.token(&claims(&provider.url));
    let other = pair.token(&claims_with(&provider.url, json!({"sub": "bob"})));
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (good, other) = (parts(&good), parts(&other));
    let mixed = format!("{}.{}.{}", good[0], other[1], good[2]);
    assert_eq!(reason(&verifier, &mixed).await, Reason::Signature);
    let unsigned = format!("{}.{}.", good[0], good[1]);
    assert_eq!(reason(&verifier, &unsigned).await, Reason::Signature);
}

#[tokio::test]
async fn the_key_of_one_issuer_does_not_sign_for_another() {
    let (key_a, key_b) = (Pair::rsa("same", 0), Pair::rsa("same", 1));
    let a = Provider::with_keys("", &[&key_a]).await;
    let b = Provider::with_keys("", &[&key_b]).await;
    let verifier = verifier(settings(&[&a, &b]), &Hand::default());
    let forged = key_b.token(&claims(&a.url));
    assert_eq!(reason(&verifier, &forged).await, Reason::Signature);
    assert_eq!(b.hits("/keys"), 0, "only the named issuer is asked");
}

#[tokio::test]
async fn the_same_subject_at_two_issuers_is_two_users() {
    let (key_a, key_b) = (Pair::rsa("a", 0), Pair::rsa("b", 1));
    let a = Provider::with_keys("", &[&key_a]).await;
    let b = Provider::with_keys("", &[&key_b]).await;
    let verifier = verifier(settings(&[&a, &b]), &Hand::default());
    let mut users = BTreeSet::new();
    for (provider, key) in [(&a, &key_a), (&b, &key_b)] {
        let caller = check(&verifier, &key.token(&claims(&provider.url))).await.unwrap();
        assert_eq!(caller.user().subject(), "alice");
        users.insert(caller.user().digest());
    }
    assert_eq!(users.len(), 2);
}

#[tokio::test]
async fn claims_that_do_not_hold_are_refused() {
    let (provider, pair, verifier, _) = one().await;
    let slash = format!("{}/", provider.url);
    for (changes, expected) in [
        (json!({"iss": slash}), Reason::Issuer),
        (json!({"iss": "https://evil.example"}), Reason::Issuer),
        (json!({"iss": [provider.url]}), Reason::Issuer),
        (json!({"iss": null}), Reason::Issuer),
        (json!({"aud": "https://other.example"}), Reason::Audience),
        (json!({"aud": ""}), Reason::Audience),
        (json!({"aud": []}), Reason::Audience),
        (json!({"aud": null}), Reason::Audience),
        (json!({"exp": START - 61}), Reason::Expired),
        (json!({"exp": null}), Reason::Time),
        (json!({"nbf": START + 61}), Reason::TooEarly),
        (json!({"iat": START + 61}), Reason::TooEarly),
        (json!({"sub": null}), Reason::Subject),
        (json!({"sub": ""}), Reason::Subject),
        (json!({"sub": "a".repeat(300)}), Reason::Subject),
        (json!({"sub": "a\r\nb"}), Reason::Subject),
        (json!({"cnf": {"jkt": "x"}}), Reason::Bound),
    ] {
        let token = pair.token(&claims_with(&provider.url, changes.clone()));
        assert_eq!(reason(&verifier, &token).await, expected, "{changes}");
    }
    for changes in [
        json!({"exp": START - 59}),
        json!({"aud": ["https://other.example", AUDIENCE]}),
        json!({"iat": null}),
        json!({"sub": "../bob"}),
        json!({"sub": "a/b#c"}),
    ] {
        let token = pair.token(&claims_with(&provider.url, changes.clone()));
        assert!(check(&verifier, &token).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn an_issuer_with_a_slash_is_not_one_without() {
    let pair = Pair::rsa("k1", 0);
    let provider = Provider::with_keys("/", &[&pair]).await;
    let verifier = verifier(settings(&[&provider]), &Hand::default());
    assert!(check(&verifier, &pair.token(&claims(&provider.url))).await.is_ok());
    let bare = provider.url.trim_end_matches('/');
    assert_eq!(reason(&verifier, &pair.token(&claims(bare))).await, Reason::Issuer);
}

#[tokio::test]
async fn tokens_of_other_kinds_are_refused() {
    let (provider, pair, verifier, _) = one().await;
    let url = provider.url.as_str();
    let with = |typ: &str, changes: Value| {
        let header = json!({"alg": "RS256", "kid": "k1", "typ": typ}).to_string();
        pair.token_of(&header, &claims_with(url, changes).to_string())
    };
    for (token, expected) in [
        (with("JWT", json!({"scope": null, "nonce": "n"})), Reason::IdToken),
        (with("JWT", json!({"at_hash": "h"})), Reason::IdToken),
        (with("JWT", json!({"typ": "ID"})), Reason::IdToken),
        (with("JWT", json!({"token_use": "id"})), Reason::IdToken),
        (with("oauth-id-jag+jwt", json!({})), Reason::Type),
        (with("logout+jwt", json!({})), Reason::Type),
    ] {
        assert_eq!(reason(&verifier, &token).await, expected);
    }
    assert!(check(&verifier, &with("JWT", json!({}))).await.is_ok());
    let encrypted = format!("{}.a.b", pair.token(&claims(url)));
    assert_eq!(reason(&verifier, &encrypted).await, Reason::Encrypted);
    let long = pair.token(&claims_with(url, json!({"x": "x".repeat(17 * 1024)})));
    assert_eq!(reason(&verifier, &long).await, Reason::TooLong);
    assert_eq!(reason(&verifier, "opaque").await, Reason::Shape);
}

#[tokio::test]
async fn members_that_stand_twice_are_refused() {
    let (provider, pair, verifier, _) = one().await;
    let text = claims(&provider.url).to_string();
    let twice = format!("{},\"sub\":\"bob\"}}", &text[..text.len() - 1]);
    let header = r#"{"alg":"RS256","kid":"k1","typ":"at+jwt"}"#;
    assert_eq!(reason(&verifier, &pair.token_of(header, &twice)).await, Reason::Duplicate);
    let header = r#"{"alg":"RS256","kid":"k1","typ":"at+jwt","kid":"k1"}"#;
    assert_eq!(reason(&verifier, &pair.token_of(header, &text)).await, Reason::Duplicate);
}

#[tokio::test]
async fn requests_that_carry_tokens_wrongly_are_malformed() {
    let (provider, pair, verifier, _) = one().await;
    let mut headers = bearer(&pair.token(&claims(&provider.url)));
    let query = Some("access_token=x");
    let reason = Reason::TokenInQuery;
    let denied = verifier.authenticate(&headers, query).await;
    assert_eq!(denied.unwrap_err(), Denied::Malformed { reason });
    headers.append(http::header::AUTHORIZATION, "Bearer x".parse().unwrap());
    let denied = verifier.authenticate(&headers, None).await;
    let reason = Reason::SeveralTokens;
    assert_eq!(denied.unwrap_err(), Denied::Malformed { reason });
    let none = verifier.authenticate(&HeaderMap::new(), None).await;
    assert_eq!(none.unwrap_err(), Denied::Missing);
    assert!(verifier.refusals().contains(&(Reason::SeveralTokens, 1)));
}

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

fn introspecting(provider: &Provider, when: AskWhen) -> Settings {
    Settings {
        introspection: Some(Introspection {
            issuer: None,
            endpoint: None,
            client_id: "us".into(),
            client_secret: "s:cret".into(),
            when,
        }),
        ..settings(&[provider])
    }
}

fn active(provider: &Provider, changes: Value) -> Answer {
    let mut answer = claims_with(&provider.url, changes);
    answer["active"] = true.into();
    Answer::Json(200, answer)
}

fn inactive() -> Answer {
    Answer::Json(200, json!({"active": false}))
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_a_minute() {
    let (provider, _, _, hand) = one().await;
    let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
    provider.answer("/introspect", active(&provider, json!({})));
    let (first, second) = tokio::join!(check(&verifier, "opaque"), check(&verifier, "opaque"));
    assert_eq!(first.unwrap().user(), second.unwrap().user());
    assert_eq!(provider.hits("/introspect"), 1);
    hand.forward(61);
    check(&verifier, "opaque").await.unwrap();
    assert_eq!(provider.hits("/introspect"), 2);
    assert!(provider.bodies().iter().any(|body| body.contains("token=opaque&token_type_hint")));
}

#[tokio::test]
async fn an_answer_that_is_not_about_us_is_refused() {
    let (provider, _, _, hand) = one().await;
    for (changes, expected) in [
        (json!({"aud": "https://other.example"}), Reason::Audience),
        (json!({"aud": null}), Reason::Audience),
        (json!({"iss": "https://evil.example"}), Reason::Issuer),
        (json!({"sub": null, "client_id": null}), Reason::Subject),
        (json!({"exp": START - 61}), Reason::Expired),
        (json!({"token_type": "refresh_token"}), Reason::Type),
        (json!({"cnf": {"x5t#S256": "x"}}), Reason::Bound),
    ] {
        let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
        provider.answer("/introspect", active(&provider, changes.clone()));
        assert_eq!(reason(&verifier, "opaque").await, expected, "{changes}");
    }
    let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
    provider.answer("/introspect", inactive());
    assert_eq!(reason(&verifier, "opaque").await, Reason::Inactive);
    assert_eq!(reason(&verifier, "opaque").await, Reason::Inactive);
    assert_eq!(provider.hits("/introspect"), 8, "a refusal is believed for a moment");
}

#[tokio::test]
async fn an_introspection_that_fails_is_unavailable() {
    let (provider, _, _, hand) = one().await;
    for answer in [
        Answer::Json(500, json!({})),
        Answer::Json(401, json!({})),
        Answer::Json(200, json!({"active": "true"})),
        Answer::Json(200, json!({})),
        Answer::Flood(10 * 1024 * 1024),
        Answer::Redirect("http://127.0.0.1:1/".into()),
        Answer::Silence,
    ] {
        let mut settings = introspecting(&provider, AskWhen::Opaque);
        settings.limits.fetch_deadline = Duration::from_millis(200);
        let verifier = verifier(settings, &hand);
        provider.answer("/introspect", answer);
        assert_eq!(check(&verifier, "opaque").await.unwrap_err(), NO_ANSWER);
    }
}

#[tokio::test]
async fn a_withdrawn_token_ends_its_streams_and_no_other_token_s() {
    let (provider, _, _, hand) = one().await;
    let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
    provider.answer("/introspect", active(&provider, json!({"exp": null})));
    let first = check(&verifier, "first").await.unwrap();
    let second = check(&verifier, "second").await.unwrap();
    assert_eq!(first.user(), second.user());
    let stream = first.clone();
    let mut ended = Box::pin(async move { stream.ended().await });
    assert!(futures_are_pending(&mut ended).await);
    provider.answer("/introspect", inactive());
    hand.forward(61);
    verifier.tick();
    assert_eq!(ended.await, End::Revoked);
    assert!(!first.is_living() && second.is_living());
    assert_eq!(reason(&verifier, "first").await, Reason::Inactive);
}

/// Polls once, so that the wait is registered.
async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
    tokio::select! {
        biased;
        _ = future => false,
        () = std::future::ready(()) => true,
    }
}

#[tokio::test]
async fn a_signed_token_may_be_asked_about_too() {
    let (provider, pair, _, hand) = one().await;
    let verifier = verifier(introspecting(&provider, AskWhen::Always), &hand);
    let token = pair.token(&claims(&provider.url));
    provider.answer("/introspect", active(&provider, json!({})));
    let caller = check(&verifier, &token).await.unwrap();
    provider.answer("/introspect", inactive());
    assert!(check(&verifier, &token).await.is_ok(), "believed for a minute");
    hand.forward(61);
    assert_eq!(reason(&verifier, &token).await, Reason::Inactive);
    assert!(!caller.is_living());
}

#[tokio::test]
async fn google_s_token_counts_for_listed_clients_and_domains() {
    let provider = Provider::empty("").await;
    let hand = Hand::default();
    let mut google = Issuer::parse("https://accounts.google.com", Preset::Google).unwrap();
    google.clients = vec![Client { id: "ours".into(), secret: None }];
    google.api_url = Some(provider.url.clone());
    let settings = Settings {
        issuers: vec![google],
        allow: Allow { domains: vec!["corp.example".into()], ..Allow::default() },
        ..Settings::default()
    };
    let told = |aud: &str| json!({"aud": aud, "azp": aud, "sub": "1", "scope": "openid", "exp": (START + 600).to_string()});
    let profile = |hd: Value| Answer::Json(200, json!({"sub": "1", "hd": hd}));
    let verifier = verifier(settings, &hand);
    provider.answer("/tokeninfo", Answer::Json(200, told("ours")));
    provider.answer("/v1/userinfo", profile(json!("corp.example")));
    let caller = check(&verifier, "ya29.a").await.unwrap();
    assert_eq!(caller.user().issuer(), "https://accounts.google.com");
    provider.answer("/v1/userinfo", profile(json!("other.example")));
    let reason_of = Reason::NotAllowed;
    assert_eq!(
        check(&verifier, "ya29.b").await.unwrap_err(),
        Denied::Forbidden { reason: reason_of }
    );
    provider.answer("/tokeninfo", Answer::Json(200, told("theirs")));
    assert_eq!(reason(&verifier, "ya29.c").await, Reason::Client);
    provider.answer("/tokeninfo", Answer::Json(400, json!({})));
    assert_eq!(reason(&verifier, "ya29.d").await, Reason::Inactive);
    provider.answer("/tokeninfo", Answer::Json(500, json!({})));
    assert_eq!(check(&verifier, "ya29.e").await.unwrap_err(), NO_ANSWER);
    assert_eq!(reason(&verifier, "opaque").await, Reason::Shape);
    assert!(provider.bodies().iter().all(|body| !body.starts_with("GET /tokeninfo?")));
}

#[tokio::test]
async fn github_s_token_is_its_numeric_user() {
    let provider = Provider::empty("").await;
    let mut github = Issuer::parse("https://github.com", Preset::GitHub).unwrap();
    github.clients = vec![Client { id: "app".into(), secret: Some("s".into()) }];
    github.api_url = Some(provider.url.clone());
    let settings = Settings {
        issuers: vec![github],
        allow: Allow { groups: vec!["corp".into()], ..Allow::default() },
        ..Settings::default()
    };
    let verifier = verifier(settings, &Hand::default());
    let answer =
        json!({"user": {"id": 7, "login": "alice"}, "scopes": ["read:org"], "expires_at": null});
    provider.answer("/applications/app/token", Answer::Json(200, answer));
    provider.answer("/user/orgs", Answer::Json(200, json!([{"login": "corp"}])));
    let caller = check(&verifier, "gho_a").await.unwrap();
    assert_eq!(caller.user().subject(), "7");
    assert_eq!(caller.client(), Some("app"));
    provider.answer("/user/orgs", Answer::Json(403, json!({})));
    assert!(matches!(check(&verifier, "gho_b").await, Err(Denied::Forbidden { .. })));
    provider.answer("/applications/app/token", Answer::Json(404, json!({})));
    assert_eq!(reason(&verifier, "gho_c").await, Reason::Inactive);
    assert_eq!(reason(&verifier, "ghp_personal").await, Reason::Shape);
}

#[tokio::test]
async fn the_local_developer_needs_no_token() {
    let local = Authenticator::Local;
    let caller = local.authenticate(&HeaderMap::new(), None).await.unwrap();
    assert_eq!(caller.issuer_name(), "local");
    assert!(caller.is_living() && caller.token_fingerprint().is_none());
}

#[tokio::test]
async fn a_verifier_that_runs_stops_with_the_process() {
    let (provider, ..) = one().await;
    let shutdown = Shutdown::new();
    let http = outbound::Client::new().unwrap();
    let verifier =
        Verifier::start(settings(&[&provider]), &http, Clock::system(), &shutdown).unwrap();
    let status = verifier.warm_up().await;
    assert_eq!((status[0].keys, status[0].failures), (1, 0));
    shutdown.finish();
    shutdown.finished().await;
    assert!(!shutdown.failed());
}

#[tokio::test]
async fn settings_with_problems_do_not_start() {
    let http = outbound::Client::new().unwrap();
    let refused = Verifier::start(Settings::default(), &http, Clock::system(), &Shutdown::new());
    assert!(!refused.unwrap_err().is_empty());
}
