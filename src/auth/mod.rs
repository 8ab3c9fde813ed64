//! Who is asking: turns what a request carries into a [`Principal`], or refuses it.
//!
//! Only this module makes a [`Principal`]. It knows nothing of children, credentials to inject or MCP, and reads no file:
//! the secrets of clients come with the [`Settings`] and are spent in `opaque`.
//!
//! How a token becomes a [`Principal`], in the order that `verifier` keeps:
//!
//! 1. `bearer` finds the one token of a request; a client without one is told by [`challenge`] and [`metadata`] where to
//!    get it.
//! 2. `jwt` takes a signed token apart without believing any of it. The issuer that it names must be a
//!    `trusted_issuer`, and one of that issuer's `keys` must have signed it.
//! 3. A token that only its issuer can read is `opaque`: the issuer is asked, and asked again while the token is in use.
//! 4. `claims` says whether what came out may be believed: its purpose, its audience, its times.
//! 5. `claims::mapping` makes the [`Principal`] of it, and `admission` lets him in or not.
//!
//! [`Settings::validate`] says what is wrong before anybody calls; [`Authenticator::authenticate`] is asked once per
//! request; [`Principal::ended`] tells a stream when its token is over.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::HeaderMap;

mod admission;
mod bearer;
mod claims;
mod clock;
mod denied;
mod error;
mod issuer_identifier;
mod jwt;
mod keys;
mod opaque;
mod principal;
mod settings;
mod trusted_issuer;
mod verifier;

#[cfg(test)]
mod tests;

pub use bearer::challenge::challenge;
pub use bearer::metadata;
pub use clock::Clock;
pub use denied::{Denied, Reason};
pub use error::Error;
pub use keys::issuer_keys::IssuerStatus;
pub use principal::Principal;
pub use principal::token_life::{End, Fingerprint};
pub use principal::user_id::{Kind, UserId};
pub use settings::preset::{Preset, Reach, Rules, TokenType, UnknownPreset};
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
    /// Who sends a request with these headers and this query, from the network whose first address is `from`.
    ///
    /// # Errors
    /// [`Denied`] says which kind of answer is due; it is logged already.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        from: IpAddr,
    ) -> Result<Arc<Principal>, Denied> {
        match self {
            Self::Local => Ok(LOCAL.clone()),
            Self::Oidc(verifier) => verifier.authenticate(headers, query, from).await,
        }
    }

    /// The metadata of the only issuer, as it wrote them, if they can be had now.
    pub async fn server_metadata(&self) -> Option<Bytes> {
        match self {
            Self::Local => None,
            Self::Oidc(verifier) => verifier.server_metadata().await,
        }
    }
}
