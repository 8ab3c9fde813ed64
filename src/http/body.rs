//! The body of a request, read within its limit, its time and its sender's bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::rejection::Rejection;
use crate::limits::{Account, LARGE, Share, hold};

/// How long a client may take to send its body.
pub(super) const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// Reads a whole body of at most `limit` bytes. A large one is charged as it arrives, and stays charged as long as
/// anybody holds any part of it; where there is no room, `make_room` is called once.
pub(super) async fn read<B>(
    body: B,
    limit: usize,
    account: &Arc<Account>,
    make_room: impl Fn(),
) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
{
    let reading = read_all(body, limit, account, make_room);
    tokio::time::timeout(ARRIVES_WITHIN, reading).await.unwrap_or(Err(Rejection::Incomplete))
}

async fn read_all<B>(
    mut body: B,
    limit: usize,
    account: &Arc<Account>,
    make_room: impl Fn(),
) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut share = Share::of(account);
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::Incomplete)?;
        // Trailers say nothing that we read.
        let Ok(frame) = frame.into_data() else { continue };
        let length = first.len() + whole.len() + frame.len();
        if length > limit {
            return Err(Rejection::TooLarge);
        }
        if length >= LARGE && share.try_set(length).is_err() {
            make_room();
            share.try_set(length).map_err(Rejection::NoRoom)?;
        }
        // Most bodies come in one piece, which is not copied.
        if first.is_empty() && whole.is_empty() {
            first = frame;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&frame);
        }
    }
    let all = if whole.is_empty() { first } else { whole.freeze() };
    Ok(if all.len() >= LARGE { hold(all, share) } else { all })
}

#[cfg(test)]
mod tests;
