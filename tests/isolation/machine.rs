//! Which kinds of walls this machine permits.

use crate::kernel::{has_landlock, has_namespaces};
use crate::users::Kind;

/// Whether walls of this kind can be built by whoever runs the test.
pub(crate) fn permits(kind: Kind) -> bool {
    match kind {
        Kind::Uid => has_landlock() && has_namespaces(true),
        Kind::Namespaces => has_landlock() && has_namespaces(false),
        Kind::UidAlone | Kind::Basic => has_landlock(),
        Kind::None => true,
    }
}
