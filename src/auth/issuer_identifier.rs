//! Which issuer a token names, and what its metadata must say.
//!
//! Issuers are compared character by character; the only exception is the placeholder in the metadata of
//! Entra's endpoints for many tenants.

use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

use super::settings::preset::{Preset, entra_tenant};

/// Stands in Entra's shared metadata for the tenant of the token.
pub(super) const TENANT_PLACEHOLDER: &str = "{tenantid}";

/// An issuer's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IssuerIdentifier {
    /// One string.
    Exact(String),
    /// `{tenantid}` stands for the token's own tenant.
    PerTenant {
        /// As configured; discovery starts here.
        url: String,
        /// As the metadata and, with the tenant put in, the tokens say it.
        template: String,
    },
}

// === impl IssuerIdentifier ===

impl IssuerIdentifier {
    pub(super) fn of(url: &str, idp: Preset) -> Self {
        let tenant = Url::parse(url).ok().and_then(|url| entra_tenant(&url));
        match tenant.as_deref() {
            Some(shared @ ("common" | "organizations")) if idp == Preset::Entra => {
                Self::PerTenant {
                    url: url.to_owned(),
                    template: url.replacen(shared, TENANT_PLACEHOLDER, 1),
                }
            }
            _ => Self::Exact(url.to_owned()),
        }
    }

    /// The configured URL.
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Exact(url) | Self::PerTenant { url, .. } => url,
        }
    }

    /// What the metadata must name as their issuer.
    pub(super) fn in_metadata(&self) -> &str {
        match self {
            Self::Exact(url) => url,
            Self::PerTenant { template, .. } => template,
        }
    }

    /// Whether a token with these claims claims to be of this issuer.
    pub(super) fn is_of(&self, iss: &str, claims: &BTreeMap<String, Value>) -> bool {
        match self {
            Self::Exact(url) => url == iss,
            Self::PerTenant { template, .. } => tenant_of(claims)
                .is_some_and(|tenant| template.replace(TENANT_PLACEHOLDER, tenant) == iss),
        }
    }
}

/// The tenant's GUID; nothing else may be put into a URL.
pub(super) fn tenant_of(claims: &BTreeMap<String, Value>) -> Option<&str> {
    let tenant = claims.get("tid")?.as_str()?;
    let guid = tenant.len() == 36
        && tenant.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    guid.then_some(tenant)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";

    fn claims(tid: &str) -> BTreeMap<String, Value> {
        BTreeMap::from([("tid".to_owned(), json!(tid))])
    }

    #[test]
    fn a_slash_makes_another_issuer() {
        let id = IssuerIdentifier::of("https://idp.example", Preset::Generic);
        assert!(id.is_of("https://idp.example", &BTreeMap::new()));
        for other in [
            "https://idp.example/",
            "https://IDP.example",
            "https://idp.example:443",
            "https://idp.example/x",
        ] {
            assert!(!id.is_of(other, &BTreeMap::new()), "{other}");
        }
    }

    #[test]
    fn a_shared_entra_endpoint_takes_the_token_s_own_tenant() {
        let id =
            IssuerIdentifier::of("https://login.microsoftonline.com/common/v2.0", Preset::Entra);
        assert_eq!(id.in_metadata(), "https://login.microsoftonline.com/{tenantid}/v2.0");
        let iss = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        assert!(id.is_of(&iss, &claims(TENANT)));
        assert!(!id.is_of(&iss, &claims("99999999-2222-3333-4444-555555555555")));
        assert!(!id.is_of(&iss, &BTreeMap::new()));
        assert!(!id.is_of("https://login.microsoftonline.com/../v2.0", &claims("..")));
    }
}
