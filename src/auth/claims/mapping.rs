//! Makes a principal of claims.
//!
//! It trusts its input: signature, times and audience have been judged before. Whether he is let in is judged
//! after.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use super::{Claims, find, names, words};
use crate::auth::clock::Clock;
use crate::auth::denied::Reason;
use crate::auth::principal::Principal;
use crate::auth::principal::user_id::{Kind, UserId};
use crate::auth::settings::Client;
use crate::auth::settings::preset::{Preset, Rules};

/// RFC 9068 and OpenID Connect allow 255 characters.
const MAX_NAME: usize = 255;
/// A longer chain of actors is a loop or an attack.
const MAX_ACTORS: usize = 8;

/// How one issuer's claims become a principal.
#[derive(Debug)]
pub(in crate::auth) struct ClaimMapping {
    pub(in crate::auth) issuer_name: Arc<str>,
    pub(in crate::auth) idp: Preset,
    pub(in crate::auth) rules: Rules,
    pub(in crate::auth) clients: Vec<Client>,
    pub(in crate::auth) clock: Clock,
}

// === impl ClaimMapping ===

impl ClaimMapping {
    /// The caller that these claims of `issuer` describe.
    pub(in crate::auth) fn principal(
        &self,
        issuer: &str,
        claims: Claims,
        expires_at: Option<SystemTime>,
    ) -> Result<Principal, Reason> {
        let client = self.client(&claims)?;
        let kind = kind(self.idp, &claims, client.as_deref());
        let subject = match name(find(&claims, &self.rules.user_claim), Reason::Subject)? {
            Some(subject) => subject,
            // Machines lack what describes a person; `sub` is theirs by definition.
            None if kind == Kind::Machine => {
                name(claims.get("sub"), Reason::Subject)?.ok_or(Reason::Subject)?
            }
            None => return Err(Reason::Subject),
        };
        if self.rules.user_claim == "email" && kind == Kind::Human && !email_is_verified(&claims) {
            return Err(Reason::Subject);
        }
        let tenant = match &self.rules.tenant_claim {
            None => None,
            Some(claim) => Some(name(find(&claims, claim), Reason::Tenant)?.ok_or(Reason::Tenant)?),
        };
        let tenant = tenant.as_deref();
        let user = match kind {
            Kind::Human => UserId::new(issuer, tenant, &subject),
            Kind::Machine => UserId::of_machine(issuer, tenant, &subject),
        };
        let mut principal = Principal::new(user, self.issuer_name.clone(), self.clock.clone());
        principal.client = client.map(Into::into);
        principal.actors = actors(&claims)?;
        principal.scopes =
            [claims.get("scope"), claims.get("scp")].into_iter().flat_map(words).collect();
        principal.groups = BTreeSet::from_iter(names(find(&claims, &self.rules.groups_claim)));
        principal.email = claims
            .get("email")
            .and_then(Value::as_str)
            .filter(|email| email_is_verified(&claims) && email.contains('@'))
            .map(Into::into);
        principal.expires_at = expires_at;
        principal.claims = claims;
        Ok(principal)
    }

    fn client(&self, claims: &Claims) -> Result<Option<String>, Reason> {
        let mut found = None;
        for claim in self.rules.client_claims {
            found = name(claims.get(*claim), Reason::Client)?;
            if found.is_some() {
                break;
            }
        }
        let listed = |id: &String| self.clients.iter().any(|client| client.id == *id);
        if !self.clients.is_empty() && !found.as_ref().is_some_and(listed) {
            return Err(Reason::Client);
        }
        Ok(found)
    }
}

/// A person, unless something says that there is none (auth-checklist 1.9).
fn kind(idp: Preset, claims: &Claims, client: Option<&str>) -> Kind {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let subject = text("sub");
    let machine = (client.is_some() && subject == client)
        || text("idtyp") == Some("app")
        || text("gty").is_some_and(|grant| {
            grant.contains("client-credentials") || grant == "client_credentials"
        })
        || match idp {
            Preset::Entra => !claims.contains_key("scp"),
            Preset::Okta => !claims.contains_key("uid"),
            Preset::Auth0 => subject.is_some_and(|subject| subject.ends_with("@clients")),
            Preset::Google => {
                text("email").is_some_and(|email| email.ends_with(".gserviceaccount.com"))
            }
            Preset::Keycloak | Preset::Generic => text("preferred_username")
                .and_then(|user| user.strip_prefix("service-account-"))
                .is_some_and(|account| {
                    client.is_some_and(|client| client.eq_ignore_ascii_case(account))
                }),
            Preset::Cognito | Preset::GitHub => false,
        };
    if machine { Kind::Machine } else { Kind::Human }
}

/// Who acts for the subject, outermost first (RFC 8693 §4.1).
fn actors(claims: &Claims) -> Result<Vec<Arc<str>>, Reason> {
    let mut chain = Vec::new();
    let mut next = claims.get("act");
    while let Some(actor) = next {
        let actor = actor.as_object().ok_or(Reason::Actor)?;
        if chain.len() == MAX_ACTORS {
            return Err(Reason::Actor);
        }
        let id = actor.get("sub").or_else(|| actor.get("client_id"));
        let id = name(id, Reason::Actor)?.ok_or(Reason::Actor)?;
        chain.push(match name(actor.get("iss"), Reason::Actor)? {
            Some(issuer) => format!("{issuer} {id}").into(),
            None => id.into(),
        });
        next = actor.get("act");
    }
    Ok(chain)
}

/// A name that may identify somebody: 1 to 255 bytes, nothing invisible.
fn name(value: Option<&Value>, otherwise: Reason) -> Result<Option<String>, Reason> {
    let name = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(_) => return Err(otherwise),
    };
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(otherwise);
    }
    Ok(Some(name))
}

fn email_is_verified(claims: &Claims) -> bool {
    // Google's and Cognito's answers spell it as a string.
    claims.get("email_verified").is_some_and(|verified| *verified == true || *verified == "true")
}

#[cfg(test)]
mod tests;
