//! A part of an account that comes back when it is dropped, and bytes that carry theirs with them.

use std::sync::Arc;

use bytes::Bytes;

use super::account::{Account, Short};

/// Bytes of an account; dropping it gives them back.
#[derive(Debug)]
pub struct Share {
    account: Arc<Account>,
    bytes: usize,
}

/// Bytes and their charge.
struct Held {
    bytes: Bytes,
    _share: Share,
}

// === impl Share ===

impl Share {
    /// Nothing yet.
    #[must_use]
    pub fn of(account: &Arc<Account>) -> Self {
        Self { account: Arc::clone(account), bytes: 0 }
    }

    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Makes it this large where that fits, as one item; smaller always does.
    ///
    /// # Errors
    /// When there is no room; it is as large as before then.
    pub fn try_set(&mut self, bytes: usize) -> Result<(), Short> {
        if bytes > self.bytes {
            self.account.try_add(bytes - self.bytes, self.bytes)?;
            self.bytes = bytes;
        } else {
            self.set(bytes);
        }
        Ok(())
    }

    /// Adds an item of its own to what is there, where that fits.
    ///
    /// # Errors
    /// When there is no room; it is as large as before then.
    pub fn try_add(&mut self, bytes: usize) -> Result<(), Short> {
        self.account.try_add(bytes, 0)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Makes it this large, also beyond what fits: for what is there already.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.account.add(bytes - self.bytes);
        } else if bytes < self.bytes {
            self.account.remove(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

// === impl Held ===

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes, which hold their share as long as anybody holds any part of them.
#[must_use]
pub fn hold(bytes: Bytes, share: Share) -> Bytes {
    Bytes::from_owner(Held { bytes, _share: share })
}
