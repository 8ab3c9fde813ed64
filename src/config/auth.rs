//! Who may come in: issuers, claims, audiences, introspection.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::issuer::{self, Issuer};
use super::key;
use super::layers::Layers;
use super::value;
use super::wrong::Wrong;
use crate::auth::{Algorithm, AskWhen, Machines};
use crate::http::Network;
use crate::problem::Origin;

/// Whoever invents keys must not make us a nuisance to their issuer.
const KEYS_COOL_DOWN: Duration = Duration::from_secs(30);
/// For how long an issuer is believed that a token is active.
const BELIEVED: Duration = Duration::from_secs(60);

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Whose tokens are accepted; never empty.
    pub issuers: Vec<Issuer>,
    /// An unknown key is looked for at its issuer no more often than this.
    pub keys_cool_down: Duration,
    /// Which audience a token must name.
    pub audience: Audience,
    /// Which signatures are accepted; asymmetric ones only.
    pub algorithms: Vec<Algorithm>,
    /// Scopes that every token must have.
    pub required_scopes: Vec<String>,
    /// Scopes that clients are told to ask for besides.
    pub offered_scopes: Vec<String>,
    /// Which claim is the user.
    pub user_claim: Claim,
    /// Which claim is the tenant.
    pub tenant_claim: Claim,
    /// Which claim lists the groups.
    pub groups_claim: Claim,
    /// Who of those with a good token may come in.
    pub admission: Admission,
    /// Whether services may come in.
    pub machines: Machines,
    /// As whom the issuer is asked about opaque tokens; off means that they are refused.
    pub introspection: Option<Introspection>,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<Network>,
}

/// Which audience a token must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The public URL of the endpoint.
    PublicUrl,
    /// One of these.
    Given(Vec<String>),
}

/// Which claim to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What is usual for the provider.
    Preset,
    /// This one.
    Named(String),
}

/// Who of those with a good token may come in: everybody where all lists are empty, else whoever is on one of them;
/// the tenant must be a listed one in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Values of the tenant claim.
    pub tenants: Vec<String>,
    /// Values of the user claim.
    pub users: Vec<String>,
    /// Values in the groups claim.
    pub groups: Vec<String>,
    /// Domains of the verified e-mail address, in lower case.
    pub domains: Vec<String>,
}

/// As whom and where the issuer is asked about tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// Which issuer is asked, by its name; off means the only one that can be.
    pub issuer: Option<String>,
    /// About which tokens.
    pub when: AskWhen,
    /// For how long it is believed that a token is active.
    pub cache: Duration,
    /// Where to ask; off means where the issuer's metadata says.
    pub endpoint: Option<Url>,
    /// As whom to ask.
    pub client_id: String,
    /// The file with our secret.
    pub client_secret_file: PathBuf,
}

// === impl Auth ===

impl Auth {
    pub(super) fn resolve(layers: &mut Layers<'_>) -> Self {
        let issuers = Issuer::resolve(layers);
        if !layers.is_set(&key::OIDC) {
            let wrong = Wrong::new("nobody could come in without an identity provider");
            let hint = "name its issuer, like --oidc https://login.example.com/realms/main, or try mcpwrap demo";
            layers.problem(&key::OIDC, wrong.hint(hint));
        }
        let audience = layers.many(&key::AUDIENCE, value::word);
        Self {
            keys_cool_down: layers.one(&key::KEYS_COOL_DOWN, KEYS_COOL_DOWN, value::duration),
            audience: if audience.is_empty() {
                Audience::PublicUrl
            } else {
                Audience::Given(audience)
            },
            algorithms: algorithms(layers),
            required_scopes: layers.many(&key::REQUIRED_SCOPE, value::word),
            offered_scopes: layers.many(&key::OFFER_SCOPE, value::word),
            user_claim: claim(layers, &key::USER_CLAIM),
            tenant_claim: claim(layers, &key::TENANT_CLAIM),
            groups_claim: claim(layers, &key::GROUPS_CLAIM),
            admission: Admission {
                tenants: layers.many(&key::ALLOW_TENANT, value::word),
                users: layers.many(&key::ALLOW_USER, value::word),
                groups: layers.many(&key::ALLOW_GROUP, value::word),
                domains: layers.many(&key::ALLOW_DOMAIN, domain),
            },
            machines: layers.one(&key::MACHINES, Machines::Refuse, |text| {
                value::choice(text, &[("refuse", Machines::Refuse), ("accept", Machines::Accept)])
            }),
            introspection: introspection(layers, &issuers),
            trusted_proxies: layers.many(&key::TRUSTED_PROXY, value::network),
            issuers,
        }
    }
}

fn algorithms(layers: &mut Layers<'_>) -> Vec<Algorithm> {
    let given = layers.many(&key::ALGORITHM, |text| {
        text.parse().map_err(|_| {
            let known: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
            let what = if text.starts_with("HS") {
                format!("{text:?} is symmetric: whoever checks a token could forge it")
            } else {
                format!("{text:?} is not a signature algorithm")
            };
            Wrong::new(what).hint(format!("write one of {}", known.join(", ")))
        })
    });
    if given.is_empty() { Algorithm::DEFAULT.to_vec() } else { given }
}

fn claim(layers: &mut Layers<'_>, key: &key::Key) -> Claim {
    layers.maybe(key, value::word).map_or(Claim::Preset, Claim::Named)
}

fn domain(text: &str) -> Result<String, Wrong> {
    let name = text.trim_start_matches('@').to_lowercase();
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-');
    if name.contains('.') && name.split('.').all(plain) {
        return Ok(name);
    }
    Err(Wrong::new(format!("{text:?} is not a domain"))
        .hint("write the part after the @, like example.com"))
}

fn introspection(layers: &mut Layers<'_>, issuers: &[Issuer]) -> Option<Introspection> {
    let needed = [key::INTROSPECTION_CLIENT_ID, key::INTROSPECTION_CLIENT_SECRET_FILE];
    let endpoint = layers.maybe(&key::INTROSPECTION_ENDPOINT, value::secure_url);
    let when = layers.one(&key::INTROSPECTION_WHEN, AskWhen::Opaque, |text| {
        value::choice(text, &[("opaque", AskWhen::Opaque), ("always", AskWhen::Always)])
    });
    let cache = layers.one(&key::INTROSPECTION_CACHE, BELIEVED, value::duration);
    let client = layers.maybe(&needed[0], |text| issuer::named(text, value::word));
    let client_secret_file = layers.path(&needed[1]);
    let all = [key::INTROSPECTION_ENDPOINT, needed[0], needed[1]];
    if when == AskWhen::Always || all.iter().any(|key| layers.is_set(key)) {
        for key in needed.iter().filter(|key| !layers.is_set(key)).collect::<Vec<_>>() {
            let wrong = Wrong::new("asking the issuer about tokens needs it too");
            let wrong = wrong.hint("give the client's id and the file with its secret");
            layers.problems.push(wrong.with(key, Origin::Default));
        }
    }
    let (issuer, client_id) = client?;
    if let Some(name) = &issuer
        && let Err(wrong) = issuer::known(name, issuers)
    {
        layers.problem(&needed[0], wrong);
    }
    let client_secret_file = client_secret_file?;
    Some(Introspection { issuer, when, cache, endpoint, client_id, client_secret_file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_may_start_with_the_at_sign() {
        assert_eq!(domain("@Example.com").unwrap(), "example.com");
        assert!(domain("example").is_err());
        assert!(domain("a@example.com").is_err());
    }
}
