//! Who of the known callers is let in: the operator's lists, the required scopes, whether services may call.

use serde_json::Value;

use super::denied::{Denied, Reason};
use super::principal::Principal;
use super::principal::user_id::Kind;
use super::settings::preset::Preset;
use super::settings::{Allow, Machines, Settings};

/// How a service is written in a list of users.
const SERVICE: &str = "service:";

/// Who of the known callers is let in.
#[derive(Debug)]
pub(super) struct Admission {
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

// === impl Admission ===

impl Admission {
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
mod tests;
