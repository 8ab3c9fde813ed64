//! What those are told whose child has ended: that their call may have been carried out, or that nothing of it has left.

use super::*;
use crate::auth::Principal;
use crate::limits::Accounts;
use crate::server::Internal;

async fn is_unsent(call: &mut Conversation) -> bool {
    matches!(call.next().await, Event::Done(Outcome::Unsent(_)))
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_output_is_told_to_everybody_who_waits() {
    let World { child, mut server, running } = World::new(Era::Legacy);
    let mut sent = child.converse(tool("a", Some(1)), None);
    let mut waiting = child.converse(tool("b", Some(2)), None);
    let own = child.clone();
    let listing =
        tokio::spawn(async move { own.ask(Internal::ListTools { cursor: None }, GRACE).await });
    for _ in 0..2 {
        server.read().await;
    }
    drop(server);
    assert!(matches!(running.await.unwrap(), End::Exited));
    assert!(is_lost(&mut sent).await && is_unsent(&mut waiting).await);
    assert!(matches!(listing.await.unwrap(), Outcome::Lost(_)));
    child.closed().await;
    let mut late = child.converse(tool("c", None), None);
    assert!(is_unsent(&mut late).await);
}

/// Whoever is told that nothing of his call has left may send it again: a part of a line is too much.
#[tokio::test(start_paused = true)]
async fn what_has_left_in_part_is_lost_and_what_has_not_is_unsent() {
    let World { child, server, running } = World::with_pipe(Era::Legacy, 16);
    let mut part = child.converse(tool("a", Some(1)), None);
    let mut behind = child.converse(tool("b", Some(1)), None);
    let mut held = child.converse(tool("c", Some(2)), None);
    let Server { mut reader, writer } = server;
    // A part of the first line is there, so that what can leave has left.
    assert!(!reader.fill_buf().await.unwrap().is_empty());
    drop((reader, writer));
    running.await.unwrap();
    assert!(is_lost(&mut part).await);
    assert!(is_unsent(&mut behind).await && is_unsent(&mut held).await);
}

/// A modern server's call whose later turn cannot be sent was sent once.
#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_go_on_is_lost_and_not_unsent() {
    let mut world = World::new(Era::Modern);
    let (mut call, id) = world.call("t", None).await;
    let needs = json!({
        "resultType": "input_required",
        "inputRequests": { "k": { "method": "elicitation/create", "params": { "message": "?" } } },
    });
    world.server.answer(id, &needs).await;
    let ask = asked(&mut call).await;
    call.next().await;
    drop(world.server);
    world.running.await.unwrap();
    call.proceed();
    call.answer(&ask.key, accepted());
    assert!(is_lost(&mut call).await);
}

#[tokio::test(start_paused = true)]
async fn answers_that_were_given_before_the_server_stopped_reading_count() {
    let mut world = World::new(Era::Legacy);
    let (mut first, id) = world.call("a", Some(1)).await;
    let Server { reader, mut writer } = world.server;
    drop(reader);
    let mut second = world.child.converse(tool("b", Some(1)), None);
    let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n");
    writer.write_all(answer.as_bytes()).await.unwrap();
    assert_eq!(result(&mut first).await, "{}");
    assert!(is_unsent(&mut second).await);
    assert!(matches!(world.running.await.unwrap(), End::Exited));
}

/// Its id is the server's own, and may be that of a call as well.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_long_is_refused_and_harms_no_call() {
    let mut world = World::new(Era::Legacy);
    let (mut call, id) = world.call("a", Some(1)).await;
    let text = "x".repeat(MAX_LINE);
    world.server.write(&format!(
        r#"{{"method":"sampling/createMessage","params":{{"x":"{text}"}},"jsonrpc":"2.0","id":{id}}}"#
    )).await;
    let refusal = world.server.read().await;
    assert_eq!(refusal["id"], id);
    let why = refusal["error"]["message"].as_str().unwrap();
    assert!(why.contains("--max-line"), "{why}");
    world.server.answer(id, &json!({})).await;
    assert_eq!(result(&mut call).await, "{}");
}

/// The line that it came in is charged too, but not any more when the question is.
#[tokio::test(start_paused = true)]
async fn a_large_question_needs_room_only_once() {
    let account = Accounts::of_many(usize::MAX, 1_000_000).of(Principal::local().user());
    let mut world = World::charged(Era::Legacy, 64 * 1024, account);
    let (mut call, _) = world.call("a", Some(1)).await;
    let params = json!({ "message": "x".repeat(700_000) });
    world.server.send(json!({ "id": 70, "method": "elicitation/create", "params": params })).await;
    let ask = asked(&mut call).await;
    call.answer(&ask.key, accepted());
    assert_eq!(world.server.read().await["id"], 70);
}
