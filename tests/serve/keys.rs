//! An issuer's keys: fetched once for a crowd, rotated under load, trusted no longer than they are published
//! (3.1–3.7, 4.1, 4.2).

use futures_util::future::join_all;

use crate::support::*;

/// 3.3: whoever invents key ids causes one fetch per cool-down, and nobody else is disturbed.
#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let alice = served.caller(&provider.token("alice"));
    assert_eq!(alice.status().await, 200);
    assert_eq!(provider.server.hits(Provider::KEYS), 1);
    let stranger = Key::ec("k1");
    let claims = provider.claims("mallory");
    let invented: Vec<Modern> = (0..200)
        .map(|number| {
            let header = json!({ "alg": "ES256", "kid": format!("k-{number}"), "typ": "at+jwt" });
            served.caller(&stranger.token_of(&header.to_string(), &claims.to_string()))
        })
        .collect();
    for crowd in invented.chunks(50) {
        let statuses = join_all(crowd.iter().map(Modern::status)).await;
        assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
        assert_eq!(alice.status().await, 200);
    }
    // The first fetch has begun the cool-down already.
    assert_eq!(provider.server.hits(Provider::KEYS), 1);
    assert_eq!(provider.server.hits(Provider::METADATA), 1);
}

/// 3.3: the first callers wait for one fetch together.
#[tokio::test]
async fn a_crowd_at_the_start_is_one_fetch() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let tokens: Vec<Modern> = (0..50)
        .map(|number| served.caller(&provider.token_with(json!({ "jti": number }))))
        .collect();
    let statuses = join_all(tokens.iter().map(Modern::status)).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(provider.server.hits(Provider::KEYS), 1);
}

/// The provider publishes the next key, signs with it and withdraws the last but one, over and over: nobody's request
/// fails, whichever key has signed his token.
#[tokio::test]
async fn keys_are_rotated_under_load_and_no_request_fails() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--keys-cool-down", "1ms"]);
    let served = served.start().await;
    let early = served.caller(&provider.token("user-0"));
    assert_eq!(early.status().await, 200);
    let signing = tokio::sync::watch::Sender::new(provider.key.clone());
    let calls = |user: usize| {
        let (signing, provider, served) = (signing.subscribe(), &provider, &served);
        async move {
            let mut done = 0;
            while signing.borrow().id != "the last" {
                let claims = with(provider.claims(&format!("user-{user}")), json!({ "jti": done }));
                let token = signing.borrow().token(&claims);
                assert_eq!(served.caller(&token).status().await, 200);
                done += 1;
            }
            done
        }
    };
    let rotate = async {
        let mut last = provider.key.clone();
        for name in ["k2", "k3", "k4", "k5", "the last"] {
            let next = Key::ec(name);
            provider.publish(&[&last, &next]);
            signing.send_replace(next.clone());
            // Under way with the new key before the next one comes.
            let caller = served.caller(&next.token(&provider.claims("user-0")));
            assert_eq!(caller.status().await, 200);
            assert_eq!(served.caller(&last.token(&provider.claims("user-0"))).status().await, 200);
            last = next;
        }
    };
    let (done, ()) = tokio::join!(join_all((0..8).map(calls)), rotate);
    assert!(done.iter().sum::<i32>() > 8, "{done:?}");
    // A key that is no longer published counts no longer, not even for a token that was verified with it before.
    let late = served.caller(&provider.token("user-0"));
    assert_eq!((early.status().await, late.status().await), (401, 401));
}

/// 2.1, 2.7, 3.6: a set may hold what is not for us; none of it verifies anything.
#[tokio::test]
async fn only_fit_keys_of_a_set_are_used() {
    use base64::Engine as _;
    let provider = Provider::start().await;
    let (encrypting, named) = (Key::ec("enc"), Key::ec("other-alg"));
    let with_member = |key: &Key, change: Value| with(key.public(), change);
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .encode(b"a shared secret of 32 bytes here");
    let keys = json!({ "keys": [
        provider.key.public(),
        with_member(&encrypting, json!({ "use": "enc" })),
        with_member(&named, json!({ "alg": "RS256" })),
        { "kty": "oct", "kid": "oct", "k": secret },
        { "kty": "RSA", "kid": "weak", "n": b64([0xc1; 64]), "e": "AQAB" },
        { "kty": "EC", "crv": "P-256", "kid": "off-curve", "x": b64([1; 32]), "y": b64([1; 32]) },
        { "kty": "nonsense" }, "no key", 7,
    ] });
    provider.server.answer(Provider::KEYS, Answer::Json(keys));
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    assert_eq!(served.caller(&provider.token("alice")).status().await, 200);
    let claims = provider.claims("alice");
    for key in [&encrypting, &named] {
        assert_eq!(served.caller(&key.token(&claims)).status().await, 401, "{}", key.id);
    }
    let header = json!({ "alg": "HS256", "kid": "oct", "typ": "at+jwt" });
    let by_secret = signed(&header.to_string(), &claims.to_string(), |message| {
        use hmac::{KeyInit as _, Mac as _};
        let mut mac =
            hmac::Hmac::<sha2::Sha256>::new_from_slice(b"a shared secret of 32 bytes here")
                .unwrap();
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    });
    assert_eq!(served.caller(&by_secret).status().await, 401);
    for kid in ["weak", "off-curve"] {
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" });
        let token = provider.key.token_of(&header.to_string(), &claims.to_string());
        assert_eq!(served.caller(&token).status().await, 401, "{kid}");
    }
}

/// 3.5: without an id, a token is judged by the only key that fits, and never by several.
#[tokio::test]
async fn a_token_without_a_key_id_fits_one_key_or_none() {
    let provider = Provider::start().await;
    provider.publish(&[&provider.key, &Key::ec("k2")]);
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let header = json!({ "alg": "ES256", "typ": "at+jwt" });
    let token = provider.key.token_of(&header.to_string(), &provider.claims("alice").to_string());
    assert_eq!(served.caller(&token).status().await, 401);
}

/// 4.1: the places of the metadata are tried in the specified order.
#[tokio::test]
async fn metadata_are_looked_for_in_order() {
    let provider = Provider::start().await;
    let issuer = format!("{}/realms/main", provider.issuer());
    let metadata = with(provider.metadata(), json!({ "issuer": issuer }));
    provider.server.answer("/realms/main/.well-known/openid-configuration", Answer::Json(metadata));
    let served = Mcpwrap::serve().flags(["--oidc", &issuer]).start().await;
    let token = provider.token_with(json!({ "iss": issuer }));
    assert_eq!(served.caller(&token).status().await, 200);
    let asked: Vec<String> =
        provider.server.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(
        asked,
        [
            "/.well-known/oauth-authorization-server/realms/main",
            "/.well-known/openid-configuration/realms/main",
            "/realms/main/.well-known/openid-configuration",
            "/keys",
        ]
    );
}
