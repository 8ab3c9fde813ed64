//! The public keys of the issuers: found, fetched, kept fresh, and used to check signatures.
//!
//! It knows nothing of what a token claims.

mod discovery;
pub(in crate::auth) mod issuer_keys;
pub(in crate::auth) mod key_set;
