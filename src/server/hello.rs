//! What a server said about itself, and what it was told about its client.

use crate::mcp::{Era, Object, ProtocolVersion, Raw};

/// The server's introduction: an `InitializeResult` or a `DiscoverResult`.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The revision both sides speak.
    pub version: ProtocolVersion,
    /// `serverInfo`, where the server gave one.
    pub info: Option<Raw>,
    /// `ServerCapabilities`.
    pub capabilities: Raw,
    /// The result as it came.
    pub result: Raw,
}

/// Whom a child is for: clients of one era, and what a legacy server is told of them at `initialize`. A modern one learns
/// it with each request and needs none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The era of the clients, in which a server that speaks both is spoken to.
    pub era: Era,
    /// The revision that mcpwrap asks for.
    pub version: ProtocolVersion,
    /// `ClientCapabilities` with sorted keys, so that equal ones are equal text.
    pub capabilities: String,
    /// `clientInfo` of the first client; not part of what makes two profiles equal.
    pub client: ClientName,
}

/// A name for the server's logs; all names are equal, so that it never splits a profile.
#[derive(Clone, Debug, Default)]
pub struct ClientName(pub Option<Raw>);

// === impl Hello ===

impl Hello {
    /// The era of the agreed revision.
    #[must_use]
    pub fn era(&self) -> Era {
        self.version.era()
    }

    /// Whether a server that introduces itself as `now` offers a session all that this one promised it: the revision,
    /// which a modern server does not agree with a session, and the capabilities.
    #[must_use]
    pub fn is_kept_by(&self, now: &Self) -> bool {
        let read =
            |hello: &Self| hello.capabilities.read::<serde_json::Value>().unwrap_or_default();
        let version = match self.era() {
            Era::Legacy => self.version == now.version,
            Era::Modern => now.era() == Era::Modern,
        };
        version
            && (self.capabilities.as_str() == now.capabilities.as_str()
                || contains(&read(now), &read(self)))
    }

    /// Whether the server announced the capability `name`, e.g. `tools`.
    #[must_use]
    pub fn offers(&self, name: &str) -> bool {
        Object::parse(&self.capabilities).is_ok_and(|members| members.get(name).is_some())
    }

    /// The server's name and version, for people.
    #[must_use]
    pub fn title(&self) -> Option<(String, String)> {
        let members = Object::parse(self.info.as_ref()?).ok()?;
        Some((members.get_str("name")?, members.get_str("version").unwrap_or_default()))
    }
}

// === impl Profile ===

impl Profile {
    /// The same profile, which does not keep the request that it came in.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.client.0 = self.client.0.map(|client| client.detached());
        self
    }

    /// The profile of a legacy client that can do nothing special.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(ProtocolVersion::NEWEST_LEGACY, &Raw::empty_object(), None)
    }

    /// The profile of a legacy client.
    #[must_use]
    pub fn new(version: ProtocolVersion, capabilities: &Raw, info: Option<Raw>) -> Self {
        let sorted = capabilities
            .read::<serde_json::Value>()
            .map_or_else(|_| "{}".to_owned(), |value| sorted(&value).to_string());
        Self { era: Era::Legacy, version, capabilities: sorted, client: ClientName(info) }
    }

    /// The profile of a modern client, and what a legacy server is told of it: such a server never gives it tasks
    /// (checklist 9.9).
    #[must_use]
    pub fn of_modern(capabilities: &Raw, info: Option<Raw>) -> Self {
        let capabilities = Raw::of(&super::without_tasks(capabilities));
        Self { era: Era::Modern, ..Self::new(ProtocolVersion::NEWEST_LEGACY, &capabilities, info) }
    }

    /// Whether a legacy server is told the same.
    #[must_use]
    pub fn tells_like(&self, other: &Self) -> bool {
        self.version == other.version && self.capabilities == other.capabilities
    }

    /// Whether everything that `self` promises is also promised by `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text);
        self.version == other.version
            && match (read(&self.capabilities), read(&other.capabilities)) {
                (Ok(one), Ok(all)) => contains(&all, &one),
                _ => false,
            }
    }

    /// How much the profile promises.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.capabilities.len()
    }
}

impl PartialEq for ClientName {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ClientName {}

impl std::hash::Hash for ClientName {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

fn sorted(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let ordered: std::collections::BTreeMap<_, _> =
                members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn contains(all: &serde_json::Value, part: &serde_json::Value) -> bool {
    match (all, part) {
        (serde_json::Value::Object(all), serde_json::Value::Object(part)) => {
            part.iter().all(|(key, value)| all.get(key).is_some_and(|own| contains(own, value)))
        }
        _ => all == part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(capabilities: &str) -> Profile {
        let raw = Raw::parse(capabilities).unwrap();
        Profile::new(ProtocolVersion::V2025_11_25, &raw, None)
    }

    #[test]
    fn equal_capabilities_are_one_profile_in_any_order() {
        assert_eq!(profile(r#"{"a":{},"b":{"c":1}}"#), profile(r#"{"b":{"c":1},"a":{}}"#));
    }

    #[test]
    fn a_session_goes_on_with_a_server_that_offers_as_much() {
        let hello = |version, capabilities: &str| Hello {
            version,
            info: None,
            capabilities: Raw::parse(capabilities).unwrap(),
            result: Raw::empty_object(),
        };
        let newest = ProtocolVersion::V2025_11_25;
        let was = hello(newest, r#"{"tools":{"listChanged":true},"logging":{}}"#);
        for (capabilities, kept) in [
            (r#"{"logging":{},"tools":{"listChanged":true}}"#, true),
            (r#"{"logging":{},"tools":{"listChanged":true},"prompts":{}}"#, true),
            (r#"{"tools":{"listChanged":true}}"#, false),
            (r#"{"logging":{},"tools":{"listChanged":false}}"#, false),
            (r#"{"logging":{},"tools":{}}"#, false),
        ] {
            assert_eq!(was.is_kept_by(&hello(newest, capabilities)), kept, "{capabilities}");
        }
        let same = was.capabilities.as_str();
        assert!(!was.is_kept_by(&hello(ProtocolVersion::V2025_06_18, same)));
        assert!(!was.is_kept_by(&hello(ProtocolVersion::NEWEST_MODERN, same)));
    }

    #[test]
    fn a_server_is_never_told_of_what_a_client_lacks() {
        let rich = profile(r#"{"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}"#);
        let form = profile(r#"{"elicitation":{"form":{}}}"#);
        assert!(form.is_within(&rich) && !rich.is_within(&form));
        assert!(profile("{}").is_within(&form));
        assert!(!profile(r#"{"sampling":{}}"#).is_within(&rich));
    }
}
