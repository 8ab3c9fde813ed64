//! The error member of a response.

use serde::{Deserialize, Serialize};

use super::{Raw, codes};

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject {
    /// One of [`codes`], or the wrapped server's own.
    pub code: i64,
    /// One sentence for people.
    pub message: String,
    /// Whatever the code defines.
    pub data: Option<Raw>,
}

impl ErrorObject {
    /// An error without data.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same error with data.
    #[must_use]
    pub fn with_data<T: Serialize>(mut self, data: &T) -> Self {
        self.data = Some(Raw::of(data));
        self
    }

    /// The wrapper or the wrapped server failed; the sentence says how.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(codes::INTERNAL_ERROR, message)
    }

    /// Parameters that cannot be used.
    #[must_use]
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(codes::INVALID_PARAMS, message)
    }

    /// A method that nobody implements.
    #[must_use]
    pub fn method_not_found(method: &str) -> Self {
        Self::new(codes::METHOD_NOT_FOUND, format!("method not found: {}", shortened(method)))
    }

    /// Reads an error object; `None` when the shape is another one.
    #[must_use]
    pub fn read(raw: &Raw) -> Option<Self> {
        #[derive(Deserialize)]
        struct Shape<'a> {
            code: i64,
            #[serde(default)]
            message: String,
            #[serde(borrow)]
            data: Option<&'a serde_json::value::RawValue>,
        }
        let shape: Shape<'_> = raw.read().ok()?;
        let data = shape.data.map(|data| Raw::within(raw.text(), data));
        Some(Self { code: shape.code, message: shape.message, data })
    }

    /// The object as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let message = serde_json::Value::from(self.message.as_str());
        match &self.data {
            None => format!(r#"{{"code":{},"message":{message}}}"#, self.code),
            Some(data) => {
                format!(
                    r#"{{"code":{},"message":{message},"data":{}}}"#,
                    self.code,
                    data.one_line()
                )
            }
        }
    }
}

/// A caller's word as it may stand in a message.
#[must_use]
fn shortened(text: &str) -> String {
    const LONGEST: usize = 64;
    let clean = text.chars().filter(|c| !c.is_control());
    let mut short: String = clean.take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
