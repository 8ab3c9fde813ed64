//! JSON text that is kept for as long as somebody pleases, at the cost of the user whose child or client wrote it.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::limits::{Account, Share, Short, hold};
use crate::mcp::Raw;

/// A copy that pins no larger buffer and is charged as long as anybody holds any part of it.
///
/// # Errors
/// When there is no room for it.
pub(super) fn charged(raw: &Raw, account: &Arc<Account>) -> Result<Raw, Short> {
    let mut share = Share::of(account);
    share.try_set(raw.len())?;
    let copy = hold(Bytes::copy_from_slice(raw.bytes()), share);
    let text = ByteString::try_from(copy).ok();
    // What was JSON still is.
    Ok(text.and_then(|text| Raw::parse(text).ok()).unwrap_or_else(|| raw.detached()))
}
