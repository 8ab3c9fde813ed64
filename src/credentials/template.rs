//! Text with `{user}`, `{sub}` and the like in it, and what a user's claims make of it.
//!
//! A claim is used only where it cannot climb, split or escape; encoding alone does not contain it. It does
//! not know what the rendered text is for, only whether it becomes a path, a URL's path or a variable.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::auth::Principal;
use crate::hex;

const MAX_PATH_CLAIM: usize = 128;
const MAX_ENV_CLAIM: usize = 63;
/// RFC 3986's unreserved characters need no escape.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Placeholder(Placeholder),
}

/// What may stand in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// A hash of issuer, tenant and subject.
    User,
    /// The subject.
    Sub,
    /// The issuer's short name.
    Iss,
    /// The tenant.
    Tenant,
    /// A hash of issuer and tenant.
    TenantId,
    /// The verified e-mail address.
    Email,
    /// Any verified claim.
    Claim(String),
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A brace without its partner.
    #[error("a brace is not closed or not opened; a literal one is doubled")]
    Brace,
    /// No such placeholder.
    #[error("there is no placeholder {{{name}}}")]
    Unknown {
        /// What stood between the braces.
        name: String,
    },
}

/// Why a user's claims do not fit into a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The token has no such claim.
    #[error("the token has no {claim}")]
    Absent {
        /// The claim's name.
        claim: String,
    },
    /// The claim has characters or a length that this place does not take.
    #[error("the {claim} of the token cannot be used here")]
    Unfit {
        /// The claim's name.
        claim: String,
    },
}

#[derive(Clone, Copy)]
enum Context {
    Path,
    UrlPath,
    Env,
}

// === impl Template ===

impl Template {
    /// Reads a template; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let from = &rest[at..];
            if let Some(tail) = from.strip_prefix("{{").or(from.strip_prefix("}}")) {
                literal.push_str(&from[..1]);
                rest = tail;
                continue;
            }
            let (name, tail) = from
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
                .ok_or(ParseError::Brace)?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Placeholder(Placeholder::parse(name)?));
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// The text for a path: each claim must be a harmless piece of a file or secret name.
    ///
    /// # Errors
    /// [`RenderError`], which names the claim.
    pub fn render_path(&self, principal: &Principal) -> Result<String, RenderError> {
        self.render(principal, Context::Path)
    }

    /// Like [`render_path`](Self::render_path), percent-encoded for the path of a URL.
    ///
    /// # Errors
    /// [`RenderError`], which names the claim.
    pub fn render_url_path(&self, principal: &Principal) -> Result<String, RenderError> {
        self.render(principal, Context::UrlPath)
    }

    /// The text for an environment variable: each claim must be a plain word.
    ///
    /// # Errors
    /// [`RenderError`], which names the claim.
    pub fn render_env(&self, principal: &Principal) -> Result<String, RenderError> {
        self.render(principal, Context::Env)
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The literal text around the placeholders.
    pub(super) fn literals(&self) -> String {
        self.fold("")
    }

    /// The whole text, where there is no placeholder in it.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        let literal = |part: &Part| matches!(part, Part::Literal(_));
        self.parts.iter().all(literal).then(|| self.literals())
    }

    /// The template with a stand-in for each placeholder, to judge the literal text by.
    pub(super) fn sketch(&self) -> String {
        self.fold("x")
    }

    /// The whole text, with `*` for each placeholder.
    pub(super) fn pattern(&self) -> String {
        self.fold("*")
    }

    fn fold(&self, stand_in: &str) -> String {
        let mut folded = String::new();
        for part in &self.parts {
            folded.push_str(match part {
                Part::Literal(text) => text,
                Part::Placeholder(_) => stand_in,
            });
        }
        folded
    }

    fn render(&self, principal: &Principal, context: Context) -> Result<String, RenderError> {
        let mut text = String::new();
        for part in &self.parts {
            let piece = match part {
                Part::Literal(literal) => literal.clone(),
                Part::Placeholder(placeholder) => {
                    let value = placeholder.value(principal)?;
                    if !context.takes(&value) {
                        return Err(RenderError::Unfit { claim: placeholder.name() });
                    }
                    value
                }
            };
            match context {
                Context::UrlPath => {
                    // Slashes in the literal text separate segments; a claim has none.
                    let mut segments = piece.split('/');
                    text.extend(
                        segments
                            .next()
                            .map(|first| utf8_percent_encode(first, SEGMENT).to_string()),
                    );
                    for segment in segments {
                        text.push('/');
                        text.extend(utf8_percent_encode(segment, SEGMENT));
                    }
                }
                Context::Path | Context::Env => text.push_str(&piece),
            }
        }
        Ok(text)
    }
}

// === impl Context ===

impl Context {
    fn takes(self, value: &str) -> bool {
        let all = |more: &[u8]| {
            value.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        match self {
            Self::Path | Self::UrlPath => {
                value.len() <= MAX_PATH_CLAIM
                    && value.starts_with(|first: char| first.is_ascii_alphanumeric())
                    && all(b"._@|:+=~-")
            }
            Self::Env => (1..=MAX_ENV_CLAIM).contains(&value.len()) && all(b"_-"),
        }
    }
}

// === impl Placeholder ===

impl Placeholder {
    fn parse(name: &str) -> Result<Self, ParseError> {
        Ok(match name {
            "user" => Self::User,
            "sub" => Self::Sub,
            "iss" => Self::Iss,
            "tenant" => Self::Tenant,
            "tenant_id" => Self::TenantId,
            "email" => Self::Email,
            _ => match name.strip_prefix("claim:") {
                Some(claim) if !claim.is_empty() => Self::Claim(claim.to_owned()),
                _ => {
                    return Err(ParseError::Unknown { name: name.to_owned() });
                }
            },
        })
    }

    /// Hashes have one length and one alphabet, so their end is always clear.
    pub(super) fn is_hash(&self) -> bool {
        matches!(self, Self::User | Self::TenantId)
    }

    fn name(&self) -> String {
        match self {
            Self::User => "user".to_owned(),
            Self::Sub => "claim sub".to_owned(),
            Self::Iss => "issuer's short name".to_owned(),
            Self::Tenant | Self::TenantId => "tenant".to_owned(),
            Self::Email => "verified email".to_owned(),
            Self::Claim(name) => format!("claim {name}"),
        }
    }

    fn value(&self, principal: &Principal) -> Result<String, RenderError> {
        let user = principal.user();
        let value = match self {
            Self::User => Some(user.digest()),
            Self::Sub => Some(user.subject().to_owned()),
            Self::Iss => Some(principal.issuer_name().to_owned()),
            Self::Tenant => user.tenant().map(str::to_owned),
            Self::TenantId => user.tenant().map(|tenant| tenant_hash(user.issuer(), tenant)),
            Self::Email => principal.email().map(str::to_owned),
            Self::Claim(name) => match principal.claim(name) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Number(number)) if !number.is_f64() => Some(number.to_string()),
                Some(_) => return Err(RenderError::Unfit { claim: self.name() }),
                None => None,
            },
        };
        value.ok_or_else(|| RenderError::Absent { claim: self.name() })
    }
}

fn tenant_hash(issuer: &str, tenant: &str) -> String {
    let bound = crate::seal::bound(b"mcpwrap tenant 1", &[issuer.as_bytes(), tenant.as_bytes()]);
    hex::encode(&Sha256::digest(bound)[..16])
}

#[cfg(test)]
mod tests;
