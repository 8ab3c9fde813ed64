//! Tokens that only their issuer can read: whom to ask about them, and which of them to ask about again.
//!
//! It does not judge the claims that come back.

mod github;
mod google;
mod introspection;
pub(in crate::auth) mod network_shares;
pub(in crate::auth) mod opaque_token;
pub(in crate::auth) mod refused_tokens;
pub(in crate::auth) mod revocation_watch;
pub(in crate::auth) mod verdict;
