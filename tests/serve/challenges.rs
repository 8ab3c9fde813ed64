//! What a caller without a good token is told: the status, the challenge, and where to get a token
//! (10.7; protocol-checklist 7.1–7.6).

use crate::support::*;

const METADATA: &str = "https://mcp.test/.well-known/oauth-protected-resource/mcp";

async fn served() -> (Provider, Served) {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--required-scope", "mcp:use,mcp:more"]);
    let served = served.start().await;
    (provider, served)
}

fn challenge(reply: &Reply) -> &str {
    reply.header("www-authenticate").unwrap()
}

#[tokio::test]
async fn every_request_without_a_token_is_challenged() {
    let (_, served) = served().await;
    let with_session = |method| Request::new(method).header("mcp-session-id", "x");
    for request in [
        Modern::new(&served).calling("whoami", json!({})),
        Request::post("{}"),
        Request::post(""),
        Request::new("GET").header("accept", "text/event-stream"),
        with_session("GET"),
        with_session("DELETE"),
        Request::new("DELETE"),
        Request::new("PUT"),
        Request::new("GET").header("authorization", "Basic YWxpY2U6cGFzcw=="),
        Request::new("GET").header("authorization", "DPoP abc"),
    ] {
        let reply = request.send(served.at).await;
        assert_eq!(reply.status, 401, "{request:?}");
        let expected =
            format!("Bearer scope=\"mcp:use mcp:more\", resource_metadata=\"{METADATA}\"");
        assert_eq!(challenge(&reply), expected, "no error without a token");
    }
}

#[tokio::test]
async fn a_bad_token_is_401_a_poor_one_403_a_misplaced_one_400() {
    let (provider, served) = served().await;
    let foreign = served.caller(&provider.token_with(json!({ "aud": "x" })));
    let reply = foreign.begin(json!(1), "whoami", json!({})).await;
    assert_eq!(reply.status, 401);
    assert_eq!(
        challenge(&reply),
        format!(
            "Bearer error=\"invalid_token\", error_description=\"The access token is not valid here.\", \
             scope=\"mcp:use mcp:more\", resource_metadata=\"{METADATA}\""
        )
    );
    let reply = served.caller(&provider.token("alice")).begin(json!(1), "whoami", json!({})).await;
    assert_eq!(reply.status, 403);
    assert_eq!(
        challenge(&reply),
        format!(
            "Bearer error=\"insufficient_scope\", error_description=\"The access token lacks a required \
             scope.\", scope=\"mcp:use mcp:more\", resource_metadata=\"{METADATA}\""
        )
    );
    let both = provider.token_with(json!({ "scope": "mcp:more x mcp:use" }));
    assert_eq!(served.caller(&both).status().await, 200);
    // As Okta and Entra write it.
    let both = provider.token_with(json!({ "scope": null, "scp": ["mcp:use", "mcp:more"] }));
    assert_eq!(served.caller(&both).status().await, 200);
}

/// 14.1: a good token in the wrong place, or two of them, are nobody's.
#[tokio::test]
async fn a_token_comes_once_and_in_its_header() {
    let (provider, served) = served().await;
    let good = provider.token_with(json!({ "scope": "mcp:use mcp:more" }));
    let other = provider.token("bob");
    let plain = || Modern::new(&served).calling("whoami", json!({}));
    let bearer = |token: &str| format!("Bearer {token}");
    let at = |target: &str| Request { target: target.to_owned(), ..plain() };
    let once = |request: Request| request.header("authorization", bearer(&good));
    for (what, request) in [
        ("two headers", once(once(plain()))),
        ("two users", once(plain()).header("authorization", bearer(&other))),
        (
            "two in one header",
            plain().header("authorization", format!("{}, {}", bearer(&good), bearer(&other))),
        ),
        ("a bearer and a password", once(plain()).header("authorization", "Basic eDp5")),
        ("in the query alone", at(&format!("/mcp?access_token={good}"))),
        ("in the query too", once(at(&format!("/mcp?access_token={good}")))),
        ("in the query, disguised", once(at(&format!("/mcp?a=b&access%5ftoken={good}")))),
        ("in the query, in capitals", at(&format!("/mcp?ACCESS_TOKEN={good}"))),
        ("no token at all", plain().header("authorization", "Bearer ")),
        ("a token with a quote", plain().header("authorization", "Bearer a\"b")),
        ("a token with a space", plain().header("authorization", format!("Bearer {good} x"))),
        ("a header that is no text", plain().header("authorization", b"Bearer \xff\xfe")),
    ] {
        let reply = request.send(served.at).await;
        assert_eq!(reply.status, 400, "{what}");
        let said = challenge(&reply);
        assert!(said.starts_with("Bearer error=\"invalid_request\", "), "{what}: {said}");
        assert!(said.ends_with(&format!("resource_metadata=\"{METADATA}\"")), "{what}: {said}");
    }
    // The scheme's name has no case.
    let lower = plain().header("authorization", format!("bearer {good}"));
    assert_eq!(lower.send(served.at).await.status, 200);
}

