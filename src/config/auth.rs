//! Who may come in: issuers, claims, audiences, introspection.

use std::path::PathBuf;

use jsonwebtoken::Algorithm;
use url::Url;

use super::key;
use super::layers::Layers;
use super::problem::{Origin, Problem, Wrong};
use super::value::{self, Cidr};

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Whose tokens are accepted; empty only with introspection.
    pub issuers: Vec<Issuer>,
    /// What the identity provider is known to do its own way.
    pub idp: Idp,
    /// Which audience a token must name.
    pub audience: Audience,
    /// Which signatures are accepted; asymmetric ones only.
    pub algorithms: Vec<Algorithm>,
    /// Scopes that every token must have.
    pub required_scopes: Vec<String>,
    /// Which claim is the user.
    pub user_claim: Claim,
    /// Which claim is the tenant.
    pub tenant_claim: Claim,
    /// Which claim lists the groups.
    pub groups_claim: Claim,
    /// Who of those with a good token may come in.
    pub admission: Admission,
    /// How opaque tokens are judged; off means that they are refused.
    pub introspection: Option<Introspection>,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<Cidr>,
}

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its short name in templates and logs; the host unless the operator named it.
    pub name: String,
    /// The identifier exactly as written, because tokens are compared with it byte by byte.
    pub id: String,
    /// The same as a URL.
    pub url: Url,
}

/// A provider whose habits are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idp {
    /// By the standards.
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

/// Who of those with a good token may come in: everybody where all lists are empty, else whoever is on one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Values of the user claim.
    pub users: Vec<String>,
    /// Values in the groups claim.
    pub groups: Vec<String>,
    /// Domains of the verified e-mail address, in lower case.
    pub domains: Vec<String>,
}

/// How opaque tokens are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// Where to ask.
    pub endpoint: Url,
    /// As whom to ask.
    pub client_id: String,
    /// The file with our secret.
    pub client_secret_file: PathBuf,
}

// === impl Idp ===

impl Idp {
    /// All of them, with the word that the operator types.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("generic", Self::Generic),
        ("okta", Self::Okta),
        ("entra", Self::Entra),
        ("auth0", Self::Auth0),
        ("keycloak", Self::Keycloak),
        ("cognito", Self::Cognito),
    ];
}

// === impl Auth ===

impl Auth {
    pub(super) fn resolve(layers: &mut Layers<'_>) -> Self {
        let issuers = issuers(layers);
        if !layers.is_set(&key::OIDC) && !layers.is_set(&key::INTROSPECTION_ENDPOINT) {
            let wrong = Wrong::new("nobody could come in without an identity provider");
            let hint = "name its issuer, like --oidc https://login.example.com/realms/main, or try mcpwrap demo";
            layers.problem(&key::OIDC, wrong.hint(hint));
        }
        let audience = layers.many(&key::AUDIENCE, value::word);
        Self {
            issuers,
            idp: layers.one(&key::IDP, Idp::Generic, |text| value::choice(text, Idp::ALL)),
            audience: if audience.is_empty() {
                Audience::PublicUrl
            } else {
                Audience::Given(audience)
            },
            algorithms: algorithms(layers),
            required_scopes: layers.many(&key::REQUIRED_SCOPE, value::word),
            user_claim: claim(layers, &key::USER_CLAIM),
            tenant_claim: claim(layers, &key::TENANT_CLAIM),
            groups_claim: claim(layers, &key::GROUPS_CLAIM),
            admission: Admission {
                users: layers.many(&key::ALLOW_USER, value::word),
                groups: layers.many(&key::ALLOW_GROUP, value::word),
                domains: layers.many(&key::ALLOW_DOMAIN, domain),
            },
            introspection: introspection(layers),
            trusted_proxies: layers.many(&key::TRUSTED_PROXY, value::cidr),
        }
    }
}

fn issuers(layers: &mut Layers<'_>) -> Vec<Issuer> {
    let mut issuers: Vec<Issuer> = Vec::new();
    for (issuer, origin) in layers.many_with_origin(&key::OIDC, issuer) {
        if issuers.iter().any(|known| known.name == issuer.name) {
            let wrong = Wrong::new(format!("two issuers are called {}", issuer.name));
            let wrong = wrong.hint("name each: --oidc NAME=URL");
            layers.problems.push(Problem::new(&key::OIDC, origin, wrong));
            continue;
        }
        issuers.push(issuer);
    }
    issuers
}

/// `URL` or `NAME=URL`.
fn issuer(text: &str) -> Result<Issuer, Wrong> {
    let named = text.split_once('=').filter(|(name, _)| !name.contains(['/', ':']));
    let (name, id) = named.map_or((None, text), |(name, id)| (Some(name), id));
    let url = value::secure_url(id)?;
    let plain = |name: &&str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let name = match name {
        Some(name) if !plain(&name) => {
            let wrong = Wrong::new(format!("{name:?} is not the name of an issuer"));
            return Err(wrong.hint("write NAME=URL, where NAME is letters, digits, -, _ and ."));
        }
        Some(name) => name.to_owned(),
        None => url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
    };
    Ok(Issuer { name, id: id.to_owned(), url })
}

fn algorithms(layers: &mut Layers<'_>) -> Vec<Algorithm> {
    let given = layers.many(&key::ALGORITHM, |text| {
        let hint = "write one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
        match text.parse() {
            Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) => Err(Wrong::new(format!(
                "{text} is symmetric: whoever checks a token could forge it"
            ))
            .hint(hint)),
            Ok(algorithm) => Ok(algorithm),
            Err(_) => Err(Wrong::new(format!("{text:?} is not a signature algorithm")).hint(hint)),
        }
    });
    if given.is_empty() {
        return vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
    }
    given
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

fn introspection(layers: &mut Layers<'_>) -> Option<Introspection> {
    let all = [
        key::INTROSPECTION_ENDPOINT,
        key::INTROSPECTION_CLIENT_ID,
        key::INTROSPECTION_CLIENT_SECRET_FILE,
    ];
    let endpoint = layers.maybe(&all[0], value::secure_url);
    let client_id = layers.maybe(&all[1], value::word);
    let client_secret_file = layers.path(&all[2]);
    if all.iter().any(|key| layers.is_set(key)) {
        for key in all.iter().filter(|key| !layers.is_set(key)).collect::<Vec<_>>() {
            let wrong = Wrong::new("introspection needs it too");
            let wrong = wrong
                .hint("give all three: endpoint, client id and the file with the client's secret");
            layers.problems.push(Problem::new(key, Origin::Default, wrong));
        }
    }
    Some(Introspection {
        endpoint: endpoint?,
        client_id: client_id?,
        client_secret_file: client_secret_file?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_kept_as_written() {
        let plain = issuer("https://login.example.com").unwrap();
        assert_eq!(
            (plain.name.as_str(), plain.id.as_str()),
            ("login.example.com", "https://login.example.com")
        );
        let named = issuer("corp=https://a.example/x?").unwrap_err();
        assert!(named.what.contains("query"), "{named:?}");
        let named = issuer("corp=https://a.example/x=y").unwrap();
        assert_eq!((named.name.as_str(), named.id.as_str()), ("corp", "https://a.example/x=y"));
        assert!(issuer("c/d=https://a.example").is_err());
        assert!(issuer("=https://a.example").is_err());
    }

    #[test]
    fn domains_may_start_with_the_at_sign() {
        assert_eq!(domain("@Example.com").unwrap(), "example.com");
        assert!(domain("example").is_err());
        assert!(domain("a@example.com").is_err());
    }
}
