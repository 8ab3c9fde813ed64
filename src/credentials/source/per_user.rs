//! Whether the text of a source tells the users apart, so that no two of them get one value.
//!
//! What the sources yield in the end is judged at each use, by the watch over shared values.

use std::collections::BTreeSet;

use super::super::template::{Part, Placeholder, Template};
use crate::auth::Machines;

/// What the judgement depends on besides the source.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// How many issuers there are.
    pub issuers: usize,
    /// Whether a claim names the tenant.
    pub tenant_claim: bool,
    /// Whether services come in, which may be called like a person.
    pub machines: Machines,
}

/// Why several users could get one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPerUser {
    /// What the source does wrong, as the rest of a sentence about it.
    pub what: &'static str,
    /// The remedy.
    pub hint: String,
}

/// Whether the claims that these templates hold determine the user.
pub(super) fn by_templates(templates: &[&Template], facts: &Facts) -> Result<(), NotPerUser> {
    match determine_user(templates, facts) {
        true => Ok(()),
        false => Err(NotPerUser { what: "does not tell the users apart", hint: remedy(facts) }),
    }
}

fn remedy(facts: &Facts) -> String {
    if facts.machines == Machines::Accept {
        return "put {user} in it: a service may be called like a person".to_owned();
    }
    let mut needed = vec!["{sub}"];
    if facts.issuers != 1 {
        needed.push("{iss}");
    }
    if facts.tenant_claim {
        needed.push("{tenant}");
    }
    format!("put {{user}} in it, or {} with a slash between the placeholders", needed.join(" and "))
}

fn determine_user(templates: &[&Template], facts: &Facts) -> bool {
    let mut found = BTreeSet::new();
    for template in templates {
        let parts = template.parts();
        for (at, part) in parts.iter().enumerate() {
            let Part::Placeholder(placeholder) = part else { continue };
            let ends_clearly = placeholder.is_hash()
                || (stands_apart(parts[..at].iter().rev()) && stands_apart(parts[at + 1..].iter()));
            if !ends_clearly {
                continue;
            }
            match placeholder {
                Placeholder::User => return true,
                Placeholder::Sub => found.insert("sub"),
                Placeholder::Iss => found.insert("iss"),
                Placeholder::Tenant | Placeholder::TenantId => found.insert("tenant"),
                Placeholder::Email | Placeholder::Claim(_) => false,
            };
        }
    }
    found.contains("sub")
        && facts.machines == Machines::Refuse
        && (facts.issuers == 1 || found.contains("iss"))
        && (!facts.tenant_claim || found.contains("tenant"))
}

/// Two claims side by side are ambiguous ("ab"+"c" and "a"+"bc") unless a character parts them that no claim has.
fn stands_apart<'p>(neighbours: impl Iterator<Item = &'p Part>) -> bool {
    for part in neighbours {
        match part {
            Part::Literal(text)
                if text
                    .contains(|c: char| !c.is_ascii_alphanumeric() && !"._@|:+=~-".contains(c)) =>
            {
                return true;
            }
            Part::Literal(_) => {}
            Part::Placeholder(placeholder) if placeholder.is_hash() => {}
            Part::Placeholder(_) => return false,
        }
    }
    true
}
