//! Tokens that are not good here: each is refused, whatever is wrong with it, and all with the same answer
//! (1.1–1.7, 1.10, 2.1–2.6, 14.7).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::support::*;

async fn served() -> (Provider, Served) {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    (provider, served)
}

/// Each token is answered by 401 and `invalid_token`, and no answer tells which check it failed.
async fn all_refused(served: &Served, tokens: &[(&str, String)]) {
    let mut first: Option<(Option<String>, Value)> = None;
    for (what, token) in tokens {
        let reply = served.caller(token).begin(json!(1), "whoami", json!({})).await;
        assert_eq!(reply.status, 401, "{what}");
        let challenge = reply.header("www-authenticate").map(str::to_owned);
        assert!(challenge.as_ref().unwrap().contains("error=\"invalid_token\""), "{what}");
        let answer = (challenge, reply.json().await);
        assert_eq!(*first.get_or_insert_with(|| answer.clone()), answer, "{what}");
    }
}

#[tokio::test]
async fn a_good_token_is_somebody() {
    let (provider, served) = served().await;
    let alice = served.caller(&provider.token("alice"));
    assert!(pid(&alice.whoami().await) > 0);
    // RFC 9068 tokens and those of the field, whose type is another or none.
    for header in [
        json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" }),
        json!({ "alg": "ES256", "kid": "k1" }),
        json!({ "alg": "ES256", "kid": "k1", "typ": "application/at+jwt" }),
        json!({ "alg": "ES256" }),
    ] {
        let token =
            provider.key.token_of(&header.to_string(), &provider.claims("alice").to_string());
        assert_eq!(served.caller(&token).status().await, 200, "{header}");
    }
    for changes in [json!({ "aud": ["other", PUBLIC] }), json!({ "nbf": now() + 50 })] {
        let token = provider.token_with(changes.clone());
        assert_eq!(served.caller(&token).status().await, 200, "{changes}");
    }
}

