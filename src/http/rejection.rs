//! Why a request is refused before its message is read; `status` says how.

use crate::limits::Short;

/// Why a request is refused before its message is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// A path that is not ours.
    Path,
    /// The metadata of the authorization server, which cannot be had now.
    NoServerMetadata,
    /// A foreign `Host` or `Origin` (checklist 1.2, 1.3).
    Foreign,
    /// The body is larger than allowed.
    TooLarge,
    /// There is no room for the body.
    NoRoom(Short),
    /// The body did not arrive.
    Incomplete,
    /// The body is not JSON by its own account (checklist 1.10).
    ContentType,
}
