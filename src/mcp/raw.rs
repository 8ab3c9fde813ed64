//! JSON text that was checked once and is passed on untouched.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

/// One JSON value as text, sharing the bytes of the line or body that it came in.
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(ByteString);

impl Raw {
    /// Checks that `text` is exactly one JSON value.
    ///
    /// # Errors
    /// When it is not JSON, or nested more than 128 deep.
    pub fn parse(text: impl Into<ByteString>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        let value: &RawValue = serde_json::from_str(&text)?;
        let value = value.get();
        Ok(Self(text.slice_ref(value)))
    }

    /// The part of `source` that `value` was parsed from.
    #[must_use]
    pub fn within(source: &ByteString, value: &RawValue) -> Self {
        Self(source.slice_ref(value.get()))
    }

    /// Serialises a value of our own.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        // Our own types have string keys and no failing Serialize, the only two ways for this to go wrong.
        Self(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()).into())
    }

    /// The empty object.
    #[must_use]
    pub fn empty_object() -> Self {
        Self(ByteString::from_static("{}"))
    }

    /// Takes text that this crate has just composed out of checked parts.
    pub(super) fn composed(text: String) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text, for views that borrow from it.
    #[must_use]
    pub fn text(&self) -> &ByteString {
        &self.0
    }

    /// The text's bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// How many bytes the text has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a JSON value has at least one byte. Present because `len` is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without line breaks, as lines and SSE events need it. Inside a JSON string a line break is
    /// always escaped, so a bare one is white space.
    #[must_use]
    pub fn one_line(&self) -> Cow<'_, str> {
        if memchr::memchr2(b'\n', b'\r', self.0.as_bytes()).is_none() {
            return Cow::Borrowed(&self.0);
        }
        Cow::Owned(self.0.replace(['\n', '\r'], " "))
    }

    /// A copy that does not keep a larger buffer alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }

    /// Reads the value as `T`.
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Whether the value is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are private to the call; a debug line tells their size.
        write!(f, "Raw({} bytes)", self.len())
    }
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_outside_strings_become_spaces() {
        let raw = Raw::parse("{\r\n \"a\": \"x\\ny\"\n}").unwrap();
        assert_eq!(raw.one_line(), "{   \"a\": \"x\\ny\" }");
    }

    #[test]
    fn text_around_the_value_is_cut() {
        assert_eq!(Raw::parse("  [1, 2]\n").unwrap().as_str(), "[1, 2]");
        assert!(Raw::parse("1 2").is_err());
    }
}
