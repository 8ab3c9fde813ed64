//! A shallow view of a JSON object: its members by name, their values untouched.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Raw;

/// The members of one object, in order.
#[derive(Debug)]
pub struct Object<'a> {
    source: &'a Raw,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// Why there is no such view.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Another JSON type.
    #[error("not an object")]
    NotAnObject,
    /// Two parsers could read two different objects.
    #[error("the key {key:?} occurs twice")]
    Duplicate {
        /// The key.
        key: String,
    },
}

impl<'a> Object<'a> {
    /// Reads the members of `source`.
    ///
    /// # Errors
    /// When it is no object or a key occurs twice.
    pub fn parse(source: &'a Raw) -> Result<Self, ObjectError> {
        let mut deserializer = serde_json::Deserializer::from_str(source.as_str());
        let members =
            deserializer.deserialize_map(Members).map_err(|_| ObjectError::NotAnObject)?;
        if let Some(key) = repeated(&members) {
            return Err(ObjectError::Duplicate { key });
        }
        Ok(Self { source, members })
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Raw> {
        let (_, value) = self.members.iter().find(|(name, _)| name == key)?;
        Some(Raw::within(self.source.text(), value))
    }

    /// The value of `key` when it is a string.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<String> {
        self.get(key).and_then(|value| value.read().ok())
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Raw)> {
        self.members
            .iter()
            .map(|(key, value)| (key.as_ref(), Raw::within(self.source.text(), value)))
    }

    /// Names and values, in order, independent of this view.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Raw)> {
        self.iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The same object with some members replaced or added (`Some`) or left out (`None`).
    #[must_use]
    pub fn with(&self, changes: &[(&str, Option<&str>)]) -> Raw {
        let mut text = String::with_capacity(self.source.len() + 64);
        text.push('{');
        let mut add = |key: &str, value: &str| {
            if text.len() > 1 {
                text.push(',');
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "{}:{value}", serde_json::Value::from(key));
        };
        for (key, value) in &self.members {
            if !changes.iter().any(|(changed, _)| changed == key) {
                add(key, value.get());
            }
        }
        for (key, value) in changes {
            if let Some(value) = value {
                add(key, value);
            }
        }
        text.push('}');
        Raw::composed(text)
    }
}

/// A key that occurs twice. Few members are compared with each other; many would make that too slow.
fn repeated(members: &[(Cow<'_, str>, &RawValue)]) -> Option<String> {
    const FEW: usize = 16;
    let found = if members.len() <= FEW {
        members
            .iter()
            .enumerate()
            .find(|(i, (key, _))| members[..*i].iter().any(|(earlier, _)| earlier == key))
    } else {
        let mut seen = HashSet::with_capacity(members.len());
        members.iter().enumerate().find(|(_, (key, _))| !seen.insert(key.as_ref()))
    };
    found.map(|(_, (key, _))| key.to_string())
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            members.push((key.0, map.next_value()?));
        }
        Ok(members)
    }
}

/// A key, borrowed unless it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn members_keep_their_text() {
        let source = raw(r#"{"a":1.0,"b":{"x":[1, 2]},"\u0063":null}"#);
        let object = Object::parse(&source).unwrap();
        assert_eq!(object.get("a").unwrap().as_str(), "1.0");
        assert_eq!(object.get("c").unwrap().as_str(), "null");
        assert_eq!(
            object.with(&[("a", None), ("d", Some("2"))]).as_str(),
            r#"{"b":{"x":[1, 2]},"c":null,"d":2}"#
        );
    }

    #[test]
    fn a_repeated_key_is_refused_however_it_is_spelled() {
        let source = raw(r#"{"name":"a","n\u0061me":"b"}"#);
        assert_eq!(
            Object::parse(&source).unwrap_err(),
            ObjectError::Duplicate { key: "name".to_owned() }
        );
        assert_eq!(Object::parse(&raw("[1]")).unwrap_err(), ObjectError::NotAnObject);
    }
}
