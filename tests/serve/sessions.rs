//! Sessions belong to who opened them, and streams live no longer than their token
//! (protocol-checklist 2.5, 2.35, 7.17).

use crate::support::*;

#[tokio::test]
async fn a_foreign_session_looks_like_none() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let alice = served.caller(&provider.token("alice")).session().await;
    let unknown = Session { id: "0123456789abcdef0123456789abcdef".to_owned(), ..alice.clone() };
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
            (
                stolen.begin(json!(1), "whoami", json!({})).await,
                unknown.begin(json!(1), "whoami", json!({})).await,
            ),
            (
                served.send(&stolen.listening(None)).await,
                served.send(&unknown.listening(None)).await,
            ),
            (stolen.delete().await, unknown.delete().await),
        ] {
            assert_eq!((reply.status, like.status), (404, 404));
            assert_eq!(reply.json().await, like.json().await);
        }
    }
    // A security event for each try, by whom it was, and none of it hurt the owner.
    let events = served.incidents("foreign_session", 9).await;
    let by = |subject: &str, client: &str| {
        let of =
            |event: &&Value| event["who"]["subject"] == subject && event["who"]["client"] == client;
        events.iter().filter(of).count()
    };
    assert_eq!(
        (by("bob", "client-1"), by("alice", "client-2"), by("alice", "client-1")),
        (3, 3, 3)
    );
    assert_eq!(alice.begin(json!(1), "whoami", json!({})).await.status, 200);
    assert_eq!(alice.delete().await.status, 204);
    assert_eq!(alice.begin(json!(1), "whoami", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_session_is_no_substitute_for_a_token() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let alice = served.caller(&provider.token("alice")).session().await;
    let expired = served.caller(&provider.token_with(json!({ "exp": now() - 90 })));
    let late = alice.taken_by(&expired);
    assert_eq!(late.begin(json!(1), "whoami", json!({})).await.status, 401);
    assert_eq!(served.send(&late.listening(None)).await.status, 401);
    assert_eq!(late.delete().await.status, 401);
    // A fresh token of the same user and client goes on with it.
    let fresh = served.caller(&provider.token_with(json!({ "jti": "fresh" })));
    assert_eq!(alice.taken_by(&fresh).begin(json!(1), "whoami", json!({})).await.status, 200);
}

/// What a stream has said is kept for its owner; somebody else's number of an event is nothing in his own session.
#[tokio::test]
async fn what_a_stream_said_is_kept_for_its_owner() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let (ones, others) = (alice.session().await, bob.session().await);
    let mut stream = ones.listen().await;
    for _ in 0..2 {
        alice.call("changed", json!({ "list": "tools" })).await;
    }
    let (first, _) = stream.tagged().await.unwrap();
    let (first, _) = (first.unwrap(), stream.tagged().await.unwrap());
    drop(stream);
    assert_eq!(ones.taken_by(&bob).resume(&first).await.status, 404);
    // Within his own session her number leads to nothing of hers.
    assert_eq!(others.resume(&first).await.status, 400);
    let mut own = others.listen().await;
    bob.call("changed", json!({ "list": "prompts" })).await;
    let heard = own.message().await.unwrap();
    assert_eq!(heard["method"], "notifications/prompts/list_changed");
    let mut again = ones.resume(&first).await.expect(200).events();
    assert_eq!(again.message().await.unwrap()["method"], "notifications/tools/list_changed");
}

