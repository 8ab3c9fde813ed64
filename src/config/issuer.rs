//! Identity providers: what is written about each, one by one or for all at once.
//!
//! It does not know who may come in; that is said about users, and stands beside it.

use std::path::PathBuf;

use url::Url;

use super::key::{self, Key};
use super::layers::Layers;
use super::value;
use super::wrong::Wrong;
use crate::auth::{Preset, TokenType};

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
    /// Which tokens are taken for access tokens; off means what is usual for the provider.
    pub token_type: Option<TokenType>,
    /// The clients whose tokens count; none means all.
    pub clients: Vec<Client>,
    /// Where its API is; off means the public one.
    pub api_url: Option<Url>,
}

/// An OAuth client of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its public id.
    pub id: String,
    /// The file with its secret; off means that nobody asks for one.
    pub secret_file: Option<PathBuf>,
}

/// A value for one issuer, or for all.
type Named<T> = (Option<String>, T);

// === impl Issuer ===

impl Issuer {
    /// All of them, with what is said about each.
    pub(super) fn resolve(layers: &mut Layers<'_>) -> Vec<Self> {
        let mut issuers: Vec<Self> = Vec::new();
        for (issuer, origin) in layers.many_with_origin(&key::OIDC, issuer) {
            if issuers.iter().any(|known| known.name == issuer.name) {
                let wrong = Wrong::new(format!("two issuers are called {}", issuer.name));
                let wrong = wrong.hint("name each: --oidc NAME=URL");
                layers.problems.push(wrong.with(&key::OIDC, origin));
                continue;
            }
            issuers.push(issuer);
        }
        each(layers, &key::IDP, &mut issuers, preset, |issuer, idp| issuer.idp = *idp);
        each(layers, &key::TOKEN_TYPE, &mut issuers, token_type, |issuer, token_type| {
            issuer.token_type = Some(*token_type);
        });
        each(layers, &key::CLIENT, &mut issuers, value::word, |issuer, id| {
            if issuer.clients.iter().all(|client| client.id != *id) {
                issuer.clients.push(Client { id: id.clone(), secret_file: None });
            }
        });
        each(layers, &key::API_URL, &mut issuers, value::secure_url, |issuer, url| {
            issuer.api_url = Some(url.clone());
        });
        secrets(layers, &mut issuers);
        issuers
    }
}

/// Applies a setting that is written `VALUE` for all issuers, or `NAME=VALUE` for one.
fn each<T>(
    layers: &mut Layers<'_>,
    key: &Key,
    issuers: &mut [Issuer],
    parse: impl Fn(&str) -> Result<T, Wrong>,
    apply: impl Fn(&mut Issuer, &T),
) {
    for ((name, value), origin) in layers.many_with_origin(key, |text| named(text, &parse)) {
        let meant = |issuer: &Issuer| name.as_ref().is_none_or(|name| *name == issuer.name);
        issuers.iter_mut().filter(|issuer| meant(issuer)).for_each(|issuer| apply(issuer, &value));
        if let Some(name) = name
            && let Err(wrong) = known(&name, issuers)
        {
            layers.problems.push(wrong.with(key, origin));
        }
    }
}

impl Issuer {
    fn knows(&self, client: &str) -> bool {
        self.clients.iter().any(|own| own.id == client)
    }
}

/// Whether there is an issuer of this name.
pub(super) fn known(name: &str, issuers: &[Issuer]) -> Result<(), Wrong> {
    match issuers.iter().any(|issuer| issuer.name == name) {
        true => Ok(()),
        false => Err(Wrong::new(format!("no issuer is called {name:?}"))
            .hint("an issuer is called by its host, or as --oidc NAME=URL says")),
    }
}

/// `VALUE` or `NAME=VALUE`; a URL or a path with an equals sign in it names nobody.
pub(super) fn named<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> Result<Named<T>, Wrong> {
    match text.split_once('=').filter(|(name, _)| !name.contains(['/', ':'])) {
        Some((name, rest)) => Ok((Some(name.to_owned()), parse(rest)?)),
        None => Ok((None, parse(text)?)),
    }
}

/// `FILE` for the only client, or `ID=FILE` for one of several.
fn secrets(layers: &mut Layers<'_>, issuers: &mut [Issuer]) {
    let key = &key::CLIENT_SECRET_FILE;
    let found = layers.many_with_origin(key, |text| named(text, value::word));
    for ((id, file), origin) in found {
        let mut ids: Vec<&str> =
            issuers.iter().flat_map(|issuer| &issuer.clients).map(|own| own.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let wrong = match &id {
            Some(id) if !ids.contains(&id.as_str()) => {
                Some(Wrong::new(format!("no client is called {id:?}")))
            }
            Some(id) if issuers.iter().filter(|issuer| issuer.knows(id)).count() > 1 => {
                Some(Wrong::new(format!(
                    "{id:?} is a client of several issuers, which would all learn its secret"
                )))
            }
            None if ids
                .iter()
                .any(|id| issuers.iter().filter(|issuer| issuer.knows(id)).count() > 1) =>
            {
                Some(Wrong::new("its client is one of several issuers, which would all learn it"))
            }
            None if ids.len() != 1 => {
                Some(Wrong::new(format!("it is one client's, and {} are listed", ids.len())))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            let wrong = wrong
                .hint("write ID=FILE, and list the client of its issuer alone: --client NAME=ID");
            layers.problems.push(wrong.with(key, origin));
            continue;
        }
        for client in issuers.iter_mut().flat_map(|issuer| &mut issuer.clients) {
            if id.as_ref().is_none_or(|id| *id == client.id) {
                client.secret_file = Some(file.clone().into());
            }
        }
    }
}

fn preset(word: &str) -> Result<Preset, Wrong> {
    if word == "apple" {
        let wrong = Wrong::new("Apple issues no access tokens for other people's APIs");
        return Err(wrong.hint(
            "put an authorization server in front that signs users in with Apple and issues its own tokens",
        ));
    }
    let words: Vec<_> = Preset::ALL.iter().map(|preset| (preset.name(), *preset)).collect();
    value::choice(word, &words)
}

fn token_type(word: &str) -> Result<TokenType, Wrong> {
    value::choice(word, &[("lenient", TokenType::Lenient), ("strict", TokenType::Strict)])
}

/// `URL` or `NAME=URL`.
fn issuer(text: &str) -> Result<Issuer, Wrong> {
    let (name, id) = named(text, |id| Ok(id.to_owned()))?;
    let url = value::secure_url(&id)?;
    let plain = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let name = match name {
        Some(name) if !plain(&name) => {
            let wrong = Wrong::new(format!("{name:?} is not the name of an issuer"));
            return Err(wrong.hint("write NAME=URL, where NAME is letters, digits, -, _ and ."));
        }
        Some(name) => name,
        None => url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
    };
    Ok(Issuer {
        name,
        id,
        url,
        idp: Preset::Generic,
        token_type: None,
        clients: Vec::new(),
        api_url: None,
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
    fn a_client_that_is_a_url_names_no_issuer() {
        let read = |text| named(text, value::word).unwrap();
        assert_eq!(read("a=b"), (Some("a".to_owned()), "b".to_owned()));
        let url = "https://app.example/client?v=1";
        assert_eq!(read(url), (None, url.to_owned()));
        assert!(named("a=", value::word).is_err());
    }

    #[test]
    fn apple_gets_its_own_word() {
        let wrong = preset("apple").unwrap_err();
        assert!(wrong.what.contains("no access tokens"), "{wrong:?}");
    }
}
