//! Makes a principal of checked claims, and judges whether he is let in.
//!
//! It trusts its input: signature, times and audience have been judged before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use super::claims::{Claims, find, names, words};
use super::clock::Clock;
use super::denied::{Denied, Reason};
use super::preset::{Preset, Rules};
use super::principal::{Kind, Principal, UserId};
use super::settings::{Allow, Client, Machines, Settings};

/// RFC 9068 and OpenID Connect allow 255 characters.
const MAX_NAME: usize = 255;
/// How a service is written in a list of users.
const SERVICE: &str = "service:";
/// A longer chain of actors is a loop or an attack.
const MAX_ACTORS: usize = 8;

/// How one issuer's claims become a principal.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) issuer_name: Arc<str>,
    pub(super) idp: Preset,
    pub(super) rules: Rules,
    pub(super) clients: Vec<Client>,
    pub(super) clock: Clock,
}

/// Who of the known callers is let in.
#[derive(Debug)]
pub(super) struct Door {
    allow: Allow,
    machines: Machines,
    required_scopes: Vec<String>,
    /// With several issuers a subject alone names nobody.
    naming: Naming,
}

#[derive(Debug)]
enum Naming {
    Subject,
    IssuerAndSubject,
}

// === impl Reading ===

impl Reading {
    /// The caller that these claims of `issuer` describe.
    pub(super) fn principal(
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

// === impl Door ===

impl Door {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            allow: settings.allow.clone(),
            machines: settings.machines,
            required_scopes: settings.required_scopes.clone(),
            naming: match settings.issuers.len() {
                0 | 1 => Naming::Subject,
                _ => Naming::IssuerAndSubject,
            },
        }
    }

    /// Lets the caller in, or says why not.
    pub(super) fn admit(&self, idp: Preset, caller: &Principal) -> Result<(), Denied> {
        let forbidden = |reason| Err(Denied::Forbidden { reason });
        if caller.kind() == Kind::Machine && self.machines == Machines::Refuse {
            return forbidden(Reason::Machine);
        }
        if !self.lets_in(idp, caller) {
            let overage = !self.allow.groups.is_empty()
                && (caller.claim("_claim_names").is_some() || caller.claim("hasgroups").is_some());
            return forbidden(if overage { Reason::GroupsOverage } else { Reason::NotAllowed });
        }
        let granted = |scope: &String| caller.scopes.contains(scope);
        if !self.required_scopes.iter().all(granted) {
            return Err(Denied::Scope { required: self.required_scopes.clone() });
        }
        Ok(())
    }

    fn lets_in(&self, idp: Preset, caller: &Principal) -> bool {
        let Allow { tenants, groups, domains, users } = &self.allow;
        let own_tenant = |tenant: &String| caller.user().tenant() == Some(tenant);
        if !tenants.is_empty() && !tenants.iter().any(own_tenant) {
            return false;
        }
        if groups.is_empty() && domains.is_empty() && users.is_empty() {
            return true;
        }
        let domain = match idp {
            // A consumer account may carry any verified address; only `hd` is the Workspace's own word.
            Preset::Google => caller.claim("hd").and_then(Value::as_str),
            _ => caller.email().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain),
        };
        groups.iter().any(|group| caller.groups.contains(group))
            || domain
                .is_some_and(|domain| domains.iter().any(|own| own.eq_ignore_ascii_case(domain)))
            || users.iter().any(|user| self.names(user, caller))
    }

    fn names(&self, user: &str, caller: &Principal) -> bool {
        let user = match self.naming {
            Naming::Subject => user,
            Naming::IssuerAndSubject => match user.split_once(':') {
                Some((issuer, user)) if issuer == caller.issuer_name() => user,
                _ => return false,
            },
        };
        if caller.kind() == Kind::Machine {
            // Where clients choose their ids, one may call itself like a person.
            return user.strip_prefix(SERVICE) == Some(caller.user().subject());
        }
        user == caller.user().subject()
            || caller.email().is_some_and(|email| email.eq_ignore_ascii_case(user))
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
