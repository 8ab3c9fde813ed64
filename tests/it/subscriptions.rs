//! Changes that a child reports: to every client that asked for them, in the words of its era
//! (3.46 to 3.48, 4.31, 5.26 to 5.28, 6.12, 6.13, 6.29).

use crate::support::*;

pub(crate) const TAG: &str = "io.modelcontextprotocol/subscriptionId";

fn everything() -> Value {
    json!({ "toolsListChanged": true, "resourceSubscriptions": ["test://a"] })
}

/// 3.46: acknowledged first, each message tagged with the client's own id, type and all.
#[tokio::test]
async fn a_listen_is_acknowledged_and_tagged() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let modern = Modern::new(&served);
        for id in [json!(7), json!("7")] {
            let mut events = modern.listen(id.clone(), everything()).await;
            let first = events.expect("notifications/subscriptions/acknowledged").await;
            assert_eq!(first["params"]["notifications"], everything());
            assert_eq!(first["params"]["_meta"][TAG], id);
            modern.call("changed", json!({ "list": "prompts" })).await;
            modern.call("changed", json!({ "list": "tools" })).await;
            let change = events.expect("notifications/tools/list_changed").await;
            assert_eq!(change["params"]["_meta"][TAG], id);
            modern.call("updated", json!({ "uri": "test://b" })).await;
            modern.call("updated", json!({ "uri": "test://a" })).await;
            let update = events.expect("notifications/resources/updated").await;
            assert_eq!(
                (&update["params"]["uri"], &update["params"]["_meta"][TAG]),
                (&json!("test://a"), &id)
            );
        }
    }
}

/// 5.26: what the child cannot report, or refuses, is left out; the stream stays.
#[tokio::test]
async fn what_cannot_be_reported_is_left_out() {
    let served = Mcpwrap::dev().child(["--without", "prompts"]).start().await;
    let filter = json!({
        "toolsListChanged": true,
        "promptsListChanged": true,
        "resourceSubscriptions": ["test://a", "test://forbidden"],
    });
    let mut events = Modern::new(&served).listen(json!(1), filter).await;
    let first = events.message().await.unwrap();
    assert_eq!(first["params"]["notifications"], everything());
    let mut nothing = Modern::new(&served).listen(json!(1), json!({})).await;
    assert_eq!(nothing.message().await.unwrap()["params"]["notifications"], json!({}));
}

/// 3.48, 5.27: many listens, one subscription at the child, taken back by the last.
#[tokio::test]
async fn the_child_is_subscribed_for_as_long_as_somebody_listens() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    let mut one = modern.listen(json!(1), everything()).await;
    let mut other = modern.listen(json!(1), everything()).await;
    one.message().await;
    other.message().await;
    drop(one);
    modern.call("updated", json!({ "uri": "test://a" })).await;
    other.expect("notifications/resources/updated").await;
    drop(other);
    let seen = modern.call("journal", json!({ "until": "resources/unsubscribe" })).await;
    assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), 1);
}

/// A filter of another shape is refused.
#[tokio::test]
async fn a_filter_of_another_shape_is_refused() {
    let served = Mcpwrap::dev().start().await;
    let modern = Modern::new(&served);
    for filter in
        [json!([]), json!({ "toolsListChanged": "yes" }), json!({ "resourceSubscriptions": [1] })]
    {
        let params = json!({ "notifications": filter });
        let reply = modern.ask(json!(1), "subscriptions/listen", params).await.expect(400);
        assert_eq!(error(&reply.json().await).0, -32602);
    }
}

/// 6.29: hanging up takes the subscription of a modern child back.
#[tokio::test]
async fn hanging_up_cancels_the_listen_of_a_modern_child() {
    let served = Mcpwrap::dev().modern().start().await;
    let modern = Modern::new(&served);
    let mut events = modern.listen(json!(1), everything()).await;
    events.message().await;
    drop(events);
    modern.call("journal", json!({ "until": "notifications/cancelled" })).await;
}

/// 4.31: after a crash a listen goes on with the fresh child, and what may have been missed is made up for:
/// each list and each resource that was subscribed.
#[tokio::test]
async fn a_listen_survives_its_child() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let served = setup.start().await;
        let modern = Modern::new(&served);
        let filter = json!({
            "toolsListChanged": true,
            "promptsListChanged": true,
            "resourceSubscriptions": ["test://a"],
        });
        let mut events = modern.listen(json!("l"), filter).await;
        events.expect("notifications/subscriptions/acknowledged").await;
        kill_hard(modern.pid().await);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let message = events.message().await.expect("a listen that goes on");
            assert_eq!(message["params"]["_meta"][TAG], "l");
            seen.push(message["method"].as_str().unwrap().to_owned());
        }
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                "notifications/prompts/list_changed",
                "notifications/resources/updated",
                "notifications/tools/list_changed",
            ]
        );
        modern.call("updated", json!({ "uri": "test://a" })).await;
        events.expect("notifications/resources/updated").await;
    }
}

/// 2.17: list changes go to every session, updates to those that subscribed; one that unsubscribed hears no more.
#[tokio::test]
async fn legacy_sessions_hear_what_they_subscribed_to() {
    let served = Mcpwrap::dev().start().await;
    let (one, other) = (Session::new(&served).await, Session::new(&served).await);
    let (mut ones, mut others) = (one.listen().await, other.listen().await);
    let uri = json!({ "uri": "test://a" });
    assert_eq!(one.get("resources/subscribe", uri.clone()).await["result"], json!({}));
    other.call("updated", uri.clone()).await;
    let update = ones.expect("notifications/resources/updated").await;
    assert_eq!(update["params"], uri);
    assert_eq!(one.get("resources/unsubscribe", uri.clone()).await["result"], json!({}));
    other.call("updated", uri.clone()).await;
    other.call("changed", json!({ "list": "resources" })).await;
    for stream in [&mut ones, &mut others] {
        stream.expect("notifications/resources/list_changed").await;
    }
    let refused = one.get("resources/subscribe", json!({ "uri": "test://forbidden" })).await;
    assert_eq!(error(&refused).0, -32602);
}

/// 6.29, 1.22: a listen ends in peace with mcpwrap.
#[tokio::test]
async fn a_listen_ends_with_a_result() {
    for setup in [Mcpwrap::dev(), Mcpwrap::dev().modern()] {
        let mut served = setup.start().await;
        let mut events = Modern::new(&served).listen(json!("l"), everything()).await;
        events.message().await;
        served.signal(nix::sys::signal::Signal::SIGTERM);
        let last = events.message().await.unwrap();
        assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("l"), &json!("complete")));
        assert_eq!(last["result"]["_meta"][TAG], "l");
        assert_eq!(events.message().await, None);
        assert_eq!(served.ended().await.code(), Some(0));
    }
}

/// 3.46: a child that knows no subscriptions says so with the status that goes with it, not with an empty stream.
#[tokio::test]
async fn a_child_without_subscriptions_says_so() {
    let served = Mcpwrap::dev().modern().child(["--mute"]).start().await;
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let reply = Modern::new(&served).ask(json!(1), "subscriptions/listen", params).await;
    assert_eq!(error(&reply.expect(404).json().await).0, -32601);
}
