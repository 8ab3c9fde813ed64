//! The body of a request, read within its limit and its time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::rejection::Rejection;

/// How long a client may take to send its body.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn read(body: Incoming, limit: usize) -> Result<Bytes, Rejection> {
    let whole = Limited::new(body, limit).collect();
    let Ok(whole) = tokio::time::timeout(ARRIVES_WITHIN, whole).await else {
        return Err(Rejection::Incomplete);
    };
    match whole {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge),
        Err(_) => Err(Rejection::Incomplete),
    }
}
