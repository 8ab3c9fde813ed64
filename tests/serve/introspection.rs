//! Opaque tokens, and signed ones that may be withdrawn: the issuer is asked (5.1–5.8).

use crate::support::*;

pub(crate) const SECRET: &str = "the-secret-of-mcpwrap:with/odd characters";

pub(crate) fn asking(provider: &Provider) -> Mcpwrap {
    let setup = Mcpwrap::serve().oidc(provider);
    let file = setup.dir.join("secret");
    write_private(&file, &format!("{SECRET}\n"));
    setup.flags([
        "--introspection-client-id",
        "resource server",
        "--introspection-client-secret-file",
        file.to_str().unwrap(),
    ])
}

#[tokio::test]
async fn an_opaque_token_is_whoever_the_issuer_says() {
    let provider = Provider::start().await;
    let served = asking(&provider).start().await;
    provider.vouch("opaque-1", "alice");
    provider.vouch("opaque-2", "bob");
    let alice = served.caller("opaque-1").whoami().await;
    assert_ne!(pid(&alice), pid(&served.caller("opaque-2").whoami().await));
    // The same user with a signed token has the same child.
    assert_eq!(pid(&alice), pid(&served.caller(&provider.token("alice")).whoami().await));
    assert_eq!(served.caller("opaque-3").status().await, 401);
    let asked = provider.server.asked();
    let asked = asked.iter().find(|asked| asked.path() == Provider::INTROSPECT).unwrap();
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.form("token"), "opaque-1");
    assert!(!asked.target.contains("opaque"), "never in the URL");
    use base64::Engine as _;
    let basic = asked.headers["authorization"].strip_prefix("Basic ").unwrap();
    let basic = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
    // RFC 6749 section 2.3.1: each half is encoded like a form.
    assert_eq!(
        String::from_utf8(basic).unwrap(),
        "resource+server:the-secret-of-mcpwrap%3Awith%2Fodd+characters"
    );
}

/// 5.5: an answer is believed for a while, and a crowd asks once.
#[tokio::test]
async fn a_crowd_with_one_token_is_one_question() {
    let provider = Provider::start().await;
    let served = asking(&provider).start().await;
    provider.vouch("opaque-1", "alice");
    for token in ["opaque-1", "opaque-unknown"] {
        let before = provider.server.hits(Provider::INTROSPECT);
        let callers: Vec<Modern> = (0..30).map(|_| served.caller(token)).collect();
        let statuses = futures_util::future::join_all(callers.iter().map(Modern::status)).await;
        let expected = if token == "opaque-1" { 200 } else { 401 };
        assert!(statuses.iter().all(|status| *status == expected), "{statuses:?}");
        assert_eq!(provider.server.hits(Provider::INTROSPECT), before + 1, "{token}");
    }
}

/// 5.3, 5.4: active does not mean for us, of this issuer, or anybody at all.
#[tokio::test]
async fn what_the_issuer_says_must_fit_as_well() {
    let provider = Provider::start().await;
    let served = asking(&provider).start().await;
    let base = with(provider.claims("alice"), json!({ "active": true }));
    for (what, changes, status) in [
        ("as it should be", json!({}), 200),
        ("without an end", json!({ "exp": null }), 200),
        ("in one word", json!({ "token_type": "Bearer" }), 200),
        ("no audience", json!({ "aud": null }), 401),
        ("another audience", json!({ "aud": "https://other.test" }), 401),
        ("expired", json!({ "exp": now() - 61 }), 401),
        ("too early", json!({ "nbf": now() + 90 }), 401),
        ("another issuer", json!({ "iss": "https://other.test" }), 401),
        ("nobody", json!({ "sub": null }), 401),
        ("an empty subject", json!({ "sub": "" }), 401),
        ("a refresh token", json!({ "token_type": "refresh_token" }), 401),
        ("bound to a key", json!({ "cnf": { "x5t#S256": "x" } }), 401),
        ("DPoP", json!({ "token_type": "DPoP" }), 401),
        ("a service", json!({ "sub": "client-1" }), 403),
    ] {
        provider.server.answer(Provider::INTROSPECT, Answer::Json(with(base.clone(), changes)));
        let token = format!("opaque-{}", what.replace(' ', "-"));
        assert_eq!(served.caller(&token).status().await, status, "{what}");
    }
    for (what, answer) in [
        ("active as text", json!({ "active": "true", "sub": "alice" })),
        ("no word on it", json!({ "sub": "alice", "aud": PUBLIC })),
        ("a list", json!([true])),
    ] {
        provider.server.answer(Provider::INTROSPECT, Answer::Json(answer));
        let token = format!("opaque-{}", what.replace(' ', "-"));
        assert_eq!(served.caller(&token).status().await, 503, "{what}");
    }
}

/// 5.6: who cannot be asked has not said no, and not yes.
#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_503() {
    let provider = Provider::start().await;
    let served = asking(&provider).start().await;
    let lure = StandIn::start().await;
    lure.otherwise(Answer::Json(with(provider.claims("alice"), json!({ "active": true }))));
    for (at, answer) in [
        Answer::Status(500),
        Answer::Status(401),
        Answer::Html,
        Answer::Flood(10 << 20),
        Answer::Redirect(307, lure.url()),
        Answer::Redirect(302, lure.url()),
    ]
    .into_iter()
    .enumerate()
    {
        provider.server.answer(Provider::INTROSPECT, answer);
        let reply =
            served.caller(&format!("opaque-{at}")).begin(json!(1), "whoami", json!({})).await;
        assert_eq!(reply.status, 503, "{at}");
        assert_eq!(reply.header("www-authenticate"), None);
    }
    assert_eq!(lure.asked().len(), 0, "no token goes where a redirect leads");
    // It is not remembered as a refusal.
    provider.recover();
    provider.vouch("opaque-0", "alice");
    assert_eq!(served.caller("opaque-0").status().await, 200);
}

