//! What is peculiar about each identity provider, as plain options that can be shown.
//!
//! A preset only fills in what the operator did not say. It knows no protocol.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Whose conventions an issuer follows (`--idp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// RFC 9068, with room for the usual liberties.
    #[default]
    Generic,
    /// A custom authorization server of Okta.
    Okta,
    /// Microsoft Entra ID.
    Entra,
    /// Auth0.
    Auth0,
    /// Keycloak.
    Keycloak,
    /// AWS Cognito.
    Cognito,
    /// Google's opaque tokens, bound to a client id and not to this server: weaker.
    Google,
    /// GitHub's opaque tokens, bound to a client id and not to this server: weaker.
    GitHub,
}

/// Which `typ` a signed token may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// `at+jwt` alone (RFC 9068).
    Strict,
    /// Also `JWT` or none, if nothing else says that it is no access token.
    Lenient,
}

/// How the claims of one issuer are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Where the user's stable name within the issuer (and tenant) stands.
    pub user_claim: String,
    /// Where the tenant stands, where there are tenants.
    pub tenant_claim: Option<String>,
    /// Where the groups stand.
    pub groups_claim: String,
    /// Where the client's id stands; the first that is there counts.
    pub client_claims: &'static [&'static str],
    /// Which `typ` is taken.
    pub token_type: TokenType,
}

/// The provider's name is none that we know.
#[derive(Debug, thiserror::Error)]
#[error("read the identity provider's name {name:?}")]
pub struct UnknownPreset {
    /// What was given.
    pub name: String,
}

/// Issuers at which everybody can get an account or, as with CI services, a token.
const PUBLIC_HOSTS: &[&str] = &[
    "accounts.google.com",
    "github.com",
    "api.github.com",
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "bitbucket.org",
    "api.bitbucket.org",
    "appleid.apple.com",
    "login.live.com",
    "www.facebook.com",
    "www.linkedin.com",
    "login.yahoo.com",
    "api.login.yahoo.com",
    "slack.com",
    "discord.com",
    "id.twitch.tv",
    "huggingface.co",
    "login.salesforce.com",
    "www.paypal.com",
    "accounts.spotify.com",
    "orcid.org",
    "app.terraform.io",
    "agent.buildkite.com",
];
const ENTRA_HOSTS: &[&str] = &[
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
];
/// The tenant of all personal Microsoft accounts.
const MICROSOFT_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Who can get a token from an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// An organisation's own members, as far as the URL tells.
    Members,
    /// Anybody on the internet.
    Everybody,
}

// === impl Preset ===

impl Preset {
    /// All of them, in the order of the help text.
    pub const ALL: &'static [Self] = &[
        Self::Generic,
        Self::Okta,
        Self::Entra,
        Self::Auth0,
        Self::Keycloak,
        Self::Cognito,
        Self::Google,
        Self::GitHub,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::Auth0 => "auth0",
            Self::Keycloak => "keycloak",
            Self::Cognito => "cognito",
            Self::Google => "google",
            Self::GitHub => "github",
        }
    }

    /// Its options, as if the operator had written them.
    #[must_use]
    pub fn rules(self) -> Rules {
        let (user, tenant, groups, clients): (_, Option<&str>, _, &'static [&'static str]) =
            match self {
                Self::Generic => ("sub", None, "groups", &["client_id", "azp", "cid", "appid"]),
                // `sub` is the login, which can be given to somebody else.
                Self::Okta => ("uid", None, "groups", &["cid", "client_id"]),
                // `sub` differs from application to application.
                Self::Entra => ("oid", Some("tid"), "groups", &["azp", "appid"]),
                Self::Auth0 => ("sub", None, "permissions", &["azp", "client_id"]),
                Self::Keycloak => ("sub", None, "groups", &["azp", "client_id"]),
                Self::Cognito => ("sub", None, "cognito:groups", &["client_id"]),
                Self::Google => ("sub", None, "groups", &["azp", "aud"]),
                Self::GitHub => ("sub", None, "groups", &["client_id"]),
            };
        Rules {
            user_claim: user.into(),
            tenant_claim: tenant.map(Into::into),
            groups_claim: groups.into(),
            client_claims: clients,
            token_type: TokenType::Lenient,
        }
    }

    /// Whether its tokens are bound to a client id rather than to this server.
    #[must_use]
    pub fn is_weaker(self) -> bool {
        matches!(self, Self::Google | Self::GitHub)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Self::ALL
            .iter()
            .copied()
            .find(|preset| preset.name() == name)
            .ok_or_else(|| UnknownPreset { name: name.into() })
    }
}

// === impl Rules ===

impl Rules {
    /// The options in words, for the effective configuration.
    #[must_use]
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("user-claim", self.user_claim.clone()),
            ("tenant-claim", self.tenant_claim.clone().unwrap_or_else(|| "none".into())),
            ("groups-claim", self.groups_claim.clone()),
            ("client-claims", self.client_claims.join(", ")),
            (
                "token-type",
                match self.token_type {
                    TokenType::Strict => "at+jwt".into(),
                    TokenType::Lenient => "at+jwt, JWT or none; ID tokens refused".into(),
                },
            ),
        ]
    }
}

// === impl Reach ===

impl Reach {
    /// Judged by the URL, so that no preset hides it.
    #[must_use]
    pub fn of(issuer: &Url, preset: Preset) -> Self {
        let host = issuer.host_str().unwrap_or_default();
        if preset.is_weaker() || PUBLIC_HOSTS.contains(&host) {
            return Self::Everybody;
        }
        match entra_tenant(issuer).as_deref() {
            Some("common" | "organizations" | "consumers" | MICROSOFT_ACCOUNTS) => Self::Everybody,
            _ => Self::Members,
        }
    }
}

/// The tenant that an Entra URL names, in lower case as Entra itself does not mind.
pub(in crate::auth) fn entra_tenant(issuer: &Url) -> Option<String> {
    if !ENTRA_HOSTS.contains(&issuer.host_str()?) {
        return None;
    }
    Some(issuer.path_segments()?.next()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_its_own_word() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse::<Preset>().unwrap(), *preset);
        }
        assert!("apple".parse::<Preset>().is_err());
    }

    #[test]
    fn a_public_issuer_is_known_by_its_url_whatever_the_preset() {
        for (url, reach) in [
            ("https://accounts.google.com", Reach::Everybody),
            ("https://token.actions.githubusercontent.com", Reach::Everybody),
            ("https://login.microsoftonline.com/common/v2.0", Reach::Everybody),
            ("https://login.microsoftonline.com/organizations/v2.0", Reach::Everybody),
            (
                "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
                Reach::Everybody,
            ),
            (
                "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
                Reach::Members,
            ),
            ("https://idp.example/common/v2.0", Reach::Members),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(Reach::of(&url, Preset::Generic), reach, "{url}");
        }
    }
}
