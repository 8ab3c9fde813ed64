//! The content of a reply as a body, without joining its pieces.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::client::Content;

/// A body of pieces; one piece needs no more than its bytes.
pub(super) fn body(content: Content) -> Body {
    let mut pieces = content.0;
    match pieces.len() {
        0 => Body::empty(),
        1 => Body::from(pieces.remove(0)),
        _ => Body::new(Pieces {
            left: pieces.iter().map(|p| p.len() as u64).sum(),
            pieces: pieces.into(),
        }),
    }
}

struct Pieces {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
