//! What an issuer says about a token that it was asked about.

use crate::auth::claims::Claims;
use crate::auth::denied::Reason;

/// What the issuer says.
#[derive(Debug)]
pub(in crate::auth) enum Verdict {
    Active(Claims),
    Refused(Reason),
}
