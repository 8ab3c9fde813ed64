//! RFC 9728: how clients learn where to get a token for this server.
//!
//! Everything comes from configuration; nothing from what a request says about the host. It serves nothing
//! itself.

use serde_json::{Value, json};
use url::Url;

use crate::auth::settings::Settings;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const SERVER_WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
/// Scopes that are for the client and its log-in, not for this server.
const NOT_OURS: &[&str] = &["offline_access", "openid", "profile", "email"];

/// The metadata document of the endpoint that clients know as `public_url`, character by character.
#[must_use]
pub fn protected_resource(public_url: &str, settings: &Settings, resource_name: &str) -> Value {
    let servers: Vec<&str> = settings.issuers.iter().map(|issuer| issuer.url.as_str()).collect();
    let mut document = json!({
        "resource": public_url,
        "authorization_servers": servers,
        "bearer_methods_supported": ["header"],
        "resource_name": resource_name,
    });
    let scopes = challenge_scopes(settings);
    if !scopes.is_empty() {
        document["scopes_supported"] = scopes.into();
    }
    document
}

/// The scopes that a client should ask for at its first log-in: the required ones, and those that the operator offers,
/// whichever they are.
#[must_use]
pub fn challenge_scopes(settings: &Settings) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let ours = settings.required_scopes.iter().filter(|scope| !NOT_OURS.contains(&scope.as_str()));
    for scope in ours.chain(&settings.offered_scopes) {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}

/// The paths that serve the document: the endpoint's own, then the host's, which is the same if the
/// endpoint is the root.
#[must_use]
pub fn well_known_paths(public_url: &Url) -> Vec<String> {
    let mut paths = vec![own_path(public_url)];
    if paths[0] != WELL_KNOWN {
        paths.push(WELL_KNOWN.to_owned());
    }
    paths
}

/// The paths where clients of 2025-03-26 look for the metadata of the authorization server, which they take to be on our
/// origin; there are none where no single issuer has metadata.
///
/// RFC 8414 section 3.3 wants `issuer` to be the URL that it was found under, and there it is the issuer's own. Those
/// clients do not compare them; one that does refuses the document, and has lost nothing.
#[must_use]
pub fn server_metadata_paths(public_url: &Url, settings: &Settings) -> Vec<String> {
    match &*settings.issuers {
        [issuer] if !issuer.idp.is_weaker() => {}
        _ => return Vec::new(),
    }
    let mut paths = vec![SERVER_WELL_KNOWN.to_owned()];
    if public_url.path() != "/" {
        paths.push(format!("{SERVER_WELL_KNOWN}{}", public_url.path()));
    }
    paths
}

/// The document's own URL, for the challenge.
#[must_use]
pub fn document_url(public_url: &Url) -> String {
    let mut url = public_url.clone();
    url.set_path(&own_path(public_url));
    url.set_fragment(None);
    url.to_string()
}

fn own_path(public_url: &Url) -> String {
    match public_url.path() {
        "/" => WELL_KNOWN.to_owned(),
        path => format!("{WELL_KNOWN}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::settings::Issuer;
    use crate::auth::settings::preset::Preset;

    #[test]
    fn the_document_names_the_url_exactly_as_given() {
        let settings = Settings {
            issuers: vec![Issuer::parse("a=https://idp.example/", Preset::Generic).unwrap()],
            required_scopes: vec!["mcp:use".into(), "offline_access".into()],
            ..Settings::default()
        };
        let document = protected_resource("https://mcp.example/mcp", &settings, "files");
        assert_eq!(
            document,
            json!({
                "resource": "https://mcp.example/mcp",
                "authorization_servers": ["https://idp.example/"],
                "scopes_supported": ["mcp:use"],
                "bearer_methods_supported": ["header"],
                "resource_name": "files",
            })
        );
    }

    #[test]
    fn offered_scopes_are_told_beside_the_required_ones() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let settings = Settings {
            required_scopes: words("mcp:use openid"),
            offered_scopes: words("openid mcp:use api"),
            ..Settings::default()
        };
        let document = protected_resource("https://mcp.example/mcp", &settings, "files");
        assert_eq!(document["scopes_supported"], json!(["mcp:use", "openid", "api"]));
        let settings = Settings::default();
        let document = protected_resource("https://mcp.example/mcp", &settings, "files");
        assert_eq!(document.get("scopes_supported"), None);
    }

    #[test]
    fn the_metadata_of_a_single_issuer_stand_here_too() {
        let issuer = |text, idp| Issuer::parse(text, idp).unwrap();
        let one = issuer("a=https://a.example", Preset::Generic);
        let two = issuer("b=https://b.example", Preset::Generic);
        let google = issuer("https://accounts.google.com", Preset::Google);
        let url = Url::parse("https://mcp.example/mcp").unwrap();
        let paths = |issuers: &[&Issuer]| {
            let issuers = issuers.iter().map(|issuer| (*issuer).clone()).collect();
            server_metadata_paths(&url, &Settings { issuers, ..Settings::default() })
        };
        let both = [
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server/mcp",
        ];
        assert_eq!(paths(&[&one]), both);
        assert!(paths(&[&one, &two]).is_empty());
        assert!(paths(&[&google]).is_empty());
    }

    #[test]
    fn the_document_stands_at_the_endpoint_s_and_the_host_s_place() {
        for (url, paths, own) in [
            (
                "https://mcp.example/mcp",
                &[
                    "/.well-known/oauth-protected-resource/mcp",
                    "/.well-known/oauth-protected-resource",
                ][..],
                "https://mcp.example/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "https://mcp.example:8443",
                &["/.well-known/oauth-protected-resource"],
                "https://mcp.example:8443/.well-known/oauth-protected-resource",
            ),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(well_known_paths(&url), paths);
            assert_eq!(document_url(&url), own);
        }
    }
}
