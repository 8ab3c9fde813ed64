//! One user cannot make mcpwrap as large as he likes: what is held for him is counted, he is told when it is too much,
//! and nobody else notices.

use tokio::io::AsyncWriteExt as _;

use crate::support::*;

const MIB: usize = 1 << 20;

async fn served<const N: usize>(provider: &Provider, flags: [&str; N]) -> Served {
    Mcpwrap::serve().oidc(provider).flags(flags).start().await
}

/// Half a body that is larger than all that its sender may have goes on, as he has nothing else; he can begin nothing
/// beside it, and all is well as soon as it is whole.
#[tokio::test]
async fn a_half_sent_body_is_its_senders_own() {
    let provider = Provider::start().await;
    let served = served(&provider, ["--memory-per-user", "1MiB"]).await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let body = json!({ "count": 0, "text": "x".repeat(3 * MIB) });
    let mut whole = alice.calling("held", body);
    let rest = whole.body.split_off(2 * MIB);
    let length = (whole.body.len() + rest.len()).to_string();
    whole = whole.with("content-length", length);
    let mut half = whole.send_only(served.at).await;
    let refused = soon("the refusal", async {
        loop {
            let reply = alice.calling("echo", json!({})).send(served.at).await;
            if reply.status == 429 {
                return reply;
            }
        }
    })
    .await;
    assert!(refused.header("retry-after").is_some());
    let answer = refused.json().await;
    assert!(error(&answer).1.contains("--memory-per-user"), "{answer}");
    assert_eq!(bob.status().await, 200);
    half.write_all(&rest).await.unwrap();
    Reply::read(half).await.expect(200).answer().await;
    soon("room again", async { while alice.status().await != 200 {} }).await;
}

/// Of large results that nobody reads as many are held as there is room for; the others' calls get an error that says
/// so, the child goes on with small ones meanwhile, and what was held is whole.
#[tokio::test]
async fn unread_results_are_bounded_and_hold_up_nobody() {
    let provider = Provider::start().await;
    let served = served(&provider, ["--memory-per-user", "32MiB"]).await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    alice.call("echo", json!({})).await;
    let big = || alice.calling("big", json!({ "bytes": 30 * MIB }));
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(big().send_only(served.at).await);
    }
    // Their heads say what became of them, and what is held stays unread.
    let heads = futures_util::future::join_all(unread.into_iter().map(Reply::read));
    let (replies, _) = tokio::join!(heads, alice.call("echo", json!({})));
    assert_eq!(bob.status().await, 200);
    alice.call("echo", json!({})).await;
    let (mut whole, mut refused) = (0, 0);
    for reply in replies {
        let answer = reply.answer().await;
        if answer["error"].is_object() {
            assert!(error(&answer).1.contains("--memory-per-user"), "{answer}");
            refused += 1;
        } else {
            assert_eq!(text(&answer).len(), 30 * MIB);
            whole += 1;
        }
    }
    assert_eq!((whole, refused), (1, 2));
    soon("room again", async { while alice.status().await != 200 {} }).await;
    assert_eq!(text(&alice.call("big", json!({ "bytes": 30 * MIB })).await).len(), 30 * MIB);
}

/// What is stored for clients that come back goes first, the oldest before the rest: no call is refused for it.
#[tokio::test]
async fn the_oldest_stored_events_go_first() {
    let provider = Provider::start().await;
    let served = served(&provider, ["--memory-per-user", "8MiB"]).await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let (others, kept) = stored(&bob).await;
    let mut all = Vec::new();
    for _ in 0..12 {
        all.push(stored(&alice).await);
    }
    let ((oldest, first), (newest, last)) = (&all[0], &all[11]);
    assert_eq!(oldest.resume(first).await.status, 400, "it has gone");
    newest.resume(last).await.expect(200).events().rest().await;
    others.resume(&kept).await.expect(200).events().rest().await;
}

/// A fresh session with a stream of some 2 MiB that can be read again, and the id of its first event.
async fn stored(caller: &Modern) -> (Session, String) {
    let session = caller.session().await;
    let params = json!({
        "name": "progress",
        "arguments": { "steps": 1, "bytes": 2 * MIB },
        "_meta": { "progressToken": 1 },
    });
    let mut events = session.ask(json!(1), "tools/call", params).await.expect(200).events();
    let (first, _) = events.event().await.unwrap();
    while events.message().await.is_some() {}
    (session, first.unwrap())
}

/// Sessions are counted: many of them are refused before they cost much.
#[tokio::test]
async fn sessions_are_counted() {
    let provider = Provider::start().await;
    let served = served(&provider, ["--memory-per-user", "256KiB"]).await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let begin = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin });
    let request = Request::post(body.to_string());
    let (mut begun, mut refused) = (0, None);
    while refused.is_none() && begun < 100 {
        let reply = alice.send(request.clone()).await;
        match reply.status {
            429 => refused = Some(reply.json().await),
            _ => begun += 1,
        }
    }
    let refused = refused.expect("a refusal");
    assert!(error(&refused).1.contains("--memory-per-user"), "{refused}");
    assert!((4..20).contains(&begun), "{begun}");
    bob.session().await;
}

/// All users' budget: when one has used it up, those who hold little go on, and he is told that it is everybody's.
#[tokio::test]
async fn who_holds_little_goes_on_when_all_is_used_up() {
    let provider = Provider::start().await;
    let served = served(&provider, ["--memory", "2MiB"]).await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let mut whole = alice.calling("echo", json!({ "text": "x".repeat(4 * MIB) }));
    let length = whole.body.len().to_string();
    whole.body.truncate(3 * MIB);
    whole = whole.with("content-length", length);
    let _half = whole.send_only(served.at).await;
    let refused = soon("the refusal", async {
        loop {
            let reply = alice.calling("echo", json!({})).send(served.at).await;
            if reply.status == 503 {
                return reply;
            }
        }
    })
    .await;
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(bob.status().await, 200);
}

/// What a session wants to hear of is kept for as long as it lives, and counted.
#[tokio::test]
async fn subscriptions_are_counted() {
    let provider = Provider::start().await;
    for era in ["legacy", "modern"] {
        let flags = ["--memory-per-user", "256KiB", "--child-era", era];
        let setup = Mcpwrap::serve().oidc(&provider).flags(flags);
        let setup = if era == "modern" { setup.modern() } else { setup };
        let served = setup.start().await;
        let session = served.caller(&provider.token("alice")).session().await;
        let mut taken = 0;
        let refusal = loop {
            let uri = format!("test://{taken}-{}", "x".repeat(7000));
            let answer = session.get("resources/subscribe", json!({ "uri": uri })).await;
            if answer["error"].is_object() {
                break answer;
            }
            taken += 1;
        };
        assert!(error(&refusal).1.contains("--memory-per-user"), "{refusal}");
        assert!((3..20).contains(&taken), "{era}: {taken}");
    }
}
