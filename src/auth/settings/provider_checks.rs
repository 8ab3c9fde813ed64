//! What is known about real providers and goes wrong at first: said before anybody calls (auth-checklist 13).

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::preset::{Preset, entra_tenant};
use super::{Client, Issuer, Settings};

/// What is known about the providers themselves.
pub(super) fn check_provider(issuer: &Issuer, url: &Url, wrong: &mut impl FnMut(&str, &str)) {
    let host = url.host_str().unwrap_or_default();
    let is = |domain: &str| {
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    if is("appleid.apple.com") {
        wrong(
            "issues no access tokens for other people's APIs",
            "put an authorization server in front that signs users in with Apple and issues its own tokens",
        );
    }
    if (is("okta.com") || is("oktapreview.com") || is("okta-emea.com"))
        && !url.path().contains("/oauth2/")
    {
        wrong(
            "is Okta's org server, whose tokens are for Okta alone",
            "use a custom authorization server: https://ORG.okta.com/oauth2/default",
        );
    }
    if (is("auth0.com") || issuer.idp == Preset::Auth0) && !issuer.url.ends_with('/') {
        wrong("lacks the slash that Auth0's issuers end with", "write https://DOMAIN/");
    }
    if entra_tenant(url).as_deref() == Some("consumers") {
        wrong(
            "is an alias that no token names",
            "write the tenant: https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        );
    }
    if matches!(entra_tenant(url).as_deref(), Some("common" | "organizations"))
        && issuer.idp != Preset::Entra
    {
        wrong("is for many tenants, which only its preset understands", "add --idp entra");
    }
    match issuer.idp {
        Preset::Google
            if issuer.url != "https://accounts.google.com" && issuer.api_url.is_none() =>
        {
            wrong("is not Google", "write https://accounts.google.com");
        }
        Preset::Google | Preset::GitHub => {}
        _ if is("accounts.google.com") => {
            wrong(
                "issues access tokens that only Google can read",
                "add --idp google, and --client ID for each of your own clients",
            );
        }
        _ if is("github.com") || is("api.github.com") => {
            wrong(
                "issues tokens that only GitHub can read",
                "add --idp github, and --client ID with --client-secret-file for each of your own clients",
            );
        }
        _ => {}
    }
}

/// Whether the clients are there without which an opaque token is bound to nothing.
pub(super) fn check_clients(issuer: &Issuer, wrong: &mut impl FnMut(&str, &str)) {
    if issuer.clients.is_empty() || issuer.clients.iter().any(|client| client.id.is_empty()) {
        wrong(
            "needs the ids of the clients whose tokens count",
            "its tokens name no audience: add --client ID for each of your own clients",
        );
    }
    let secret = |client: &Client| {
        client
            .secret
            .as_ref()
            .is_some_and(|secret: &SecretString| !secret.expose_secret().is_empty())
    };
    let proven = !issuer.clients.is_empty() && issuer.clients.iter().all(secret);
    if issuer.idp == Preset::GitHub && !proven {
        wrong(
            "needs the secret of each client",
            "GitHub answers only clients that prove who they are: add --client-secret-file [ID=]FILE",
        );
    }
}

/// Whether the lists can let anybody of this issuer in at all.
pub(super) fn check_reachable(
    issuer: &Issuer,
    settings: &Settings,
    wrong: &mut impl FnMut(&str, &str),
) {
    let allow = &settings.allow;
    if !allow.tenants.is_empty() && settings.rules(issuer).tenant_claim.is_none() {
        wrong(
            "names no tenant, so that --allow-tenant lets none of its users in",
            "add --tenant-claim, or remove the list",
        );
    }
    let by_domain_alone =
        !allow.domains.is_empty() && allow.groups.is_empty() && allow.users.is_empty();
    if by_domain_alone && matches!(issuer.idp, Preset::GitHub | Preset::Entra) {
        wrong(
            "vouches for no e-mail domain, so that --allow-domain lets none of its users in",
            "list tenants, groups (organisations at GitHub) or users",
        );
    }
}

/// What an operator should hear about a provider although nothing is wrong: the matter and the remedy.
pub(super) fn caution(idp: Preset) -> Option<(&'static str, &'static str)> {
    match idp {
        Preset::Google | Preset::GitHub => Some((
            "binds its tokens to a client id and not to this server: whoever runs a listed client can use \
             its users' tokens here",
            "put an authorization server in front that issues tokens for this server's URL",
        )),
        Preset::Cognito => Some((
            "puts an audience into its tokens only with resource binding; others are refused",
            "use managed login on the Essentials or Plus plan and ask for this server's URL as the resource",
        )),
        Preset::Keycloak => Some((
            "puts no audience into its tokens unless told to; such tokens are refused",
            "add an audience mapper with this server's URL to a client scope",
        )),
        Preset::Generic | Preset::Okta | Preset::Entra | Preset::Auth0 => None,
    }
}
