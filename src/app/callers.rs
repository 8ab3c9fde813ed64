//! Who may call `serve`: the operator's words as the resource server's settings.

use std::path::Path;

use secrecy::SecretString;
use url::Url;

use crate::auth;
use crate::config::{self, Audience, Claim, Serve};
use crate::private_file::{self, Readers};
use crate::problem::{Problem, chain};

/// The resource server's settings, from what the operator said.
pub(super) fn settings(
    config: &Serve,
    public: &str,
    problems: &mut Vec<Problem>,
) -> Option<auth::Settings> {
    let auth = &config.auth;
    let named = |claim: &Claim| match claim {
        Claim::Preset => None,
        Claim::Named(name) => Some(name.clone()),
    };
    let mut unread = Vec::new();
    let issuers = auth.issuers.iter().map(|issuer| read_issuer(issuer, &mut unread)).collect();
    let introspection = auth.introspection.as_ref().and_then(|asked| {
        let option = "introspection-client-secret-file";
        Some(auth::Introspection {
            issuer: asked.issuer.clone(),
            endpoint: asked.endpoint.as_ref().map(Url::to_string),
            client_id: asked.client_id.clone(),
            client_secret: secret(option, &asked.client_secret_file, &mut unread)?,
            when: asked.when,
        })
    });
    let keys_cool_down = auth.keys_cool_down;
    let mut limits = auth::Limits { keys_cool_down, ..auth::Limits::default() };
    if let Some(asked) = &auth.introspection {
        limits.introspection_cache = asked.cache;
    }
    if !unread.is_empty() {
        problems.append(&mut unread);
        return None;
    }
    Some(auth::Settings {
        issuers,
        audiences: match &auth.audience {
            Audience::PublicUrl => vec![public.to_owned()],
            Audience::Given(given) => given.clone(),
        },
        algorithms: auth.algorithms.clone(),
        user_claim: named(&auth.user_claim),
        tenant_claim: named(&auth.tenant_claim),
        groups_claim: named(&auth.groups_claim),
        required_scopes: auth.required_scopes.clone(),
        offered_scopes: auth.offered_scopes.clone(),
        allow: auth::Allow {
            tenants: auth.admission.tenants.clone(),
            groups: auth.admission.groups.clone(),
            domains: auth.admission.domains.clone(),
            users: auth.admission.users.clone(),
        },
        machines: auth.machines,
        introspection,
        limits,
        ..auth::Settings::default()
    })
}

fn read_issuer(issuer: &config::Issuer, unread: &mut Vec<Problem>) -> auth::Issuer {
    let clients = issuer.clients.iter().map(|client| auth::Client {
        id: client.id.clone(),
        secret: client
            .secret_file
            .as_deref()
            .and_then(|file| secret("client-secret-file", file, unread)),
    });
    auth::Issuer {
        name: issuer.name.clone(),
        url: issuer.id.clone(),
        idp: issuer.idp,
        token_type: issuer.token_type,
        clients: clients.collect(),
        api_url: issuer.api_url.as_ref().map(Url::to_string),
    }
}

/// A client's secret, whose file must be as safe as that of any credential.
fn secret(option: &str, file: &Path, unread: &mut Vec<Problem>) -> Option<SecretString> {
    match private_file::read_secret(file, Readers::Others) {
        Ok(secret) => Some(secret),
        Err(error) => {
            unread.push(Problem::new(
                option,
                chain(&error),
                "name a file with the secret that this user may read, and nobody else write",
            ));
            None
        }
    }
}
