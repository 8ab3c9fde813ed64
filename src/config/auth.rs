//! Who may come in: issuers, claims, audiences, introspection.

use std::path::PathBuf;

use url::Url;

use super::key;
use super::layers::Layers;
use super::problem::{Origin, Problem, Wrong};
use super::value;
use crate::auth::{Algorithm, Preset};
use crate::http::Network;

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Whose tokens are accepted; never empty.
    pub issuers: Vec<Issuer>,
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
    /// As whom the issuer is asked about opaque tokens; off means that they are refused.
    pub introspection: Option<Introspection>,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<Network>,
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
    /// Whose conventions it follows.
    pub idp: Preset,
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

/// As whom and where the issuer is asked about opaque tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
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
        let issuers = issuers(layers);
        if !layers.is_set(&key::OIDC) {
            let wrong = Wrong::new("nobody could come in without an identity provider");
            let hint = "name its issuer, like --oidc https://login.example.com/realms/main, or try mcpwrap demo";
            layers.problem(&key::OIDC, wrong.hint(hint));
        }
        let audience = layers.many(&key::AUDIENCE, value::word);
        Self {
            issuers,
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
            trusted_proxies: layers.many(&key::TRUSTED_PROXY, value::network),
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
    for ((name, idp), origin) in layers.many_with_origin(&key::IDP, preset) {
        let mut known = false;
        for issuer in issuers
            .iter_mut()
            .filter(|issuer| name.as_ref().is_none_or(|name| *name == issuer.name))
        {
            issuer.idp = idp;
            known = true;
        }
        if let (Some(name), false) = (name, known) {
            let wrong = Wrong::new(format!("no issuer is called {name:?}"));
            let wrong = wrong.hint("an issuer is called by its host, or as --oidc NAME=URL says");
            layers.problems.push(Problem::new(&key::IDP, origin, wrong));
        }
    }
    issuers
}

/// `PRESET` for all issuers, or `NAME=PRESET` for one.
fn preset(text: &str) -> Result<(Option<String>, Preset), Wrong> {
    let (name, word) = text.split_once('=').map_or((None, text), |(name, word)| (Some(name), word));
    let words: Vec<_> = Preset::ALL.iter().map(|preset| (preset.name(), *preset)).collect();
    Ok((name.map(str::to_owned), value::choice(word, &words)?))
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
    Ok(Issuer { name, id: id.to_owned(), url, idp: Preset::Generic })
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

fn introspection(layers: &mut Layers<'_>) -> Option<Introspection> {
    let needed = [key::INTROSPECTION_CLIENT_ID, key::INTROSPECTION_CLIENT_SECRET_FILE];
    let endpoint = layers.maybe(&key::INTROSPECTION_ENDPOINT, value::secure_url);
    let client_id = layers.maybe(&needed[0], value::word);
    let client_secret_file = layers.path(&needed[1]);
    let all = [key::INTROSPECTION_ENDPOINT, needed[0], needed[1]];
    if all.iter().any(|key| layers.is_set(key)) {
        for key in needed.iter().filter(|key| !layers.is_set(key)).collect::<Vec<_>>() {
            let wrong = Wrong::new("asking about opaque tokens needs it too");
            let wrong = wrong.hint("give the client's id and the file with its secret");
            layers.problems.push(Problem::new(key, Origin::Default, wrong));
        }
    }
    Some(Introspection { endpoint, client_id: client_id?, client_secret_file: client_secret_file? })
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
