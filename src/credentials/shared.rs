//! No credential serves two users: sources and settings are judged before anything starts.
//!
//! What the sources yield is judged at each use, in [`watch`]. It does not know how values are fetched.

use std::collections::{BTreeSet, HashMap};

use super::spec::{CredentialSpec, Source};
use super::template::{Part, Slot, Template};
use crate::auth::Machines;
use crate::problem::Problem;

mod watch;

pub use watch::{Held, MAX_VALUES, SharedWatch, WatchError};

/// Values of well-known services start like this.
const PREFIXES: [&str; 22] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "hvs.",
    "npm_",
    "-----BEGIN",
];
const SECRET_WORDS: [&str; 9] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "CREDENTIAL",
];
/// A shorter value is more likely a setting than a key.
const MIN_RANDOM: usize = 20;
/// Bits per character; words and paths stay below, keys lie above.
const MIN_ENTROPY: f64 = 3.7;

/// What the judgement at start-up depends on besides the sources.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// How many issuers there are.
    pub issuers: usize,
    /// Whether a claim names the tenant.
    pub tenant_claim: bool,
    /// Whether services come in, which may be called like a person.
    pub machines: Machines,
}

/// Refuses sources that would give several users one value.
#[must_use]
pub fn check_per_user(
    specs: &[CredentialSpec],
    facts: &Facts,
    allow_shared: &[String],
) -> Vec<Problem> {
    specs
        .iter()
        .filter(|spec| !allow_shared.contains(&spec.name))
        .filter_map(|spec| {
            let (what, hint) = match &spec.source {
                // The store's key is the user himself.
                Source::Store { .. } => return None,
                Source::Env { .. } => (
                    "env: gives every user the same value".to_owned(),
                    "env: is for dev; use vault:, store:, keyring: or file: with {user}".to_owned(),
                ),
                source if determines_user(source, facts) => return None,
                _ => (
                    format!("the source {} does not tell the users apart", spec.source_label()),
                    remedy(facts),
                ),
            };
            Some(Problem::new(spec.delivery.key(), format!("{}: {what}", spec.name), hint))
        })
        .collect()
}

/// Refuses literal `--env` values that look like a secret: every user's child would hold it.
#[must_use]
pub fn check_env(env: &[(String, Template)], allow_shared: &[String]) -> Vec<Problem> {
    env.iter()
        .filter(|(name, value)| !allow_shared.contains(name) && looks_secret(name, value))
        .map(|(name, _)| {
            Problem::new("env", format!("{name}: its name or value looks like a secret, and every user's process would hold it"), format!(
                "use --credential {name}=SOURCE, or --allow-shared-credential {name} if it really is nobody's"
            ))
        })
        .collect()
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

fn determines_user(source: &Source, facts: &Facts) -> bool {
    let mut found = BTreeSet::new();
    for template in source.templates() {
        let parts = template.parts();
        for (at, part) in parts.iter().enumerate() {
            let Part::Slot(slot) = part else { continue };
            let ends_clearly = slot.is_hash()
                || (stands_apart(parts[..at].iter().rev()) && stands_apart(parts[at + 1..].iter()));
            if !ends_clearly {
                continue;
            }
            match slot {
                Slot::User => return true,
                Slot::Sub => found.insert("sub"),
                Slot::Iss => found.insert("iss"),
                Slot::Tenant | Slot::TenantId => found.insert("tenant"),
                Slot::Email | Slot::Claim(_) => false,
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
            Part::Slot(slot) if slot.is_hash() => {}
            Part::Slot(_) => return false,
        }
    }
    true
}

fn looks_secret(name: &str, value: &Template) -> bool {
    let literal: String = value.literals().collect();
    if literal.is_empty() {
        return false;
    }
    let name = name.to_ascii_uppercase();
    let named = SECRET_WORDS.iter().any(|word| name.contains(word))
        || name.split('_').any(|word| matches!(word, "KEY" | "PAT" | "PWD" | "PASS" | "AUTH"));
    // A path, a URL or a number tells where a secret is, or how long it lives, not what it is.
    let harmless = literal.parse::<f64>().is_ok()
        || matches!(literal.as_str(), "true" | "false")
        || (literal.starts_with('/') && !literal.contains(char::is_whitespace));
    let prefixed = literal
        .split(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | ',' | '"' | '\''))
        .any(|word| {
            PREFIXES.iter().any(|prefix| word.len() >= prefix.len() + 8 && word.starts_with(prefix))
        });
    (named && !harmless) || prefixed || has_password(&literal) || is_random(&literal)
}

/// `https://user:password@host` in whatever the variable is called.
fn has_password(literal: &str) -> bool {
    url::Url::parse(literal).is_ok_and(|url| url.password().is_some())
}

fn is_random(literal: &str) -> bool {
    literal.split(|c: char| !c.is_ascii_alphanumeric() && !"_-+=".contains(c)).any(|word| {
        let digits = word.bytes().any(|byte| byte.is_ascii_digit());
        let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        let hexadecimal = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        word.len() >= MIN_RANDOM
            && digits
            && letters
            && (hexadecimal || entropy(word) >= MIN_ENTROPY)
    })
}

fn entropy(word: &str) -> f64 {
    let mut counts = HashMap::new();
    for byte in word.bytes() {
        *counts.entry(byte).or_insert(0_u32) += 1;
    }
    let length = word.len() as f64;
    counts.values().map(|count| f64::from(*count) / length).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests;
