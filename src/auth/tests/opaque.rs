//! Tokens that only their issuer can read: introspection, Google, GitHub.

use std::time::Duration;

use serde_json::{Value, json};

use super::identity_provider::{Answer, START, claims, claims_with};
use super::*;

pub(super) fn introspecting(provider: &Provider, when: AskWhen) -> Settings {
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

pub(super) fn active(provider: &Provider, changes: Value) -> Answer {
    let mut answer = claims_with(&provider.url, changes);
    answer["active"] = true.into();
    Answer::Json(200, answer)
}

pub(super) fn inactive() -> Answer {
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
    provider.answer("/introspect", Answer::Json(500, json!({})));
    let other = pair.token(&claims_with(&provider.url, json!({"jti": "2"})));
    assert_eq!(check(&verifier, &other).await.unwrap_err(), NO_ANSWER);
}

#[tokio::test]
async fn a_long_answer_about_a_token_is_no_answer() {
    let (provider, _, _, hand) = one().await;
    let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
    let long = json!({"groups": ["x".repeat(65 * 1024)]});
    provider.answer("/introspect", active(&provider, long));
    assert_eq!(check(&verifier, "opaque").await.unwrap_err(), NO_ANSWER);
}

#[tokio::test]
async fn without_a_cache_every_call_is_asked_about() {
    let (provider, _, _, hand) = one().await;
    let mut settings = introspecting(&provider, AskWhen::Opaque);
    settings.limits.introspection_cache = Duration::ZERO;
    let verifier = verifier(settings, &hand);
    provider.answer("/introspect", active(&provider, json!({})));
    for times in 1..=3 {
        check(&verifier, "opaque").await.unwrap();
        assert_eq!(provider.hits("/introspect"), times);
    }
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
