//! Reads a JSON object that must mean the same to everybody: no member twice, at any depth, and a bounded depth.
//!
//! Readers disagree on which of two equal members counts, and whoever signs may read the other one. It
//! knows nothing of tokens.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::auth::denied::Reason;

/// Real tokens nest three or four levels deep.
const MAX_DEPTH: usize = 16;
/// Marks our own error among those of the parser, which offers only text.
const DUPLICATE: &str = "duplicate member";

/// The members of the object in `bytes`.
pub(in crate::auth) fn object(bytes: &[u8]) -> Result<BTreeMap<String, Value>, Reason> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Node { depth: MAX_DEPTH }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Value::Object(members)) => Ok(members.into_iter().collect()),
        Ok(_) => Err(Reason::Json),
        Err(error) if error.to_string().starts_with(DUPLICATE) => Err(Reason::Duplicate),
        Err(_) => Err(Reason::Json),
    }
}

#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

// === impl Node ===

impl Node {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(below)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_two_things_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
        for (text, reason) in [
            (r#"{"sub":"a","sub":"b"}"#, Reason::Duplicate),
            (r#"{"sub":"a","\u0073ub":"b"}"#, Reason::Duplicate),
            (r#"{"a":{"b":1,"b":1}}"#, Reason::Duplicate),
            (r#"{"a":[{"b":1,"b":1}]}"#, Reason::Duplicate),
            ("[]", Reason::Json),
            ("{} {}", Reason::Json),
            ("{", Reason::Json),
            ("", Reason::Json),
            ("{\"a\":\"\u{0}\"}", Reason::Json),
            (deep.as_str(), Reason::Json),
        ] {
            assert_eq!(object(text.as_bytes()), Err(reason), "{text}");
        }
    }

    #[test]
    fn everything_else_is_kept() {
        let text = r#"{"a":null,"b":[true,-1,2,1.5,"x"],"c":{"d":{}}}"#;
        let read = object(text.as_bytes()).unwrap();
        let plain: BTreeMap<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(read, plain);
    }
}
