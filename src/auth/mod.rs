//! Who is asking: turns what a request carries into a [`Principal`], or refuses it.
//!
//! Only this module makes a [`Principal`]. It knows nothing of children, credentials to inject or MCP.
//!
//! [`Settings::validate`] says what is wrong before anybody calls; [`Authenticator::authenticate`] is asked
//! once per request; [`Principal::ended`] tells a stream when its token is over; [`challenge`] and
//! [`metadata`] tell a client where to get a token.

use std::sync::{Arc, LazyLock};

use http::HeaderMap;

mod bearer;
mod check;
mod claims;
mod clock;
mod denied;
mod discovery;
mod error;
mod github;
mod google;
mod identity;
mod introspection;
mod issuer;
mod issuer_keys;
mod jwt;
mod keyset;
pub mod metadata;
mod oracle;
mod preset;
mod principal;
mod quirks;
mod roll;
mod settings;
mod source;
mod strict;
mod verifier;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use denied::{Denied, Reason, challenge};
pub use error::Error;
pub use issuer_keys::IssuerStatus;
pub use preset::{Preset, Reach, Rules, TokenType, UnknownPreset};
pub use principal::{End, Fingerprint, Kind, Principal, UserId};
pub use settings::{
    Algorithm, Allow, AskWhen, Client, FurtherRules, Introspection, Issuer, Limits, Machines,
    Settings, UnknownAlgorithm,
};
pub use verifier::Verifier;

static LOCAL: LazyLock<Arc<Principal>> = LazyLock::new(|| Arc::new(Principal::local()));

/// How requests are told apart; the composition root chooses.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// Every request is the one developer's.
    Local,
    /// Every request carries a token of a configured issuer.
    Oidc(Arc<Verifier>),
}

// === impl Authenticator ===

impl Authenticator {
    /// Who sends a request with these headers and this query.
    ///
    /// # Errors
    /// [`Denied`] says which kind of answer is due; it is logged already.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Arc<Principal>, Denied> {
        match self {
            Self::Local => Ok(LOCAL.clone()),
            Self::Oidc(verifier) => verifier.authenticate(headers, query).await,
        }
    }
}
