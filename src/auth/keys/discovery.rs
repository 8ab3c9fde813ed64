//! Finds an issuer's endpoints (RFC 8414, OpenID Connect Discovery), in the order that MCP prescribes.
//!
//! Metadata count only if they name exactly the configured issuer. It keeps nothing.

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use crate::auth::error::Error;
use crate::auth::issuer_identifier::IssuerIdentifier;
use crate::outbound;

/// So much of what a stranger wrote goes into a message.
const MAX_SHOWN: usize = 200;

/// An issuer's endpoints.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    pub(super) keys: Option<Url>,
    pub(super) introspection: Option<Url>,
    /// The scopes that it says it has.
    pub(super) scopes: Vec<String>,
    /// The metadata as they came, a JSON object.
    pub(super) document: Bytes,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: Option<String>,
    introspection_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
}

/// Asks each well-known place until one has the issuer's metadata.
pub(super) async fn discover(
    http: &outbound::Client,
    issuer: &IssuerIdentifier,
) -> Result<Endpoints, Error> {
    let mut telling = None;
    for place in places(issuer.url()) {
        match read(http, issuer, place).await {
            Ok(endpoints) => return Ok(endpoints),
            // A missing document is the normal case; whatever else went wrong explains more.
            Err(error @ Error::Status { .. }) => telling = telling.or(Some(error)),
            Err(error) => {
                if !matches!(telling, Some(Error::WrongIssuer { .. })) {
                    telling = Some(error);
                }
            }
        }
    }
    Err(telling
        .unwrap_or_else(|| Error::Incomplete { url: issuer.url().to_owned(), member: "issuer" }))
}

/// The well-known places of an issuer's metadata (auth-checklist 4.1).
fn places(issuer: &str) -> Vec<Url> {
    let Ok(base) = Url::parse(issuer) else {
        return Vec::new();
    };
    let path = base.path().trim_end_matches('/').to_owned();
    let mut places = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        places.push(format!("{path}/.well-known/openid-configuration"));
    }
    places
        .into_iter()
        .map(|place| {
            let mut url = base.clone();
            url.set_path(&place);
            url
        })
        .collect()
}

async fn read(
    http: &outbound::Client,
    issuer: &IssuerIdentifier,
    place: Url,
) -> Result<Endpoints, Error> {
    let url = outbound::shown(&place);
    let reply = http.send(http.get(place.clone())).await?;
    if reply.status != http::StatusCode::OK {
        let status = reply.status.as_u16();
        return Err(Error::Status { url, status });
    }
    let document: Document = serde_json::from_slice(&reply.body)
        .map_err(|cause| Error::Unreadable { url: url.clone(), cause })?;
    if document.issuer != issuer.in_metadata() {
        return Err(Error::WrongIssuer {
            url,
            expected: issuer.in_metadata().to_owned(),
            found: document.issuer.chars().take(MAX_SHOWN).collect(),
        });
    }
    let endpoint = |text: Option<String>, member| match text {
        None => Ok(None),
        Some(text) => Url::parse(&text)
            .ok()
            .filter(|found| trusted(found, &place))
            .map(Some)
            .ok_or(Error::Incomplete { url: url.clone(), member }),
    };
    Ok(Endpoints {
        keys: endpoint(document.jwks_uri, "jwks_uri")?,
        introspection: endpoint(document.introspection_endpoint, "introspection_endpoint")?,
        scopes: document.scopes_supported.unwrap_or_default(),
        document: reply.body,
    })
}

/// A provider on the network cannot send us to a plain or local address; one on loopback may.
fn trusted(found: &Url, place: &Url) -> bool {
    outbound::check(found).is_ok() && (found.scheme() == "https" || place.scheme() == "http")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(issuer: &str) -> Vec<String> {
        places(issuer).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_issuer_with_a_path_has_three_places_in_order() {
        let expected = [
            "https://idp.example/.well-known/oauth-authorization-server/realms/a",
            "https://idp.example/.well-known/openid-configuration/realms/a",
            "https://idp.example/realms/a/.well-known/openid-configuration",
        ];
        assert_eq!(shown("https://idp.example/realms/a"), expected);
        assert_eq!(shown("https://idp.example/realms/a/"), expected);
    }

    #[test]
    fn an_issuer_without_a_path_has_two() {
        let expected = [
            "https://idp.example/.well-known/oauth-authorization-server",
            "https://idp.example/.well-known/openid-configuration",
        ];
        assert_eq!(shown("https://idp.example"), expected);
        assert_eq!(shown("https://idp.example/"), expected);
    }

    #[test]
    fn metadata_cannot_send_us_to_a_plain_or_local_address() {
        let network = Url::parse("https://idp.example/").unwrap();
        let loopback = Url::parse("http://127.0.0.1:9/").unwrap();
        for (found, place, expected) in [
            ("https://keys.example/", &network, true),
            ("http://keys.example/", &network, false),
            ("http://127.0.0.1/", &network, false),
            ("file:///etc/passwd", &network, false),
            ("http://127.0.0.1:9/keys", &loopback, true),
            ("http://keys.example/", &loopback, false),
        ] {
            let found = Url::parse(found).unwrap();
            assert_eq!(trusted(&found, place), expected, "{found}");
        }
    }
}