#[tokio::test]
async fn whoever_is_not_on_the_list_is_told_no_and_nothing_else() {
    let provider = Provider::start().await;
    let flags = ["--allow-user", "alice", "--allow-group", "staff", "--tenant-claim", "org"];
    let served = Mcpwrap::serve().oidc(&provider).flags(flags);
    let served = served.flags(["--allow-tenant", "acme"]).start().await;
    let of = |changes: Value| {
        served.caller(&provider.token_with(with(json!({ "org": "acme" }), changes)))
    };
    for (changes, status) in [
        (json!({}), 200),
        (json!({ "sub": "bob", "groups": ["staff"] }), 200),
        (json!({ "sub": "bob", "groups": ["guests"] }), 403),
        (json!({ "sub": "bob", "groups": "staff,guests" }), 403),
        (json!({ "sub": "ALICE" }), 403),
        (json!({ "org": "other" }), 403),
        (json!({ "org": "ACME" }), 403),
        (json!({ "sub": "client-1", "groups": ["staff"] }), 403),
        (json!({ "org": null }), 401),
        (json!({ "org": ["acme", "other"] }), 401),
        (json!({ "org": "" }), 401),
    ] {
        let reply = of(changes.clone()).begin(json!(1), "whoami", json!({})).await;
        assert_eq!(reply.status, status, "{changes}");
        if status == 403 {
            assert_eq!(reply.header("www-authenticate"), None, "a new token would not help");
        }
    }
}

#[tokio::test]
async fn services_come_in_only_where_they_are_welcome() {
    let provider = Provider::start().await;
    let service = provider.token_with(json!({ "sub": "client-1", "client_id": "client-1" }));
    let closed = Mcpwrap::serve().oidc(&provider).start().await;
    assert_eq!(closed.caller(&service).status().await, 403);
    let open = Mcpwrap::serve().oidc(&provider).flags(["--machines", "accept"]);
    let open = open.start().await;
    let service = open.caller(&service).whoami().await;
    // Somebody who is called like it is another user.
    let person = provider.token_with(json!({ "sub": "client-1", "client_id": "other" }));
    let person = open.caller(&person).whoami().await;
    assert_ne!(who(&service, "MCPWRAP_USER"), who(&person, "MCPWRAP_USER"));
    assert_ne!(pid(&service), pid(&person));
}

/// RFC 9728 section 3.1: at the endpoint's own place and at the host's, for everybody, from configuration alone.
#[tokio::test]
async fn the_metadata_say_where_a_token_is_to_be_had() {
    let (provider, served) = served().await;
    for path in
        ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]
    {
        let request = Request { target: path.to_owned(), ..Request::new("GET") };
        for request in [
            request.clone(),
            request
                .clone()
                .header("x-forwarded-host", "evil.test")
                .header("x-forwarded-proto", "http"),
            request.clone().header("forwarded", "host=evil.test"),
            request.header("host", "localhost:9999"),
        ] {
            let reply = request.send(served.at).await.expect(200);
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
            let document = reply.json().await;
            assert_eq!(document["resource"], PUBLIC);
            assert_eq!(document["authorization_servers"], json!([provider.issuer()]));
            assert_eq!(document["scopes_supported"], json!(["mcp:use", "mcp:more"]));
            assert_eq!(document["bearer_methods_supported"], json!(["header"]));
        }
    }
    for path in ["/.well-known/oauth-protected-resource/other", "/.well-known/x", "/"] {
        let request = Request { target: path.to_owned(), ..Request::new("GET") };
        assert_eq!(request.send(served.at).await.status, 404, "{path}");
    }
    let foreign =
        Request { target: "/.well-known/oauth-protected-resource".into(), ..Request::new("GET") };
    assert_eq!(foreign.header("host", "evil.test").send(served.at).await.status, 403);
}

/// Clients of 2025-03-26 take our origin for the authorization server, and ask it for that server's metadata.
#[tokio::test]
async fn the_only_issuer_s_metadata_are_found_on_our_origin() {
    const PLACES: [&str; 2] =
        ["/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp"];
    let at = |path: &str| Request { target: path.to_owned(), ..Request::new("GET") };
    let (one, two) = (Provider::start().await, Provider::start().await);
    let told = with(
        one.metadata(),
        json!({ "authorization_endpoint": "https://login.test/a", "token_endpoint": "https://login.test/t" }),
    );
    one.server.answer(Provider::METADATA, Answer::Json(told.clone()));
    let served = Mcpwrap::serve().oidc(&one).start().await;
    for path in PLACES {
        let reply = at(path).send(served.at).await.expect(200);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.json().await, told, "{path}");
    }
    // Known from then on, whatever becomes of the provider, and asked for once.
    one.server.everywhere(Answer::Status(500));
    let asked = one.server.hits(Provider::METADATA);
    assert_eq!(at(PLACES[0]).send(served.at).await.expect(200).json().await, told);
    assert_eq!(one.server.hits(Provider::METADATA), asked);
    let foreign = at(PLACES[0]).header("host", "evil.test");
    assert_eq!(foreign.send(served.at).await.status, 403);
    // A provider that is down is no server without metadata.
    let down = Mcpwrap::serve().oidc(&one).start().await;
    let reply = at(PLACES[0]).send(down.at).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    // Whose would they be?
    let both = Mcpwrap::serve().oidc(&two).flags(["--oidc", &format!("b={}", one.issuer())]);
    let both = both.start().await;
    assert_eq!(at(PLACES[0]).send(both.at).await.status, 404);
}

/// A provider that denies log-ins without a scope needs one that clients know of.
#[tokio::test]
async fn offered_scopes_are_told_and_not_required() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--offer-scope", "openid"]);
    let served = setup.flags(["--offer-scope", "api"]).start().await;
    let request = Request::new("GET");
    let request = Request { target: "/.well-known/oauth-protected-resource".into(), ..request };
    let document = request.send(served.at).await.expect(200).json().await;
    assert_eq!(document["scopes_supported"], json!(["openid", "api"]));
    let reply = served.caller("nonsense").begin(json!(1), "whoami", json!({})).await;
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("scope=\"openid api\""), "{challenge}");
    // A token without any of them is as good as before.
    assert_eq!(served.caller(&provider.token("alice")).status().await, 200);
}
