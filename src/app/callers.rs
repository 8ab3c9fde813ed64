//! Who may call `serve`: the operator's words as the resource server's settings.

use secrecy::SecretString;
use url::Url;

use super::run::Fault;
use crate::auth;
use crate::config::{Audience, Claim, Serve};

/// The resource server's settings, from what the operator said.
pub(super) fn settings(
    config: &Serve,
    public: &str,
    faults: &mut Vec<Fault>,
) -> Option<auth::Settings> {
    let auth = &config.auth;
    let named = |claim: &Claim| match claim {
        Claim::Preset => None,
        Claim::Named(name) => Some(name.clone()),
    };
    let introspection = match &auth.introspection {
        None => None,
        Some(asked) => match std::fs::read_to_string(&asked.client_secret_file) {
            Ok(secret) => Some(auth::Introspection {
                issuer: None,
                endpoint: asked.endpoint.as_ref().map(Url::to_string),
                client_id: asked.client_id.clone(),
                client_secret: SecretString::from(secret.trim_end().to_owned()),
                when: auth::AskWhen::Opaque,
            }),
            Err(error) => {
                faults.push(Fault {
                    option: "introspection-client-secret-file".to_owned(),
                    message: format!("cannot read {}: {error}", asked.client_secret_file.display()),
                    hint: "name a file that this user may read".to_owned(),
                });
                return None;
            }
        },
    };
    let issuers = auth.issuers.iter().map(|issuer| auth::Issuer {
        name: issuer.name.clone(),
        url: issuer.id.clone(),
        idp: issuer.idp,
        token_type: None,
        clients: Vec::new(),
        api_url: None,
    });
    Some(auth::Settings {
        issuers: issuers.collect(),
        audiences: match &auth.audience {
            Audience::PublicUrl => vec![public.to_owned()],
            Audience::Given(given) => given.clone(),
        },
        algorithms: auth.algorithms.clone(),
        user_claim: named(&auth.user_claim),
        tenant_claim: named(&auth.tenant_claim),
        groups_claim: named(&auth.groups_claim),
        required_scopes: auth.required_scopes.clone(),
        allow: auth::Allow {
            tenants: Vec::new(),
            groups: auth.admission.groups.clone(),
            domains: auth.admission.domains.clone(),
            users: auth.admission.users.clone(),
        },
        introspection,
        ..auth::Settings::default()
    })
}
