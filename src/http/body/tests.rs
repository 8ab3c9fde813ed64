//! Bodies that are late, endless or too many, without a socket.

use std::convert::Infallible;

use futures_util::stream;
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;
use crate::auth::Principal;
use crate::limits::Accounts;

const LIMIT: usize = 1 << 20;

type Part = Result<Frame<Bytes>, Infallible>;

/// A body of which this much has come, and the end by which the rest would.
fn begun(bytes: usize) -> (UnboundedSender<Part>, impl Body<Data = Bytes> + Unpin) {
    let (sender, receiver) = unbounded_channel();
    send(&sender, bytes);
    let parts =
        stream::unfold(
            receiver,
            |mut receiver| async move { Some((receiver.recv().await?, receiver)) },
        );
    (sender, StreamBody::new(Box::pin(parts)))
}

fn send(sender: &UnboundedSender<Part>, bytes: usize) {
    sender.send(Ok(Frame::data(Bytes::from(vec![b'x'; bytes])))).unwrap();
}

/// The clock jumps to what is waited for next.
#[tokio::test(start_paused = true)]
async fn a_body_has_a_deadline() {
    let (sender, body) = begun(10);
    let began = tokio::time::Instant::now();
    let read = read(body, LIMIT, &Account::unlimited(), || {}).await;
    assert_eq!(read, Err(Rejection::Incomplete));
    assert_eq!(began.elapsed(), ARRIVES_WITHIN);
    drop(sender);
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit() {
    let account = Account::unlimited();
    for (length, fits) in [(0, true), (LIMIT, true), (LIMIT + 1, false)] {
        let body = Full::new(Bytes::from(vec![b'x'; length]));
        let read = read(body, LIMIT, &account, || {}).await;
        assert_eq!(read.map(|body| body.len()), fits.then_some(length).ok_or(Rejection::TooLarge));
    }
}

/// What half a body takes is charged before the rest of it comes, and as long as anybody has a part of it.
#[tokio::test]
async fn half_sent_bodies_are_charged() {
    let accounts = Accounts::of_many(usize::MAX, 8 * LARGE);
    let account = accounts.of(Principal::local().user());
    let (one, body) = begun(6 * LARGE);
    let reading = tokio::spawn({
        let account = Arc::clone(&account);
        async move { read(body, LIMIT, &account, || {}).await }
    });
    while account.held() < 6 * LARGE {
        tokio::task::yield_now().await;
    }
    let (_other, body) = begun(3 * LARGE);
    let tried = std::cell::Cell::new(0);
    let refused = read(body, LIMIT, &account, || tried.set(tried.get() + 1)).await;
    assert_eq!(refused, Err(Rejection::NoRoom(crate::limits::Short::User)));
    assert_eq!(tried.get(), 1, "what can be done without goes first");
    send(&one, LARGE);
    drop(one);
    let whole = reading.await.unwrap().unwrap();
    assert_eq!(whole.len(), 7 * LARGE);
    assert_eq!(account.held(), 7 * LARGE);
    let part = whole.slice(..1);
    drop(whole);
    assert_eq!(account.held(), 7 * LARGE, "a part holds all of it");
    drop(part);
    assert_eq!(account.held(), 0);
}
