//! Server-sent events: one compact line of JSON per event, and a comment when it has been quiet
//! (checklist 1.13–1.15).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::time::{Instant, Sleep};

use crate::client::{Frame, Frames};

/// Payloads above this go out as they are; smaller ones are joined with their event.
const JOINED_BELOW: usize = 16 * 1024;

/// A stream of events as a response.
pub(super) fn response(frames: Frames, keep_alive: Duration) -> Response {
    let events = Events {
        frames,
        pieces: VecDeque::new(),
        keep_alive,
        quiet: Box::pin(tokio::time::sleep(keep_alive)),
        started: false,
    };
    let mut response = Response::new(Body::new(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct Events {
    frames: Frames,
    pieces: VecDeque<Bytes>,
    keep_alive: Duration,
    quiet: Pin<Box<Sleep>>,
    started: bool,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let data = |bytes| Poll::Ready(Some(Ok(http_body::Frame::data(bytes))));
        if let Some(piece) = self.pieces.pop_front() {
            return data(piece);
        }
        match self.frames.as_mut().poll_next(context) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(frame)) => {
                self.pieces = write(frame);
                self.rest();
                if let Some(piece) = self.pieces.pop_front() {
                    return data(piece);
                }
            }
            Poll::Pending => {}
        }
        // The first bytes go out at once, so that proxies and clients see the stream begin.
        if !std::mem::replace(&mut self.started, true) {
            self.rest();
            let _ = self.quiet.as_mut().poll(context);
            return data(Bytes::from_static(b":\n\n"));
        }
        if self.quiet.as_mut().poll(context).is_ready() {
            self.rest();
            let _ = self.quiet.as_mut().poll(context);
            return data(Bytes::from_static(b": keep-alive\n\n"));
        }
        Poll::Pending
    }
}

impl Events {
    fn rest(&mut self) {
        self.started = true;
        let until = Instant::now() + self.keep_alive;
        self.quiet.as_mut().reset(until);
    }
}

fn write(frame: Frame) -> VecDeque<Bytes> {
    let mut head = BytesMut::with_capacity(256);
    if let Some(id) = &frame.id {
        head.extend_from_slice(b"id: ");
        head.extend_from_slice(id.as_bytes());
        head.extend_from_slice(b"\n");
    }
    if let Some(name) = frame.name {
        head.extend_from_slice(b"event: ");
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b"\n");
    }
    if let Some(retry) = frame.retry {
        head.extend_from_slice(format!("retry: {}\n", retry.as_millis()).as_bytes());
    }
    head.extend_from_slice(b"data: ");
    let size = frame.content.len();
    let pieces = frame.content.0;
    if size < JOINED_BELOW {
        for piece in pieces {
            head.extend_from_slice(&piece);
        }
        head.extend_from_slice(b"\n\n");
        return VecDeque::from([head.freeze()]);
    }
    let mut all = VecDeque::with_capacity(pieces.len() + 2);
    all.push_back(head.freeze());
    all.extend(pieces);
    all.push_back(Bytes::from_static(b"\n\n"));
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::Content;
    use crate::mcp::Raw;

    fn text(frame: Frame) -> String {
        String::from_utf8(write(frame).into_iter().flatten().collect()).unwrap()
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let params = Raw::parse("{\r\n\"a\":\n1}").unwrap();
        let content = Content::notification("n", Some(&params));
        let frame = Frame { id: Some("1-2".to_owned()), content, ..Frame::default() };
        assert_eq!(
            text(frame),
            "id: 1-2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{  \"a\": 1}}\n\n"
        );
        let priming = Frame { id: Some("1-0".to_owned()), ..Frame::default() };
        assert_eq!(text(priming), "id: 1-0\ndata: \n\n");
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_stays_in_its_event(value in any::<String>(), pretty in any::<bool>()) {
            let value = serde_json::json!({ "text": value, "list": [1, { "x": null }] });
            let json = if pretty { format!("{value:#}") } else { value.to_string() };
            let params = Raw::parse(json).unwrap();
            let written = text(Frame {
                content: Content::notification("n", Some(&params)),
                ..Frame::default()
            });
            let body = written.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
            prop_assert!(!body.contains(['\n', '\r']));
            let back: serde_json::Value = serde_json::from_str(body).unwrap();
            prop_assert_eq!(&back["params"], &value);
        }
    }
}