#[tokio::test]
async fn no_signature_but_that_of_the_pinned_key_counts() {
    let key = Key::rsa("k1");
    let provider = Provider::with_key(key.clone()).await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let claims = provider.claims("alice").to_string();
    let header =
        |algorithm: &str| json!({ "alg": algorithm, "kid": "k1", "typ": "at+jwt" }).to_string();
    let none = |name: &str| signed(&header(name), &claims, |_| Vec::new());
    let by_secret = |secret: &[u8]| {
        signed(&header("HS256"), &claims, |message| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        })
    };
    use base64::Engine as _;
    let der = key.public_der();
    let text = base64::engine::general_purpose::STANDARD.encode(&der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let stranger = Key::ec("k1");
    let good = provider.token("alice");
    let (head, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other_claims = provider.claims("bob").to_string();
    all_refused(
        &served,
        &[
            ("alg none", none("none")),
            ("alg None", none("None")),
            ("alg nOnE", none("nOnE")),
            ("HS256 with the public key as DER", by_secret(&der)),
            ("HS256 with the public key as PEM", by_secret(pem.as_bytes())),
            ("HS256 with the public key as JWK", by_secret(key.public().to_string().as_bytes())),
            ("HS256 with nothing", by_secret(b"")),
            ("another algorithm of the same key", key.token_of(&header("RS512"), &claims)),
            ("an algorithm of another kind of key", key.token_of(&header("ES256"), &claims)),
            ("somebody's key with the same kid", stranger.token(&provider.claims("alice"))),
            ("no signature", format!("{head}.")),
            ("half a signature", format!("{head}.{}", &signature[..signature.len() / 2])),
            ("other claims", format!("{}.{}.{signature}", b64(header("RS256")), b64(other_claims))),
        ],
    )
    .await;
    assert_eq!(served.caller(&good).status().await, 200);
}

/// 14.7: a token that names one issuer, signed by the other's key of the same id.
#[tokio::test]
async fn the_key_of_another_issuer_is_nobodys_though_its_id_is_the_same() {
    let (one, two) = (Provider::start().await, Provider::start().await);
    let served = Mcpwrap::serve().oidc(&one).flags(["--oidc", &format!("two={}", two.issuer())]);
    let served = served.start().await;
    all_refused(
        &served,
        &[
            ("one by two", two.key.token(&one.claims("alice"))),
            ("two by one", one.key.token(&two.claims("alice"))),
        ],
    )
    .await;
    for good in [one.token("alice"), two.token("alice")] {
        assert_eq!(served.caller(&good).status().await, 200);
    }
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_a_check_is_refused() {
    let (provider, served) = served().await;
    let lure = StandIn::start().await;
    lure.otherwise(Answer::Json(json!({ "keys": [Key::ec("k1").public()] })));
    let own = Key::ec("k1");
    let claims = provider.claims("alice").to_string();
    let header = |more: Value| with(provider.key.header(), more).to_string();
    let of = |more: Value| provider.key.token_of(&header(more), &claims);
    let lured = |more: Value| own.token_of(&header(more), &claims);
    let jwe = format!("{}.a.b.c.d", b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k1"}"#));
    all_refused(
        &served,
        &[
            ("crit", of(json!({ "crit": ["exp"] }))),
            ("crit of nothing", of(json!({ "crit": [] }))),
            ("b64", of(json!({ "b64": false }))),
            ("zip", of(json!({ "zip": "DEF" }))),
            ("jku", lured(json!({ "jku": format!("{}/keys", lure.url()) }))),
            ("x5u", lured(json!({ "x5u": format!("{}/cert", lure.url()) }))),
            ("jwk", lured(json!({ "jwk": own.public() }))),
            ("an empty jku beside a good key", of(json!({ "jku": "" }))),
            ("a number as kid", of(json!({ "kid": 1 }))),
            ("a long kid", of(json!({ "kid": "k".repeat(3000) }))),
            ("kid that climbs", of(json!({ "kid": "../../../../dev/null" }))),
            ("encrypted", jwe),
        ],
    )
    .await;
    assert_eq!(lure.asked().len(), 0, "nobody follows what a token says");
}

/// 1.6: one minute of leeway and no more.
#[tokio::test]
async fn a_token_has_its_time() {
    let (provider, served) = served().await;
    let of = |changes: Value| provider.token_with(changes);
    all_refused(
        &served,
        &[
            ("expired", of(json!({ "exp": now() - 61 }))),
            ("expired long ago", of(json!({ "exp": 1 }))),
            ("without an end", of(json!({ "exp": null }))),
            ("an end as text", of(json!({ "exp": (now() + 600).to_string() }))),
            ("an end beyond all numbers", of(json!({ "exp": 1e300 }))),
            ("not valid yet", of(json!({ "nbf": now() + 90 }))),
            ("issued in the future", of(json!({ "iat": now() + 90 }))),
            ("a start as text", of(json!({ "nbf": "soon" }))),
        ],
    )
    .await;
    assert_eq!(served.caller(&of(json!({ "exp": now() - 30 }))).status().await, 200);
}

/// 1.4, 1.5: for us and by the issuer that it names, character by character.
#[tokio::test]
async fn a_token_is_for_us_and_of_a_known_issuer() {
    let (provider, served) = served().await;
    let of = |changes: Value| provider.token_with(changes);
    let issuer = provider.issuer();
    all_refused(
        &served,
        &[
            ("no audience", of(json!({ "aud": null }))),
            ("an empty audience", of(json!({ "aud": "" }))),
            ("no audience in the list", of(json!({ "aud": [] }))),
            ("another audience", of(json!({ "aud": "https://other.test/mcp" }))),
            ("the audience with a slash", of(json!({ "aud": format!("{PUBLIC}/") }))),
            ("the host alone", of(json!({ "aud": "https://mcp.test" }))),
            ("an audience that begins like ours", of(json!({ "aud": format!("{PUBLIC}2") }))),
            ("an audience that is an object", of(json!({ "aud": { PUBLIC: true } }))),
            ("an audience of two kinds", of(json!({ "aud": [PUBLIC, 1] }))),
            ("the issuer with a slash", of(json!({ "iss": format!("{issuer}/") }))),
            ("the issuer in capitals", of(json!({ "iss": issuer.to_uppercase() }))),
            ("another issuer", of(json!({ "iss": "https://other.test" }))),
            ("no issuer", of(json!({ "iss": null }))),
            ("a list of issuers", of(json!({ "iss": [issuer] }))),
        ],
    )
    .await;
}

/// An issuer that has the slash needs it.
#[tokio::test]
async fn an_issuer_with_a_slash_is_not_the_one_without() {
    let provider = Provider::start().await;
    let slash = format!("{}/", provider.issuer());
    let metadata = with(provider.metadata(), json!({ "issuer": slash }));
    provider.server.answer(Provider::METADATA, Answer::Json(metadata));
    let served = Mcpwrap::serve().flags(["--oidc", &slash]).start().await;
    let named = |issuer: &str| provider.token_with(json!({ "iss": issuer }));
    assert_eq!(served.caller(&named(&slash)).status().await, 200);
    all_refused(&served, &[("without the slash", named(&provider.issuer()))]).await;
}

/// 1.7, 11.2: what was issued for something else is no access token.
#[tokio::test]
async fn only_access_tokens_open_the_door() {
    let (provider, served) = served().await;
    let token = |kind: &str, claims: Value| {
        let header = with(provider.key.header(), json!({ "typ": kind }));
        provider.key.token_of(&header.to_string(), &claims.to_string())
    };
    let of = |changes: Value| token("JWT", with(provider.claims("alice"), changes));
    let typed = |kind: &str| token(kind, provider.claims("alice"));
    let login = json!({ "scope": null, "client_id": null, "nonce": "n", "azp": "client-1" });
    assert_eq!(served.caller(&of(json!({}))).status().await, 200);
    all_refused(
        &served,
        &[
            ("an ID token", of(login)),
            ("an ID token by its hash", of(json!({ "at_hash": "h" }))),
            ("an ID token of a client", of(json!({ "aud": "client-1" }))),
            ("an ID token as Keycloak says it", of(json!({ "typ": "ID" }))),
            ("an ID token as Cognito says it", of(json!({ "token_use": "id" }))),
            ("a refresh token", of(json!({ "typ": "Refresh" }))),
            ("a log-out token", typed("logout+jwt")),
            ("an identity assertion", typed("oauth-id-jag+jwt")),
            ("a proof of possession", typed("dpop+jwt")),
            ("a security event", typed("secevent+jwt")),
            ("bound to a key that nobody checks", of(json!({ "cnf": { "jkt": "x" } }))),
        ],
    )
    .await;
}

#[tokio::test]
async fn where_the_type_is_strict_nothing_else_is_an_access_token() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--token-type", "strict"]);
    let served = served.start().await;
    let header = json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" });
    let plain = provider.key.token_of(&header.to_string(), &provider.claims("alice").to_string());
    all_refused(&served, &[("JWT", plain)]).await;
    assert_eq!(served.caller(&provider.token("alice")).status().await, 200);
}

/// 2.6: a member that stands twice means two things to two readers.
#[tokio::test]
async fn a_token_means_one_thing_and_has_its_bounds() {
    let (provider, served) = served().await;
    let claims = provider.claims("alice").to_string();
    let twice = |member: &str| format!("{{{member},{}", &claims[1..]);
    let header = provider.key.header().to_string();
    let of = |claims: &str| provider.key.token_of(&header, claims);
    let good = provider.token("alice");
    let parts: Vec<&str> = good.split('.').collect();
    all_refused(
        &served,
        &[
            ("two subjects", of(&twice(r#""sub":"bob""#))),
            ("two subjects, one escaped", of(&twice(r#""\u0073ub":"bob""#))),
            ("two audiences", of(&twice(r#""aud":"x""#))),
            ("a member twice within a claim", of(&twice(r#""x":{"a":1,"a":2}"#))),
            (
                "two algorithms",
                provider.key.token_of(r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, &claims),
            ),
            ("17 KiB", provider.token_with(json!({ "x": "x".repeat(17 * 1024) }))),
            ("17 KiB of nothing", "a".repeat(17 * 1024)),
            ("claims that are a list", of("[]")),
            ("no claims", of("")),
            (
                "claims beyond any depth",
                of(&twice(&format!(r#""x":{}{}"#, "[".repeat(5000), "]".repeat(5000)))),
            ),
            ("four parts", format!("{good}.{}", parts[2])),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("one part", "abc".to_owned()),
            ("padding", format!("{good}=")),
        ],
    )
    .await;
    let near = provider.token_with(json!({ "x": "x".repeat(10 * 1024) }));
    assert_eq!(served.caller(&near).status().await, 200, "within the bounds");
}
