//! Signed tokens: what passes, and why the others do not.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::identity_provider::{START, claims, claims_with};
use super::*;

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
    let denied = verifier.authenticate(&headers, query, HERE).await;
    assert_eq!(denied.unwrap_err(), Denied::Malformed { reason });
    headers.append(http::header::AUTHORIZATION, "Bearer x".parse().unwrap());
    let denied = verifier.authenticate(&headers, None, HERE).await;
    let reason = Reason::SeveralTokens;
    assert_eq!(denied.unwrap_err(), Denied::Malformed { reason });
    let none = verifier.authenticate(&HeaderMap::new(), None, HERE).await;
    assert_eq!(none.unwrap_err(), Denied::Missing);
}
