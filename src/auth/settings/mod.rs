//! What an operator decides about who may call: issuers, audiences, claims, lists, limits.
//!
//! Types and defaults; `validate` says what is wrong with them, `provider_checks` what is known to go wrong
//! with real providers, and `preset` what is peculiar about each.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use preset::{Preset, Rules, TokenType};

pub(in crate::auth) mod preset;
mod provider_checks;
mod validate;

/// Everything that decides which callers are let in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// What a token must be meant for; one of them suffices.
    pub audiences: Vec<String>,
    /// Which signatures are accepted.
    pub algorithms: Vec<Algorithm>,
    /// Overrides every preset's user claim.
    pub user_claim: Option<String>,
    /// Overrides every preset's tenant claim.
    pub tenant_claim: Option<String>,
    /// Overrides every preset's groups claim.
    pub groups_claim: Option<String>,
    /// Scopes that every token must grant.
    pub required_scopes: Vec<String>,
    /// Scopes that clients are told to ask for besides, as some providers deny a log-in without any.
    pub offered_scopes: Vec<String>,
    /// Who of those with a good token is let in.
    pub allow: Allow,
    /// What judges a caller after this module.
    pub further: FurtherRules,
    /// Whether services may call for themselves.
    pub machines: Machines,
    /// How tokens are checked that cannot be read.
    pub introspection: Option<Introspection>,
    /// How far clocks may disagree.
    pub leeway: Duration,
    /// Ages and deadlines.
    pub limits: Limits,
}

/// One issuer.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Short, unique, `{iss}` in templates.
    pub name: String,
    /// Compared character by character with what tokens and metadata say.
    pub url: String,
    /// Whose conventions it follows.
    pub idp: Preset,
    /// Overrides the preset's choice.
    pub token_type: Option<TokenType>,
    /// The clients whose tokens count; must be given for `google` and `github`, narrows all others.
    pub clients: Vec<Client>,
    /// The base of the provider's API where it is not the public one (GitHub Enterprise).
    pub api_url: Option<String>,
}

/// An OAuth client of an issuer.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its public id.
    pub id: String,
    /// GitHub answers only those who know it.
    pub secret: Option<SecretString>,
}

/// Who is let in. Tenants narrow; of groups, domains and users one match suffices. An empty list says nothing.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    /// Tenants, as the tenant claim names them.
    pub tenants: Vec<String>,
    /// Groups, as the groups claim names them.
    pub groups: Vec<String>,
    /// Domains of verified e-mail addresses; for Google, the Workspace domain.
    pub domains: Vec<String>,
    /// Subjects or verified e-mail addresses of people, `service:SUBJECT` of services; with several issuers after
    /// `ISSUER_NAME:`.
    pub users: Vec<String>,
}

/// What else judges a caller once he is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FurtherRules {
    /// Nothing: whoever has a good token is let in.
    #[default]
    None,
    /// A policy.
    Policy,
}

/// Whether tokens without a person behind them are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Machines {
    /// They are refused.
    #[default]
    Refuse,
    /// Each service is a user of its own.
    Accept,
}

/// RFC 7662: the issuer is asked.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// The name of the issuer that answers; may be left out when there is only one.
    pub issuer: Option<String>,
    /// Where it answers; from its metadata when left out.
    pub endpoint: Option<String>,
    /// Who we are.
    pub client_id: String,
    /// How we prove it.
    pub client_secret: SecretString,
    /// For which tokens.
    pub when: AskWhen,
}

/// Which tokens an issuer is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AskWhen {
    /// Those that cannot be verified here.
    #[default]
    Opaque,
    /// Signed ones too, so that a revocation acts within a minute.
    Always,
}

/// Ages and deadlines; each has a sensible default.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Keys are fetched again in the background at this age, unless the provider says otherwise.
    pub keys_refresh: Duration,
    /// After a fetch, an unknown key waits this long before it causes another one.
    pub keys_cool_down: Duration,
    /// Keys older than this are no longer trusted while the provider is down.
    pub keys_stale: Duration,
    /// For discovery and keys together, and for each check of an opaque token.
    pub fetch_deadline: Duration,
    /// How long an issuer's "active" is believed; zero asks every time.
    pub introspection_cache: Duration,
}

/// A signature algorithm with a public key; there are no others here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// The name is not that of a usable algorithm.
#[derive(Debug, thiserror::Error)]
#[error("read the algorithm {name:?}: only signatures with a public key are usable")]
pub struct UnknownAlgorithm {
    /// What was given.
    pub name: String,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            algorithms: Algorithm::DEFAULT.to_vec(),
            user_claim: None,
            tenant_claim: None,
            groups_claim: None,
            required_scopes: Vec::new(),
            offered_scopes: Vec::new(),
            allow: Allow::default(),
            further: FurtherRules::default(),
            machines: Machines::default(),
            introspection: None,
            leeway: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// How the claims of one issuer are read: what the operator said, else what the preset says.
    #[must_use]
    pub fn rules(&self, issuer: &Issuer) -> Rules {
        let mut rules = issuer.idp.rules();
        if let Some(claim) = &self.user_claim {
            rules.user_claim.clone_from(claim);
        }
        if self.tenant_claim.is_some() {
            rules.tenant_claim.clone_from(&self.tenant_claim);
        }
        if let Some(claim) = &self.groups_claim {
            rules.groups_claim.clone_from(claim);
        }
        if let Some(token_type) = issuer.token_type {
            rules.token_type = token_type;
        }
        rules
    }
}

// === impl Allow ===

impl Allow {
    /// Whether nothing is narrowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
            && self.groups.is_empty()
            && self.domains.is_empty()
            && self.users.is_empty()
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            keys_refresh: Duration::from_secs(10 * 60),
            keys_cool_down: Duration::from_secs(30),
            keys_stale: Duration::from_secs(24 * 60 * 60),
            fetch_deadline: Duration::from_secs(10),
            introspection_cache: Duration::from_secs(60),
        }
    }
}

// === impl Algorithm ===

impl Algorithm {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];
    /// Those that are accepted unless the operator says otherwise.
    pub const DEFAULT: &'static [Self] =
        &[Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDSA];

    /// Its name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnknownAlgorithm { name: name.into() })
    }
}