/// A call that waits for answers goes on for the caller who began it, and for nobody else who holds its state.
#[tokio::test]
async fn a_parked_call_goes_on_for_its_caller_alone() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let caller = Modern::with(&served, json!({ "elicitation": { "form": {} } }));
    let alice = caller.clone().bearing(&provider.token("alice"));
    let parked = alice.call("ask", json!({})).await;
    let state = &parked["result"]["requestState"];
    let requests = parked["result"]["inputRequests"].as_object().unwrap();
    let answers: Value = requests
        .keys()
        .map(|key| (key.clone(), json!({ "action": "accept", "content": { "n": 7 } })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let retry = async |by: &Modern| by.retry("ask", &json!({}), state, answers.clone()).await;
    for thief in [
        provider.token("bob"),
        provider.token_with(json!({ "client_id": "client-2" })),
        provider.token_with(json!({ "act": { "sub": "agent" } })),
    ] {
        let answer = retry(&caller.clone().bearing(&thief)).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    served.incidents("foreign_state", 3).await;
    let params = json!({
        "name": "ask", "arguments": {}, "requestState": state, "inputResponses": answers,
    });
    assert_eq!(caller.ask(json!(1), "tools/call", params).await.status, 401);
    let done = retry(&alice).await;
    assert_eq!(structured(&done)["answers"][0]["result"]["content"]["n"], 7);
    let twice = retry(&alice).await;
    assert!(twice["error"].is_object(), "a state serves once: {twice}");
}

/// The oldest transport names its session in the query, where anybody may have read it.
#[tokio::test]
async fn a_link_of_the_oldest_transport_is_its_owners() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--legacy-sse"]).start().await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    served.stderr.wait(&format!("{} and http://{}/sse", served.url, served.at)).await;
    let open = Request::new("GET").header("accept", "text/event-stream");
    let open = Request { target: "/sse".to_owned(), ..open };
    assert_eq!(open.clone().send(served.at).await.status, 401);
    let mut stream = alice.send(open).await.expect(200);
    let mut said = String::new();
    while !said.contains("sessionId=") || !said.ends_with("\n\n") {
        said.push_str(str::from_utf8(&stream.chunk().await.unwrap()).unwrap());
    }
    let target = said.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    let hello = json!({
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "s", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello });
    let request = || Request { target: target.clone(), ..Request::post(body.to_string()) };
    assert_eq!(bob.send(request()).await.status, 404);
    assert_eq!(request().send(served.at).await.status, 401);
    // Before the handshake already it is a session of hers, and his try is on record.
    let events = served.incidents("foreign_session", 1).await;
    assert_eq!((events.len(), &events[0]["who"]["subject"]), (1, &json!("bob")));
    assert_eq!(alice.send(request()).await.status, 202);
}

/// What a token's end ends: the streams of sessions and of subscriptions. A modern call under way may finish.
#[tokio::test]
async fn streams_end_with_their_token() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let (alice, bob) =
        (served.caller(&provider.token("alice")), served.caller(&provider.token("bob")));
    let session = alice.session().await;
    // Within the leeway of a minute for some more seconds.
    let short = served.caller(&provider.token_with(json!({ "exp": now() - 55 })));
    let (mut standalone, mut subscription) =
        (session.taken_by(&short).listen().await, short.subscribe().await);
    let (mut others, mut longer) = (bob.session().await.listen().await, alice.subscribe().await);
    let held = tokio::spawn(async move {
        let answer = short.call("hold", json!({ "key": "k" })).await;
        (short, answer)
    });
    alice.call("held", json!({ "count": 1 })).await;
    assert_eq!(standalone.message().await, None, "the stream of the session ends");
    while let Some(last) = subscription.message().await {
        assert!(last["method"].is_null(), "a result at the most: {last}");
    }
    alice.call("release", json!({ "key": "k" })).await;
    let (short, answer) = soon("the answer of the call under way", held).await.unwrap();
    assert_eq!(structured(&answer)["key"], "k");
    assert_eq!(short.status().await, 401);
    // The session goes on with a living token, and nobody else's streams have ended.
    assert_eq!(session.begin(json!(1), "whoami", json!({})).await.status, 200);
    for (caller, stream) in [(&alice, &mut longer), (&bob, &mut others)] {
        caller.call("changed", json!({ "list": "tools" })).await;
        let heard = stream.message().await.unwrap();
        assert_eq!(heard["method"], "notifications/tools/list_changed");
    }
}

/// Open sessions and their streams take no place from others: more users than there may be children, all served, again
/// and again, and each is told when his server was started anew.
#[tokio::test]
async fn more_users_than_places_are_served_in_open_sessions() {
    const PLACES: usize = 2;
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--max-children", "2"]).start().await;
    let mut users = Vec::new();
    for number in 0..3 * PLACES {
        let caller = served.caller(&provider.token(&format!("user-{number}")));
        let session = caller.session().await;
        let stream = session.listen().await;
        session.get("logging/setLevel", json!({ "level": "notice" })).await;
        session.get("resources/subscribe", json!({ "uri": "test://a" })).await;
        let first = session.pid().await;
        users.push((session, stream, first));
    }
    for round in 0..2 {
        for (number, (session, stream, pid)) in users.iter_mut().enumerate() {
            let next = session.pid().await;
            assert_ne!(next, *pid, "user {number} in round {round}");
            *pid = next;
            stream.expect("notifications/tools/list_changed").await;
            for told in ["prompts/list_changed", "resources/list_changed", "resources/updated"] {
                stream.expect(&format!("notifications/{told}")).await;
            }
            stream.expect("notifications/message").await;
            let seen = session.call("journal", json!({ "until": "resources/subscribe" })).await;
            assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), 1);
        }
    }
    let alive = users.iter().filter(|(_, _, pid)| is_alive(*pid)).count();
    assert!(alive <= PLACES, "{alive} children");
}

/// The first child of all is greeted twice, and its place is like the others' all the same: it makes room for whoever
/// comes.
#[tokio::test]
async fn a_child_that_was_greeted_twice_makes_room_as_well() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).child(["--dual", "--needs", "TOKEN"]);
    for name in ["alice", "bob", "carol"] {
        write_private(&setup.dir.join(name), &format!("the key of {name}"));
    }
    let credential = format!("TOKEN=file:{}/{{sub}}", setup.dir.display());
    let flags = ["--child-era", "auto", "--credential", &credential, "--max-children", "2"];
    let served = setup.flags(flags).start().await;
    let mut sessions = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let session = served.caller(&provider.token(name)).session().await;
        session.pid().await;
        sessions.push(session);
    }
}

/// A stream that nothing can come on any more says so.
#[tokio::test]
async fn a_link_of_the_oldest_transport_ends_with_its_session() {
    let provider = Provider::start().await;
    let flags = ["--legacy-sse", "--session-idle", "1s"];
    let served = Mcpwrap::serve().oidc(&provider).flags(flags).start().await;
    let alice = served.caller(&provider.token("alice"));
    let open = Request::new("GET").header("accept", "text/event-stream");
    let mut stream = alice.send(Request { target: "/sse".to_owned(), ..open }).await.expect(200);
    let mut said = String::new();
    while !said.contains("sessionId=") || !said.ends_with("\n\n") {
        said.push_str(str::from_utf8(&stream.chunk().await.unwrap()).unwrap());
    }
    let target = said.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    let hello = json!({
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "s", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello });
    let request = Request { target, ..Request::post(body.to_string()) };
    assert_eq!(alice.send(request).await.status, 202);
    soon("the end of the stream", async { while stream.chunk().await.is_some() {} }).await;
}
