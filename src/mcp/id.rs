//! Request ids: a string or an integer, kept with their JSON type (checklist 1.11, 4.35).

use std::fmt;

use serde_json::value::RawValue;

/// The id of a request; `1` and `"1"` are different ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// An integer of any usual size.
    Integer(i128),
    /// A string.
    Text(Box<str>),
}

impl RequestId {
    /// Reads an id; `None` for null, fractions, booleans, arrays and objects.
    #[must_use]
    pub fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        match text.as_bytes().first()? {
            b'"' => serde_json::from_str(text).ok().map(Self::Text),
            b'-' | b'0'..=b'9' => text.parse().ok().map(Self::Integer),
            _ => None,
        }
    }

    /// The id as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
        }
    }
}

impl From<u64> for RequestId {
    fn from(number: u64) -> Self {
        Self::Integer(number.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl serde::Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(number) => serializer.serialize_i128(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_every_odd_type() {
        for (json, expected) in [
            ("1", Some(RequestId::Integer(1))),
            ("\"1\"", Some(RequestId::Text("1".into()))),
            ("-7", Some(RequestId::Integer(-7))),
            ("9007199254740993", Some(RequestId::Integer(9_007_199_254_740_993))),
            ("18446744073709551616", Some(RequestId::Integer(1 << 64))),
            ("\"\"", Some(RequestId::Text("".into()))),
            ("\"\\u0061\"", Some(RequestId::Text("a".into()))),
            ("1.5", None),
            ("1.0", None),
            ("1e3", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            ("{}", None),
        ] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(RequestId::read(raw), expected, "{json}");
        }
    }

    #[test]
    fn an_id_comes_back_as_it_was_written() {
        for json in ["1", "\"1\"", "\"a\\\"b\"", "-3"] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(RequestId::read(raw).unwrap().to_json(), json);
        }
    }
}