/// Without a way to ask, an opaque token is nobody's; it is sent nowhere.
#[tokio::test]
async fn an_opaque_token_that_nobody_can_check_is_refused() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    provider.vouch("opaque-1", "alice");
    assert_eq!(served.caller("opaque-1").status().await, 401);
    assert_eq!(provider.server.hits(Provider::INTROSPECT), 0);
}

/// With `always` a signed token counts only as long as the issuer stands by it.
#[tokio::test]
async fn a_signed_token_may_be_withdrawn_where_the_issuer_is_always_asked() {
    let provider = Provider::start().await;
    let served = asking(&provider);
    let served = served.flags(["--introspection-when", "always"]).start().await;
    let (alice, bob) = (provider.token("alice"), provider.token("bob"));
    provider.vouch(&alice, "alice");
    assert_eq!(served.caller(&alice).status().await, 200);
    assert_eq!(served.caller(&bob).status().await, 401);
    // A bad signature is not worth a question.
    let before = provider.server.hits(Provider::INTROSPECT);
    assert_eq!(served.caller(&Key::ec("k1").token(&provider.claims("x"))).status().await, 401);
    assert_eq!(provider.server.hits(Provider::INTROSPECT), before);
}

/// A withdrawn token ends what it has begun, as soon as the issuer is asked again: its streams, and its calls.
#[tokio::test]
async fn a_token_ends_when_the_issuer_says_so() {
    let provider = Provider::start().await;
    let served = asking(&provider).flags(["--introspection-cache", "50ms"]);
    let served = served.start().await;
    for user in ["alice", "bob"] {
        provider.vouch(&format!("opaque-of-{user}"), user);
    }
    let (alice, bob) = (served.caller("opaque-of-alice"), served.caller("opaque-of-bob"));
    provider.vouch("opaque-again", "alice");
    let again = served.caller("opaque-again");
    let child = pid(&again.whoami().await);
    let session = alice.session().await;
    let (mut ending, mut going) = (session.listen().await, bob.session().await.listen().await);
    provider.withdraw("opaque-of-alice");
    soon("the end of the token", async { while alice.status().await == 200 {} }).await;
    assert_eq!(alice.status().await, 401);
    assert_eq!(ending.message().await, None, "the stream ends");
    assert_eq!(session.begin(json!(1), "whoami", json!({})).await.status, 401);
    // Another token of hers lives, and with it her session and her child.
    assert_eq!(session.taken_by(&again).begin(json!(1), "whoami", json!({})).await.status, 200);
    assert_eq!(pid(&again.whoami().await), child);
    // When the last one is gone, so is the child.
    provider.withdraw("opaque-again");
    soon("the end of the token", async { while again.status().await == 200 {} }).await;
    let process = format!("/proc/{child}");
    eventually("the end of the child", || !std::path::Path::new(&process).exists()).await;
    // Nor is her session: it is over, also for a token that she gets later.
    provider.vouch("opaque-later", "alice");
    let later = session.taken_by(&served.caller("opaque-later"));
    assert_eq!(later.begin(json!(1), "whoami", json!({})).await.status, 404);
    bob.call("changed", json!({ "list": "tools" })).await;
    assert!(going.message().await.is_some(), "nobody else is disturbed");
}

/// An answer is believed for a minute at the most, whatever the operator wants.
#[tokio::test]
async fn no_answer_is_believed_for_long() {
    let provider = Provider::start().await;
    let setup = asking(&provider).flags(["--introspection-cache", "2m"]);
    let ended = setup.refused().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("error: --introspection-cache (command line): "), "{}", ended.err);
}

/// Whoever makes tokens up is slowed down, by the network that the proxy saw him in; his neighbours elsewhere are not.
#[tokio::test]
async fn made_up_tokens_keep_nobody_else_out() {
    let provider = Provider::start().await;
    let setup = asking(&provider).flags(["--trusted-proxy", "127.0.0.1/32"]);
    let served = setup.start().await;
    provider.vouch("opaque-1", "alice");
    provider.vouch("opaque-2", "bob");
    let send = async |token: &str, from: &str| {
        let caller = served.caller(token);
        let request = caller.calling("whoami", json!({})).header("x-forwarded-for", from);
        request.send(served.at).await
    };
    assert_eq!(send("opaque-1", "203.0.113.9").await.status, 200);
    // As many as a network may have refused, and those that it regains while this runs.
    let mut slowed = None;
    for n in 0..10_000 {
        let reply = send(&format!("made-up-{n}"), &format!("203.0.113.{}", n % 250)).await;
        if reply.status != 401 {
            slowed = Some((n, reply));
            break;
        }
    }
    let (sent, reply) = slowed.expect("the network is slowed down");
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(reply.header("www-authenticate"), None, "a new log-in would not help");
    assert!(sent >= 128, "{sent}");
    assert_eq!(send("opaque-2", "198.51.100.7").await.status, 200, "from elsewhere");
    assert_eq!(send("opaque-1", "203.0.113.9").await.status, 200, "known before");
}
