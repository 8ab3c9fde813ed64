//! Sessions belong to who opened them, and streams live no longer than their token
//! (protocol-checklist 2.5, 2.35, 7.17).

use crate::world::*;

#[tokio::test]
async fn a_foreign_session_looks_like_none() {
    let provider = Provider::start().await;
    let served = Setup::new("sessions-foreign", &provider).serve().await;
    let alice = served.caller(&provider.token("alice")).session().await;
    let unknown =
        Session { id: "0123456789abcdef0123456789abcdef".to_owned(), by: alice.by.clone() };
    let bob = served.caller(&provider.token("bob"));
    // The same user through another client, or with somebody who acts for him, is not the session's owner either.
    let others = [
        bob,
        served.caller(&provider.token_with(json!({ "client_id": "client-2" }))),
        served.caller(&provider.token_with(json!({ "act": { "sub": "agent" } }))),
    ];
    for thief in &others {
        let stolen = alice.taken_by(thief);
        for (reply, like) in [
            (stolen.post("whoami").await, unknown.post("whoami").await),
            (stolen.get().await, unknown.get().await),
            (stolen.delete().await, unknown.delete().await),
        ] {
            assert_eq!((reply.status, like.status), (404, 404));
            assert_eq!(reply.json().await, like.json().await);
        }
    }
    // A security event for each try, and none of it hurt the owner.
    served.stderr.wait_nth("a session was presented by somebody else", 9).await;
    assert_eq!(alice.post("whoami").await.status, 200);
    assert_eq!(alice.delete().await.status, 204);
    assert_eq!(alice.post("whoami").await.status, 404);
}

#[tokio::test]
async fn a_session_is_no_substitute_for_a_token() {
    let provider = Provider::start().await;
    let served = Setup::new("sessions-token", &provider).serve().await;
    let alice = served.caller(&provider.token("alice")).session().await;
    let expired = served.caller(&provider.token_with(json!({ "exp": now() - 90 })));
    let late = alice.taken_by(&expired);
    assert_eq!(late.post("whoami").await.status, 401);
    assert_eq!(late.get().await.status, 401);
    assert_eq!(late.delete().await.status, 401);
    // A fresh token of the same user and client goes on with it.
    let fresh = served.caller(&provider.token_with(json!({ "jti": "fresh" })));
    assert_eq!(alice.taken_by(&fresh).post("whoami").await.status, 200);
}

/// The stream of a session ends with the token that opened it; its call is refused from then on.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let provider = Provider::start().await;
    let served = Setup::new("sessions-end", &provider).serve().await;
    let long = served.caller(&provider.token("alice")).session().await;
    // Within the leeway of a minute for some more seconds.
    let short = served.caller(&provider.token_with(json!({ "exp": now() - 56 })));
    let mut ending = long.taken_by(&short).listen().await;
    let mut bob = served.caller(&provider.token("bob")).session().await.listen().await;
    assert_eq!(ending.message().await, None, "the stream ends");
    assert_eq!(short.status().await, 401);
    assert_eq!(long.post("whoami").await.status, 200, "the session goes on with a living token");
    // Nobody else's stream has ended: it still hears its own child.
    served.caller(&provider.token("bob")).call("changed", json!({ "list": "tools" })).await;
    assert_eq!(bob.message().await.unwrap()["method"], "notifications/tools/list_changed");
}
